"""Tasks of objects that went, came back, or changed behind an address: marked, deleted, or let alone, by policy.

A task that somebody worked on is only ever marked. Every write expects the task's revision, so whoever saves an
annotation in the same moment wins, and the task is looked at again.

**Gone must be earned.** An object is gone if a listing that ended cleanly lacks it and, before a task is deleted,
`stat` does not find it either. If more than `deletion_floor` objects and more than `deletion_share` of all would go,
none does. How that is known:

- *In a run* nothing is deleted before all of the bucket was seen: a chunk counts what would go (`doomed`) and waits.
  The last to be seen leads to one verdict for the run (`runs.finalise`), and the chunks that wait, those alone, are
  looked at once more. So a run deletes what it counted, and never more than the limit.
- *In event work* what its chunk's last run and all event work since then counted is summed up. Two workers at once may
  each miss what the other is about to do: the limit may be exceeded by the entries of the chunks worked on at the same
  moment. Beyond the limit tasks are marked, and the next run decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from shared.errors import CommitRefusedError, StoreUnavailableError
from shared.model.ledger import Entry, Todo
from shared.model.policies import Applied, most_deletions
from shared.model.task import task_id
from shared.ports import Delete, Document, Update, Write
from shared.records import tasks
from shared.services.imports.fetching import absent

if TYPE_CHECKING:
    from shared.services.imports.importing import Importer

GROUP, HELD = 100, 10_000
"""Objects, and tasks of them, that are looked at together."""
FEW = 20
"""Tasks of one commit: few, since one annotator at work refuses all of them."""
MAX_WRITES = 440
ATTEMPTS = 5


class Step(NamedTuple):
    """What is to be done for one object: writes, those of each task together, and what the ledger says then."""

    key: str
    writes: list[list[Write]]
    entry: Entry | None
    updated: int = 0


Again = Callable[[Entry], Step]
"""Looks at an object's tasks again, and decides again."""


class Retirer:
    """Applies the policies in one held chunk."""

    def __init__(self, importer: Importer) -> None:
        self._importer = importer
        self._batch = importer.batch
        self._ctx = importer.ctx
        self._now = importer.ctx.clock()

    # ----------------------------------------------------------------------------------------------- gone

    def settle(self, owed: Sequence[Entry]) -> bool:
        """Applies `on_deleted` to what is gone; False if that waits for the verdict of the run."""
        holding, run = self._importer.holding, self._importer.run_value
        if not owed:
            return True
        if not self._importer.policies.deletes:
            self._apply(owed, "mark")
            return True
        seq = holding.gate.value.run_seq
        rest: Sequence[Entry] = owed
        if run is not None and holding.chunk.done_seq < seq:
            if not run.deletions:
                awaiting = {it.key: it._replace(state="gone", applied="awaiting") for it in owed}
                self._batch.wait(awaiting, len(owed))
                return False
            if holding.chunk.seen_seq == seq:
                counted = [entry for entry in owed if entry.applied == "awaiting"]
                self._apply(counted, "delete_unannotated" if run.deletions == "allowed" else "mark")
                rest = [entry for entry in owed if entry.applied == ""]  # went meanwhile
        if rest and not self._batch.stopped:
            self._apply(rest, "delete_unannotated" if self._few(len(rest)) else "mark", doomed=1)
        return True

    def _few(self, more: int) -> bool:
        """Whether so many objects may go in event work."""
        chunk, settings = self._importer.holding.chunk, self._ctx.settings
        sums = self._ctx.chunks.sums(chunk.map, chunk.run_seq)
        doomed = sums.doomed + more
        known = sums.listed - sums.excluded + doomed
        return doomed <= most_deletions(known, settings.deletion_floor, settings.deletion_share)

    def _apply(self, entries: Sequence[Entry], applied: Applied, *, doomed: int = 0) -> None:
        deleting = applied == "delete_unannotated"
        for group in _groups([entry for entry in entries if entry.applied != applied]):
            if self._batch.stopped:
                return
            if deleting:
                gone = absent(self._ctx, self._importer.store, [entry.key for entry in group])
                there = [entry for entry in group if entry.key not in gone]
                if there:  # listed too early, or not whole: the next listing tells
                    self._batch.updated([], entries={it.key: it._replace(state="gone", applied="mark") for it in there})
                group = [entry for entry in group if entry.key in gone]
            found = self._tasks_of([entry.key for entry in group])
            steps = [self._retire(entry, found[entry.key], applied) for entry in group]
            self._commit(steps, self._retiring(applied), doomed=doomed if deleting else 0)

    def _retiring(self, applied: Applied) -> Again:
        return lambda entry: self._retire(entry, self._tasks_of([entry.key])[entry.key], applied)

    def _retire(self, entry: Entry, found: Sequence[Document], applied: Applied) -> Step:
        writes: list[list[Write]] = []
        left = 0
        for task in found:
            if task.data["deleted"]:
                continue
            if applied == "delete_unannotated" and not tasks.annotated(task):
                parts = [Delete(part, None) for part in tasks.parts_of(task)]
                writes.append([Delete(task.ref, task.revision), *parts])
                continue
            left += 1
            if changes := tasks.marked(task, "source_deleted", entry.version, self._now):
                writes.append([Update(task.ref, changes, task.revision)])
        tombs = sum(task.data["deleted"] for task in found)
        if applied == "delete_unannotated" and not left and not tombs:
            return Step(entry.key, writes, None)
        after = entry._replace(state="gone", applied=applied, tasks=left, tombs=tombs)
        return Step(entry.key, writes, after)

    # ------------------------------------------------------------------------- changed and back, blob mode

    def refresh(self, todos: Sequence[Todo]) -> None:
        """Tasks that hold an address whose object changed or is back: they stay, but stand for the new version."""
        for group in _groups(todos):
            if self._batch.stopped:
                return
            found = self._tasks_of([todo.listed.key for todo in group])
            anew = [todo for todo in group if not found[todo.listed.key]]
            for todo in anew:  # their tasks went with the object
                self._importer.add_address(todo.listed)
            steps = [self._refreshed(todo, found[todo.listed.key]) for todo in group if found[todo.listed.key]]
            self._commit(steps, self._refreshing({todo.listed.key: todo for todo in group}))

    def _refreshing(self, todos: Mapping[str, Todo]) -> Again:
        return lambda entry: self._refreshed(todos[entry.key], self._tasks_of([entry.key])[entry.key])

    def _refreshed(self, todo: Todo, found: Sequence[Document]) -> Step:
        listed, before = todo.listed, todo.entry
        assert before is not None  # noqa: S101  what has tasks has an entry
        follows = self._importer.policies.updates
        writes: list[list[Write]] = []
        updated = 0
        live = [task for task in found if not task.data["deleted"]]
        for task in live:
            stale = follows and task.data["version"] != listed.version
            if stale and not tasks.annotated(task):
                changes = tasks.marked(task, "", "", 0.0) | {"version": listed.version, "updated_at": self._now}
                updated += 1
            else:
                changes = tasks.marked(task, *(("source_changed", listed.version) if stale else ("", "")), self._now)
            if changes:
                writes.append([Update(task.ref, changes, task.revision)])
        held = not follows and before.version != "" and bool(live)
        entry = Entry(listed.key, before.version if held else listed.version, listed.size, listed.modified)
        entry = entry._replace(tasks=len(live), tombs=len(found) - len(live))
        return Step(listed.key, writes, entry, updated)

    # ---------------------------------------------------------------------------------------------- shared

    def _tasks_of(self, keys: Sequence[str]) -> dict[str, list[Document]]:
        """All tasks of objects, with those that users deleted. In blob mode that is one read of many."""
        project, storage = self._importer.storage.project, self._importer.storage.id
        storage_map = self._importer.holding.chunk.map
        found: dict[str, list[Document]] = {}
        if self._importer.storage.blob_mode:
            refs = [tasks.ref(task_id(storage_map, key, None)) for key in keys]
            for key, document in zip(keys, self._ctx.documents.get_many(refs), strict=True):
                if document is not None and tasks.origin(document) == tasks.Origin(storage_map, key, None):
                    found[key] = [document]
        for key in keys:
            if key not in found:
                found[key] = self._ctx.tasks.of_key(project, storage, storage_map, key)
        return found

    def _commit(self, steps: Sequence[Step], again: Again, *, doomed: int = 0) -> None:
        """Commits steps, few together; where somebody is at work, one by one, looked at again."""
        some: list[Step] = []
        for step in steps:
            if some and (sum(len(it.writes) for it in some) + len(step.writes) > FEW):
                self._send(some, again, doomed)
                some = []
            some.append(step)
        if some:
            self._send(some, again, doomed)

    def _send(self, steps: Sequence[Step], again: Again, doomed: int) -> None:
        if self._batch.stopped:
            return
        try:
            self._write(steps, doomed)
        except CommitRefusedError:
            for step in steps:
                self._alone(step, again, doomed)

    def _alone(self, step: Step, again: Again, doomed: int) -> None:
        for _ in range(ATTEMPTS):
            if self._batch.stopped:
                return
            before = self._batch.known(step.key)
            if before is None:
                return
            step = again(before)
            try:
                self._write([step], doomed)
            except CommitRefusedError:
                continue
            return
        raise StoreUnavailableError(f"the tasks of {step.key} are being changed by others all the time")

    def _write(self, steps: Sequence[Step], doomed: int) -> None:
        """All of it in one commit; where one object has too many tasks for that, the last of several settles it."""
        writes: list[Write] = []
        for of_task in (of_task for step in steps for of_task in step.writes):
            if writes and len(writes) + len(of_task) > MAX_WRITES:
                self._batch.updated(writes)
                writes = []
                if self._batch.stopped:
                    return
            writes += of_task
        self._batch.updated(
            writes,
            sum(step.updated for step in steps),
            entries={step.key: step.entry for step in steps},
            doomed=doomed * len(steps),
        )


T = TypeVar("T", Entry, Todo)


def _groups(items: Sequence[T]) -> Iterator[list[T]]:
    """Objects in turn, as many together as their tasks may be held at once; one alone may have more."""
    group: list[T] = []
    held = 0
    for item in items:
        entry = item.entry if isinstance(item, Todo) else item
        more = entry.tasks + entry.tombs if entry is not None else 0
        if group and (len(group) >= GROUP or held + more > HELD):
            yield group
            group, held = [], 0
        group.append(item)
        held += more
    if group:
        yield group
