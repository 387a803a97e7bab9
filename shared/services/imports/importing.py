"""Makes tasks of a chunk's objects, as `diff` planned. A failure has a size: a row, an object, the run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from shared.errors import (
    AccessDeniedError,
    CommitRefusedError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
    UnusableObjectError,
    VersionMismatchError,
)
from shared.model.ledger import MAX_TEXT, Diff, Entry, Ledger, ObjectInfo, State, Todo
from shared.model.rows import BadRow, Checkpoint, TaskRow, extension, readable_extension
from shared.model.run import Run
from shared.model.sidecars import SUFFIX
from shared.model.storage import Storage
from shared.model.task import blob_data, task_id
from shared.ports import ObjectStore
from shared.records import tasks
from shared.records.tasks import NewTask
from shared.services.context import Context
from shared.services.imports.aligning import Alignment
from shared.services.imports.batching import Batcher, Item
from shared.services.imports.fetching import Fetched, fetch
from shared.services.imports.reading import ByteSource, RangedSource, WholeBytes, read_rows
from shared.services.imports.retiring import Retirer
from shared.services.imports.sidecars import Sidecars
from shared.services.sync.holding import Holding

_NONE: Mapping[str, ObjectInfo] = MappingProxyType({})
ATTEMPTS = 3
"""Times an object that changes while it is read, or its tasks while they are aligned, is begun again."""


class Importer:
    """Imports what is new or changed in one held chunk, and ends the chunk's sync when all is done."""

    def __init__(
        self,
        ctx: Context,
        holding: Holding,
        storage: Storage,
        store: ObjectStore,
        deadline: float,
        run: Run | None = None,
    ) -> None:
        self.ctx = ctx
        self.holding = holding
        self.storage = storage
        self.store = store
        self.policies = storage.policies
        self.run_value = run
        """The run that this is work for; None for work on a hint."""
        self.batch = Batcher(ctx, holding, deadline)
        self._addresses = storage.blob_mode and not storage.has_sidecars
        self._sidecars: Sidecars | None = None
        self.shape = storage.shape
        self._now = ctx.clock()
        self._retirer = Retirer(self)

    def run(
        self, plan: Diff, listing: Sequence[ObjectInfo], excluded: int, sidecars: Mapping[str, ObjectInfo] = _NONE
    ) -> None:
        """Imports, then marks the chunk done; or stops in time, with all that was finished committed.

        Raises what ends the work on this chunk: `ChunkLostError`, or a `StoreError` of the bucket as a whole.
        """
        self.batch.begin(self._settled(plan), listing, excluded)
        if self.storage.has_sidecars:
            self._sidecars = Sidecars(self.ctx, self.store, sidecars)
        try:
            if self._addresses:
                self._import_addresses(plan.todo)
            else:
                self._import_files(plan.todo)
            settled = self.batch.stopped or self._retirer.settle(plan.owed)
        except StoreUnavailableError:
            self.batch.flush()
            raise
        if settled and not self.batch.stopped:
            self.batch.flush(done=True)

    def settle(self, owed: Sequence[Entry]) -> None:
        """Does nothing but what waited for the run's verdict; nothing is listed."""
        self.batch.begin(self.holding.ledger, None, 0)
        if self._retirer.settle(owed) and not self.batch.stopped:
            self.batch.flush(done=True)

    def _settled(self, plan: Diff) -> Ledger:
        """The ledger with what went and what came back."""
        if not plan.gone and not plan.back:
            return self.holding.ledger
        ledger = dict(self.holding.ledger)
        for entry in plan.back:
            ledger[entry.key] = entry._replace(state="imported", applied="")
        for entry in plan.gone:
            if not entry.tasks and not entry.tombs:
                del ledger[entry.key]
            else:
                # A file that was not imported whole is begun again, by its rows, should it come back.
                version = "" if entry.state in {"partial", "failed"} else entry.version
                ledger[entry.key] = entry._replace(state="gone", version=version)
        return ledger

    # ------------------------------------------------------------------------------------------- blob mode

    def _import_addresses(self, todos: Iterable[Todo]) -> None:
        known: list[Todo] = []
        for todo in todos:
            if self.batch.stopped:
                return
            listed, entry = todo.listed, todo.entry
            if listed.problem:
                self.batch.add(self._failed(listed, entry, listed.problem))
            elif entry is not None and (entry.tasks or entry.tombs or todo.kind == "back"):
                known.append(todo)
            else:
                self.add_address(listed)
        if not self.batch.stopped:
            self._retirer.refresh(known)

    def add_address(self, listed: ObjectInfo) -> None:
        """Makes the task of an object that is one."""
        key = listed.key
        create = self._create(key, None, listed.version, blob_data(self.store.uri(key)))
        self.batch.add(Item(create, Entry(key, listed.version, listed.size, listed.modified, tasks=1)))

    # ------------------------------------------------------------------------------------------- file mode

    def _import_files(self, todos: Sequence[Todo]) -> None:
        as_they_were = [todo for todo in todos if self._only_marked(todo)]
        self._retirer.refresh(as_they_were)
        stay = {todo.listed.key for todo in as_they_were}
        readable = [todo for todo in todos if todo.listed.key not in stay and self._worth_reading(todo)]
        careful = self.holding.chunk.crashes > 2 or bool(self.holding.chunk.trying)
        if careful:
            self._import_carefully(readable)
            return
        for todo, got in self._fetch(readable):
            if self.batch.stopped:
                return
            if got is None:
                self._suspect(todo)
            self._import_object(todo, got)

    def _import_carefully(self, todos: Iterable[Todo]) -> None:
        """One object at a time, named before it is begun: one that kills its worker again and again is set aside."""
        suspect, crashes = self.holding.chunk.trying, self.holding.chunk.crashes
        for todo in todos:
            if self.batch.stopped:
                return
            if todo.listed.key == suspect and crashes >= self.ctx.settings.max_crashes:
                reason = f"it stopped the worker {crashes} times (too large to parse?) and is left out until it changes"
                self.batch.add(self._failed(todo.listed, todo.entry, reason))
                continue
            self._suspect(todo)
            for _, got in self._fetch([todo]):
                self._import_object(todo, got)

    def _fetch(self, todos: Sequence[Todo]) -> Iterator[Fetched]:
        return self._sidecars.fetch(todos) if self._sidecars else fetch(self.ctx, self.store, todos)

    def _suspect(self, todo: Todo) -> None:
        self.batch.flush()
        if not self.batch.stopped:
            self.holding.commit(trying=todo.listed.key)

    def _only_marked(self, todo: Todo) -> bool:
        """Whether it is back and its tasks stay as they are, whatever it holds now."""
        entry = todo.entry
        stays = entry is not None and entry.applied == "mark" and bool(entry.version)
        return stays and todo.kind == "back" and not self.policies.updates and not todo.listed.problem

    def _worth_reading(self, todo: Todo) -> bool:
        """Whether to read it at all; if not, says why in the ledger."""
        key = todo.listed.key
        if todo.listed.problem:
            self.batch.add(self._failed(todo.listed, todo.entry, todo.listed.problem))
        elif self._sidecars is None and not readable_extension(key):
            reason = (
                f'".{extension(key)[:20]}" is no file of tasks (JSON, JSONL or Parquet). If these are the things to '
                "label, turn use_blob_urls on; if not, leave them out with regex_filter"
            )
            self.batch.add(self._failed(todo.listed, todo.entry, reason))
        else:
            return True
        return False

    def _import_object(self, todo: Todo, got: bytes | StoreError | None) -> None:
        for _ in range(ATTEMPTS):
            if self.batch.stopped:
                return
            try:
                if isinstance(got, StoreError):
                    raise got
                self._import_rows(todo, self._source(todo.listed, got))
            except VersionMismatchError:
                # Overwritten since it was listed: what is there now is imported, as the version it is.
                todo, got = self._again(todo, self.batch.restart(todo.listed.key))
            except StoreUnavailableError:
                raise
            except StoreError as error:
                self._object_failed(todo, error)
                return
            except _ChangedMeanwhileError:
                todo, got = todo._replace(entry=self.batch.restart(todo.listed.key)), None
            else:
                return
        entry = self.batch.latest(todo.listed.key)
        self.batch.add(self._failed(todo.listed, entry, "it changes faster than it can be read", transient=True))

    def _again(self, todo: Todo, entry: Entry | None) -> Fetched:
        if self._sidecars:
            return self._sidecars.again(todo, entry)
        try:
            return Todo(self.store.stat(todo.listed.key).info, "changed", entry), None
        except ObjectNotFoundError as error:
            return todo, error

    def _source(self, listed: ObjectInfo, got: bytes | None) -> ByteSource:
        if self._sidecars and got is not None:
            return WholeBytes(f"{listed.key}{SUFFIX}", got)  # a row that was made here
        if got is not None:
            return WholeBytes(listed.key, got)
        return RangedSource(self.store, listed.key, listed.version, listed.size)

    def _object_failed(self, todo: Todo, error: StoreError) -> None:
        """One object's fault, unless the bucket as a whole turns out to be out of reach."""
        if not isinstance(error, ObjectNotFoundError | UnusableObjectError):
            self.store.check(todo.listed.key)  # some may list their prefix alone
        reason = "it went between listing and reading" if isinstance(error, ObjectNotFoundError) else error.message
        if isinstance(error, AccessDeniedError):
            reason = f"it may be listed but not read: {error.message}"
        entry = self.batch.latest(todo.listed.key)  # rows may have become tasks before it failed
        transient = not isinstance(error, UnusableObjectError)
        self.batch.add(self._failed(todo.listed, entry, reason, transient=transient))

    def _import_rows(self, todo: Todo, source: ByteSource) -> None:
        listed, before = todo.listed, todo.entry
        entry = Entry(listed.key, listed.version, listed.size, listed.modified, "partial")
        if before is not None and before.state == "partial" and before.version == listed.version:
            entry = before
        elif before is not None and (before.tasks or before.tombs or before.applied):
            # Also after a failure at this very version: its tasks may be of an earlier one.
            self._align(todo, source)
            return
        start = Checkpoint(entry.rows, entry.offset)
        for row in read_rows(source, start=start, max_row_bytes=self.ctx.settings.max_row_bytes):
            if self.batch.stopped:
                return
            if isinstance(row, BadRow):
                entry = self.with_bad_row(entry, row)
                self.batch.add(Item(None, entry))
            else:
                entry = entry._replace(tasks=entry.tasks + 1, rows=row.after.row, offset=row.after.offset)
                self.batch.add(Item(self.create_row(listed, row), entry))
        if not self.batch.stopped:
            state: State = "failed" if entry.reason else "imported"
            self.batch.add(Item(None, entry._replace(state=state, rows=0, offset=0)))

    def with_bad_row(self, entry: Entry, row: BadRow) -> Entry:
        """The entry after a bad row: noted on it, or, where the rest of the file is lost, its own failure."""
        after = entry._replace(rows=row.after.row, offset=row.after.offset)
        if row.fatal or row.index is None:
            return after._replace(reason=row.reason[:MAX_TEXT], shape=self.shape)
        return after.with_bad_row(row.index, row.line or 0, row.reason)

    def create_row(self, listed: ObjectInfo, row: TaskRow, *, version: str = "") -> NewTask:
        """The task of a row. `version`: the row came with a changed file, which makes it another row."""
        content: dict[str, Any] = {"digest": row.digest}
        if not row.allow_skip:
            content["allow_skip"] = False
        if row.extra:
            content["extra"] = row.extra
        return self._create(listed.key, row.index, listed.version, row.data, salt_version=version, **content)

    def _create(
        self, key: str, row: int | None, version: str, data: bytes, *, salt_version: str = "", **content: Any
    ) -> NewTask:
        storage_map = self.holding.chunk.map
        return tasks.create(
            task_id(storage_map, key, row, version=salt_version),
            project=self.storage.project,
            storage=self.storage.id,
            origin=tasks.Origin(storage_map, key, row),
            version=version,
            now=self._now,
            data=data,
            **content,
        )

    def _align(self, todo: Todo, source: ByteSource) -> None:
        try:
            Alignment(self, todo, source).run()
        except CommitRefusedError:
            raise _ChangedMeanwhileError from None  # a person saved an annotation: look again

    def _failed(self, listed: ObjectInfo, entry: Entry | None, reason: str, *, transient: bool = False) -> Item:
        """The object failed; tasks that it made earlier stay."""
        kept = entry.tasks if entry is not None else 0
        failed = Entry(listed.key, listed.version, listed.size, listed.modified, "failed", kept)
        failed = failed._replace(tombs=entry.tombs if entry is not None else 0)
        return Item(None, failed._replace(reason=reason[:MAX_TEXT], transient=transient, shape=self.shape))


class _ChangedMeanwhileError(Exception):
    """Tasks of the object were changed by people while it was aligned."""
