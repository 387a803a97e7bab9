"""Commits tasks and ledger together, in bounded batches, and finds the one row that can't be stored."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from shared.errors import CommitRefusedError, InvalidDocumentError
from shared.model.chunk import Counts
from shared.model.ledger import Entry, Ledger, ObjectInfo
from shared.ports import Create, Document, Ref, Write
from shared.records import tasks
from shared.records.tasks import NewTask
from shared.services import announcing
from shared.services.context import Context
from shared.services.sync.holding import Holding

MAX_SALTS = 8
MAX_ERRORS = 20
"""Failures kept on a chunk for people; the ledger knows more."""
ROOM = 6
"""Writes of a commit that are not tasks: chunk, ledger and a reserve."""

NO_ENTRIES: Mapping[str, Entry | None] = MappingProxyType({})


class Item(NamedTuple):
    """One row: the task to make (None if there is none), and its object's entry once the row is done."""

    new: NewTask | None
    entry: Entry


class Correction(NamedTuple):
    """Rows of an object that were to become tasks and did not: `tasks` fewer than its entries say."""

    tasks: int = 0
    tombs: int = 0
    """How many of them users deleted."""
    bad_rows: tuple[tuple[int, str], ...] = ()


class Batcher:
    """Collects items and commits them; every commit is complete in itself, whatever happens before the next."""

    def __init__(self, ctx: Context, holding: Holding, deadline: float) -> None:
        self.ctx = ctx
        self.holding = holding
        self.deadline = deadline
        self.stopped = False
        """Out of time: the lease was released in the last commit, nothing may follow."""
        self._items: list[Item] = []
        self._bytes = 0
        self._creates = 0
        self._listing: Sequence[ObjectInfo] | None = None
        self._excluded = 0
        self._ledger: Ledger = holding.ledger
        self._changed = False
        self._corrections: dict[str, Correction] = {}

    def begin(self, ledger: Ledger, listing: Sequence[ObjectInfo] | None, excluded: int) -> None:
        """The ledger to start from, and the listing that the counts add up to; None: they stay as they were."""
        self._changed = ledger != self.holding.ledger
        self._ledger, self._listing, self._excluded = ledger, listing, excluded

    def known(self, key: str) -> Entry | None:
        """What the ledger says of an object, as last committed."""
        return self._ledger.get(key)

    def latest(self, key: str) -> Entry | None:
        """What is known of the object that is being imported, pending rows included."""
        if self._items and self._items[-1].entry.key == key:
            return self._items[-1].entry
        self._corrections.pop(key, None)  # they are in the ledger's entry already
        return self._ledger.get(key)

    def restart(self, key: str) -> Entry | None:
        """Commits what is pending and forgets what was said of an object; returns what the ledger says of it."""
        self.flush()
        self._corrections.pop(key, None)
        return self._ledger.get(key)

    def add(self, item: Item) -> None:
        """Takes an item; commits when the batch is full. Look at `stopped` afterwards."""
        room = self.ctx.settings.batch_writes - ROOM
        if item.new is not None and item.new.parts and self._creates + 1 + len(item.new.parts) > room:
            self.flush()
            if self.stopped:
                return
        self._items.append(item)
        self._bytes += 100 + len(item.entry.key)
        if item.new is not None:
            # Content is a few bytes fields; the rest of a task is small and about as long as its key.
            self._bytes += 300 + 2 * len(item.entry.key) + _size(item.new.create)
            self._creates += 1
            if item.new.parts:
                self._creates += len(item.new.parts)
                self._bytes += sum(300 + _size(part) for part in item.new.parts)
        full = self._creates >= room or self._bytes >= self.ctx.settings.batch_bytes
        if full or self.ctx.out_of_time(self.deadline):
            self.flush()

    def flush(self, *, done: bool = False) -> None:
        """Commits what is pending; with `done`, the chunk's sync ends in the same commit."""
        items, self._items, self._bytes, self._creates = self._items, [], 0, 0
        if items or done:
            self._commit(items, done=done)

    def wait(self, entries: Mapping[str, Entry], doomed: int) -> None:
        """Commits what is pending, and that nothing but these deletions is left, which wait for the run's verdict."""
        self.flush()
        if not self.stopped:
            ledger = self._ledger | dict(entries)
            counts = self._counts(ledger, 0)._replace(doomed=doomed)
            self._progress([], ledger, counts, waits=True)

    def updated(
        self,
        writes: Sequence[Write],
        count: int = 0,
        *,
        entries: Mapping[str, Entry | None] = NO_ENTRIES,
        doomed: int = 0,
    ) -> None:
        """Commits updates and deletions of tasks, with the pending items before them.

        `count`: tasks that follow their object. `entries`: what the ledger says afterwards, None for nothing.
        `doomed`: how many objects these are that nobody counted yet. Raises `CommitRefusedError` on a conflict.
        """
        self.flush()
        if self.stopped:
            return
        ledger = self._ledger
        if entries:
            ledger = {key: entry for key, entry in ledger.items() if key not in entries}
            ledger |= {key: entry for key, entry in entries.items() if entry is not None}
        counts = self._counts(ledger, 0)
        counts = counts._replace(
            updated=counts.updated + count,
            doomed=counts.doomed + doomed,
            deleted=counts.deleted + len(announcing.of_deleted(writes).ids),
        )
        self._announced(writes, ledger, counts)

    def _commit(self, items: list[Item], *, done: bool) -> None:
        for salt in range(1, MAX_SALTS):
            new = [item.new for item in items if item.new is not None]
            entries = {item.entry.key: self._corrected(item.entry) for item in items}
            ledger = self._ledger | entries if entries else self._ledger
            try:
                creates = [write for one in new for write in one.writes]
                self._announced(creates, ledger, self._counts(ledger, len(new)), done=done)
                return
            except CommitRefusedError:
                items = self._adopt(items, salt)
            except InvalidDocumentError as error:
                if len(new) > 1:
                    middle = len(items) // 2
                    self._commit(items[:middle], done=False)
                    if not self.stopped:
                        self._commit(items[middle:], done=done)
                    return
                items = [self._without_task(item, error) for item in items]
        raise CommitRefusedError("tasks of other origins have all ids that this row may have")

    def _corrected(self, entry: Entry) -> Entry:
        """The entry less the rows that made no task after all."""
        correction = self._corrections.get(entry.key)
        if correction is None:
            return entry
        entry = entry._replace(tasks=entry.tasks - correction.tasks, tombs=entry.tombs + correction.tombs)
        for row, reason in correction.bad_rows:
            entry = entry.with_bad_row(row, 0, reason)
        return entry

    def _without_task(self, item: Item, error: InvalidDocumentError) -> Item:
        if item.new is None:
            return item
        row = int(item.new.create.data["row"] or 0)  # type: ignore[arg-type]
        before = self._corrections.get(item.entry.key, Correction())
        bad = (*before.bad_rows, (row, f"can't be stored: {error.message}"))
        self._corrections[item.entry.key] = Correction(before.tasks + 1, before.tombs, bad)
        return Item(None, item.entry)

    def _announced(self, writes: Sequence[Write], ledger: Ledger, counts: Counts, *, done: bool = False) -> None:
        """A commit whose news webhooks and targets learn of."""
        told = announcing.of_new(writes), announcing.of_deleted(writes)
        news = announcing.writes(self.ctx, self.holding.gate.value.project, *told)
        self._progress([*writes, *news], ledger, counts, done=done)
        announcing.send(self.ctx, news)

    def _progress(
        self, writes: Sequence[Write], ledger: Ledger, counts: Counts, *, done: bool = False, waits: bool = False
    ) -> None:
        changes: dict[str, object] = {"errors": self._errors(ledger)}
        over = done or waits
        stopping = not over and self.ctx.out_of_time(self.deadline)
        if over:
            changes |= {"seen_seq": self.holding.gate.value.run_seq, "unsettled": False}
        if done:
            changes["done_seq"] = self.holding.gate.value.run_seq
        if over or stopping:
            changes["lease_until"] = 0.0
        changed = self._changed or ledger is not self._ledger
        if changed or writes or over or stopping:
            self.holding.progress(writes, ledger if changed else None, counts, **changes)
        self._ledger, self._changed = ledger, False
        self.stopped = self.stopped or stopping

    def _counts(self, ledger: Ledger, creating: int) -> Counts:
        """What the run did in this chunk, once `ledger` is committed."""
        imported = failed = present_tasks = bad_rows = 0
        before = self.holding.chunk.counts
        gone = sum(1 for entry in ledger.values() if entry.state == "gone")
        if self._listing is None:
            return before._replace(gone=gone)
        for info in self._listing:
            entry = ledger.get(info.key)
            if entry is None:
                continue
            present_tasks += entry.tasks
            bad_rows += entry.bad_rows
            if entry.state == "failed":
                failed += 1
            elif entry.state == "imported":
                imported += 1
        created = before.created + creating
        return Counts(
            listed=len(self._listing) + self._excluded,
            excluded=self._excluded,
            imported=imported,
            failed=failed,
            created=created,
            updated=before.updated,
            existed=present_tasks - created,
            bad_rows=bad_rows,
            gone=gone,
            doomed=before.doomed,
            deleted=before.deleted,
        )

    def _errors(self, ledger: Ledger) -> tuple[str, ...]:
        if self._listing is None:
            return self.holding.chunk.errors
        lines: list[str] = []
        for info in self._listing:
            entry = ledger.get(info.key)
            if entry is not None and (entry.reason or entry.bad_rows):
                lines += entry.explain()
                if len(lines) >= MAX_ERRORS:
                    break
        return tuple(line[:400] for line in lines[:MAX_ERRORS])

    def _adopt(self, items: list[Item], salt: int) -> list[Item]:
        """Some ids are taken: by the same row (then it is ours already), or by a stranger (then the next id is)."""
        refs = [create.ref for item in items if item.new is not None for create in item.new.writes]
        found: dict[Ref, Document] = {}
        for at in range(0, len(refs), 500):
            found |= {d.ref: d for d in self.ctx.documents.get_many(refs[at : at + 500]) if d is not None}
        if not found:
            raise CommitRefusedError("a commit was refused for no reason that can be seen")
        return [self._adopted(item, found, salt) for item in items]

    def _adopted(self, item: Item, found: dict[Ref, Document], salt: int) -> Item:
        new, entry = item
        if new is None:
            return item
        settled = tasks.settled(new, found, salt)
        if isinstance(settled, NewTask):
            return Item(settled, entry)
        if settled.data.get("deleted"):  # a user deleted it: it stays deleted
            before = self._corrections.get(entry.key, Correction())
            self._corrections[entry.key] = before._replace(tasks=before.tasks + 1, tombs=before.tombs + 1)
        return Item(None, entry)


def _size(create: Create) -> int:
    return sum(len(value) for value in create.data.values() if type(value) is bytes)
