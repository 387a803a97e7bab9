"""Makes tasks of a dataset's records: each commit makes some, and says on the addition how far it came.

Whoever is killed leaves an addition that says where to go on; of two at once, one is refused each time and goes on from
what the other wrote. A task's number follows from dataset, project and key, so no record becomes two tasks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from shared.errors import CommitRefusedError, CommitUnknownError, InvalidDocumentError, StoreError
from shared.log import logger
from shared.model.addition import MAX_ERRORS, Addition, AdditionState, origin
from shared.model.dataset_record import record_id
from shared.model.ledger import Entry
from shared.model.owed import Permit
from shared.model.project import Project
from shared.model.run import Gate
from shared.model.storage import Storage
from shared.model.task import blob_data, task_id
from shared.ports import Document, ObjectStore, Ref, Update, Write
from shared.records import tasks
from shared.records.collection import Stored, weight
from shared.records.tasks import NewTask
from shared.services import announcing
from shared.services.announcing import News
from shared.services.context import Context
from shared.services.datasets import records
from shared.services.datasets.additions import DESK
from shared.services.datasets.records import Page
from shared.services.secrets import masked

RETRIES = 20
REST = 10
"""Writes of a commit that are neither tasks nor news: the addition and a reserve."""
AGAIN = 1.0
"""Seconds until the next try where others were always faster."""
DELETED_PROJECT = "The project was deleted."
OTHER_BUCKET = "The dataset was connected to another bucket: sync it, then ask again."


class _EndedError(Exception):
    """The addition can't be gone on with, for good: why."""


class _Slice(NamedTuple):
    """What comes of some records in one commit."""

    writes: list[Write]
    news: News
    existed: int
    deleted: int


def work(ctx: Context, permit: Permit) -> None:
    """Goes on with an addition until it is done or time is up. May be called twice with one permit, also at once."""
    stored = ctx.additions.get(permit.item)
    if stored is None or stored.value.over:
        return
    if stored.value.ticket != permit.ticket:
        DESK.wake(ctx, stored.value)
        return
    storage = ctx.storages.get(stored.value.storage)
    if storage is None:
        return  # its additions go with it
    deadline = ctx.clock() + ctx.settings.slice_seconds
    try:
        try:
            store = ctx.open_store(storage.value)
        except StoreError as error:
            secrets = ctx.vault.open(storage.value.secrets)
            raise _EndedError(masked(str(error), secrets)[:500]) from None
        _Adding(ctx, storage.value, store, permit).run(stored, deadline)
    except _EndedError as ended:
        _fail(ctx, permit, str(ended))


class _Adding:
    """One slice of the work on an addition."""

    def __init__(self, ctx: Context, storage: Storage, store: ObjectStore, permit: Permit) -> None:
        self._ctx = ctx
        self._storage = storage
        self._store = store
        self._permit = permit
        self._most = self._usual = ctx.settings.batch_writes - announcing.ROOM - REST
        """Records of one commit: fewer while the one that can't be stored is looked for."""

    def run(self, stored: Stored[Addition], deadline: float) -> None:
        """Goes on until it is over, time is up, or somebody took the next ticket; at least by one commit.

        Raises `_EndedError`.
        """
        wanted = stored.value.wanted()
        tries = 0
        while not stored.value.over and stored.value.ticket == self._permit.ticket:
            left = stored.value.left  # so that the walk ends where the last id was found
            size = self._most if left is None else min(self._most, left)
            page = records.page(self._ctx, self._storage, wanted, after=stored.value.after, size=size)
            now = self._tried(stored, page)
            if now is None:
                return
            tries = 0 if now.value.after != stored.value.after else tries + 1
            stored = now
            if not stored.value.over and (tries >= RETRIES or self._ctx.out_of_time(deadline)):
                _hand_over(self._ctx, stored, delay=AGAIN if tries else 0.0)
                return

    def _tried(self, stored: Stored[Addition], page: Page) -> Stored[Addition] | None:
        """The addition after one try: as it was where others were always faster, or a smaller commit is to be tried."""
        try:
            return self._add(stored, page)
        except CommitRefusedError:
            return stored
        except InvalidDocumentError as error:
            if not page.entries:
                raise
            if len(page.entries) > 1:
                self._most = max(1, len(page.entries) // 2)
                return stored
            unfit = str(error)
        self._most = self._usual
        return self._add(stored, page, unfit)

    def _add(self, stored: Stored[Addition], page: Page, unfit: str = "") -> Stored[Addition] | None:
        """One commit; the addition as it is then, whoever wrote it. None: it is gone.

        With `unfit` the only record can't become a task, which is why. Raises `InvalidDocumentError`, and
        `CommitRefusedError` if others were always faster.
        """
        addition = stored.value
        items = [] if unfit else [self._task(addition, entry) for entry in page.entries]
        fit = self._fit(items)
        entries, after = page.entries, page.after
        if fit < len(items):
            items, entries, after = items[:fit], entries[:fit], entries[fit - 1].key
        found: Mapping[Ref, Document] = {}
        for salt in range(1, RETRIES):
            project, gate = self._ground(addition)
            outcomes = [tasks.settled(item, found, salt) for item in items]
            items = [one if isinstance(one, NewTask) else item for one, item in zip(outcomes, items, strict=True)]
            made = self._slice(addition, items, outcomes)
            moved = self._moved(addition, entries, after, made, unfit)
            news = announcing.writes(self._ctx, addition.project, made.news)
            writes = [*made.writes, *news, self._ctx.additions.update(stored, moved)]
            try:
                self._ctx.documents.commit(writes, [project.check, gate.check])
            except (CommitRefusedError, CommitUnknownError):
                now = self._ctx.additions.get(addition.id)
                if now is None or now.revision != stored.revision:
                    return now  # by that very commit, by another worker, or by the sweep
                refs = [item.create.ref for item in items]
                found = {one.ref: one for one in self._ctx.documents.get_many(refs) if one} if refs else {}
                continue
            announcing.send(self._ctx, news)
            if moved.over:
                _log_end(moved)
            return self._ctx.additions.get(addition.id)
        raise CommitRefusedError(f"project {addition.project} is being changed by others")

    def _fit(self, items: Sequence[NewTask]) -> int:
        """How many of them one commit holds; at least one."""
        size = 0
        for at, item in enumerate(items):
            size += sum(map(weight, item.writes))
            if at and size > self._ctx.settings.batch_bytes:
                return at
        return len(items)

    def _ground(self, addition: Addition) -> tuple[Stored[Project], Stored[Gate]]:
        """What every commit checks: that project and dataset are what they were. Raises `_EndedError`."""
        project = self._ctx.projects.get(addition.project)
        if project is None:
            raise _EndedError(DELETED_PROJECT)
        gate = self._ctx.gates.get(addition.storage)
        if gate is None or gate.value.map != addition.map:
            raise _EndedError(OTHER_BUCKET)
        return project, gate

    def _task(self, addition: Addition, entry: Entry) -> NewTask:
        origin_map = origin(addition.map, addition.project)
        return tasks.create(
            task_id(origin_map, entry.key, None),
            project=addition.project,
            storage=addition.storage,
            origin=tasks.Origin(origin_map, entry.key, None),
            version=entry.version,
            now=self._ctx.clock(),
            data=blob_data(self._store.uri(entry.key)),
            record=record_id(addition.map, entry.key),
        )

    def _slice(self, addition: Addition, items: list[NewTask], outcomes: list[NewTask | Document]) -> _Slice:
        writes: list[Write] = []
        made: list[int] = []
        existed = deleted = 0
        for item, outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, NewTask):
                writes += outcome.writes
                made.append(int(outcome.create.ref.id))
            elif not outcome.data.get("deleted"):
                existed += 1
            elif addition.restore and outcome.data["updated_at"] <= addition.since:
                changes: dict[str, Any] = {**item.create.data}
                changes |= {"edited": False} if outcome.data.get("edited") else {}
                writes.append(Update(outcome.ref, changes, outcome.revision))
                made.append(int(outcome.ref.id))
            else:
                deleted += 1
        return _Slice(writes, News("TASKS_CREATED", made), existed, deleted)

    def _moved(
        self, addition: Addition, entries: Sequence[Entry], after: str | None, made: _Slice, unfit: str
    ) -> Addition:
        now = self._ctx.clock()
        errors = addition.errors
        if unfit and len(errors) < MAX_ERRORS:
            errors = (*errors, f"{entries[0].key}: {unfit}"[:400])
        moved = replace(
            addition,
            state="in_progress",
            after=addition.after if after is None else after,
            selected=addition.selected + len(entries),
            created=addition.created + len(made.news.ids),
            existed=addition.existed + made.existed,
            deleted=addition.deleted + made.deleted,
            failed=addition.failed + bool(unfit),
            errors=errors,
            started=addition.started or now,
            updated=now,
            due=now,
        )
        if entries and after is None:
            moved = replace(moved, after=entries[-1].key)
        missing = moved.left
        if after is not None and missing != 0:
            return moved
        state: AdditionState = "completed_with_errors" if moved.failed or missing else "completed"
        return replace(moved, state=state, missing=missing or 0, ended=now)


def _hand_over(ctx: Context, stored: Stored[Addition], *, delay: float = 0.0) -> None:
    """The next message goes on; if it is never sent, the sweep finds the addition."""
    addition = stored.value
    moved = replace(addition, ticket=addition.ticket + 1, due=ctx.clock() + delay)
    try:
        ctx.documents.commit([ctx.additions.update(stored, moved)])
    except (CommitRefusedError, CommitUnknownError):
        return  # somebody else works on it, or the sweep finds it
    DESK.enqueue(ctx, addition.id, moved.ticket, delay=delay)


def _fail(ctx: Context, permit: Permit, reason: str) -> None:
    for _ in range(RETRIES):
        stored = ctx.additions.get(permit.item)
        if stored is None or stored.value.over:
            return
        now = ctx.clock()
        ended = replace(stored.value, state="failed", reason=reason, updated=now, ended=now)
        try:
            ctx.documents.commit([ctx.additions.update(stored, ended)])
        except (CommitRefusedError, CommitUnknownError):
            continue
        _log_end(ended)
        return
    raise CommitRefusedError(f"addition {permit.item} is being changed by others; try again")


def _log_end(addition: Addition) -> None:
    logger.info(
        "addition ended",
        action="addition.end",
        storage=addition.storage,
        project=addition.project,
        state=addition.state,
        created=addition.created,
    )
