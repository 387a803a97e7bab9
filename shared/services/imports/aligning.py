"""A file changed: its new rows are matched with the tasks of its old ones, by content.

Equal rows stay, wherever they moved. Of the rest, a new row first takes the place of an unannotated task at the same
row; otherwise it becomes a task of its own. Tasks with annotations are never rewritten: if their row is gone they are
marked with the version that changed it, until it is back; unannotated ones follow `on_deleted`. What is applied is
found again as equal, so after a crash it all starts over.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.errors import CommitRefusedError
from shared.model.ledger import Entry, State, Todo
from shared.model.policies import Mark
from shared.model.rows import BadRow, TaskRow
from shared.model.task import position
from shared.ports import Delete, Document, Update, Write
from shared.records import tasks
from shared.records.collection import weight
from shared.services.imports.batching import Item
from shared.services.imports.reading import ByteSource, read_rows

if TYPE_CHECKING:
    from shared.services.imports.importing import Importer

UPDATES = 20
"""Updates in one commit: few, since one annotator at work refuses all of them."""
MAX_WRITES = 450
"""Of one commit, predictions and annotations of the updated tasks among them."""


class Step(NamedTuple):
    """The task that a new row goes to; None: it becomes a new one."""

    task: Document | None


class Alignment:
    """Aligns one changed object with its tasks."""

    def __init__(self, importer: Importer, todo: Todo, source: ByteSource) -> None:
        self._importer = importer
        self._batch = importer.batch
        self._listed = todo.listed
        assert todo.entry is not None  # noqa: S101  only what has tasks is aligned
        self._before: Entry = todo.entry
        self._source = source
        self._writes: list[Write] = []
        self._updates = self._bytes = 0
        self._rewritten = 0
        self._tombs = 0
        self._follows = importer.policies.updates or todo.entry.state != "gone" or todo.entry.version == ""
        """False: it is back, and changes are ignored, so that its tasks stay as they were."""
        self._one_task = importer.storage.has_sidecars
        """An object is one task, also where somebody worked on it and its sidecar changed: it is marked."""
        self._held = False
        """Whether something did stay as it was, and so is left to another policy."""

    def run(self) -> None:
        """Applies the difference. Raises `CommitRefusedError` if a task changed meanwhile: then begin again."""
        ctx, storage = self._importer.ctx, self._importer.storage
        old = ctx.tasks.of_key(storage.project, storage.id, self._importer.holding.chunk.map, self._listed.key)
        self._tombs = sum(document.data["deleted"] for document in old)
        rows, whole = self._digests()
        if rows is None:
            limit = ctx.settings.max_rows_to_align
            reason = f"it changed and has more than {limit} rows, too many to compare; its tasks were left as they are"
            self._finish(self._before.tasks, reason)
            return
        steps = self._plan(old, rows)
        if whole:  # else the rows that were not found may only not have been readable
            self._part(old, {s.task.ref for s in steps.values() if s.task is not None})
        kept = self._apply(steps)
        if kept is None:
            return
        count, last = kept
        self._send()
        if not self._batch.stopped:
            self._finish(self._before.tasks if last.reason else count, last.reason, last)

    def _digests(self) -> tuple[dict[int | None, str] | None, bool]:
        """The digest of each new row, None if there are too many; and whether the file could be read to its end."""
        digests: dict[int | None, str] = {}
        whole = True
        settings = self._importer.ctx.settings
        for row in read_rows(self._source, max_row_bytes=settings.max_row_bytes):
            if isinstance(row, TaskRow):
                digests[row.index] = row.digest
                if len(digests) > settings.max_rows_to_align:
                    return None, False
            elif row.fatal or row.index is None:
                whole = False
        return digests, whole

    def _plan(self, old: list[Document], rows: dict[int | None, str]) -> dict[int | None, Step]:
        """A step for each new row; every old task is used at most once."""
        by_digest: dict[str, list[Document]] = defaultdict(list)
        by_row: dict[int | None, list[Document]] = defaultdict(list)
        for document in old:
            by_digest[document.data.get("digest", "")].append(document)
            # Another task had taken its row before a user deleted it.
            left_behind = document.data["deleted"] and document.data.get("mark") == "source_changed"
            if (not tasks.annotated(document) or self._one_task) and not left_behind:
                by_row[document.data["row"]].append(document)
        steps: dict[int | None, Step] = {}
        used = set()
        for row, digest in rows.items():  # in place first
            same = [d for d in by_digest[digest] if d.data["row"] == row and d.ref not in used]
            if same:
                steps[row] = Step(same[0])
                used.add(same[0].ref)
        for row, digest in rows.items():  # then wherever it moved
            if row in steps:
                continue
            candidates = by_digest[digest]
            while candidates and candidates[-1].ref in used:
                candidates.pop()
            if candidates:
                steps[row] = Step(candidates[-1])
                used.add(candidates.pop().ref)
        for row in rows:  # then the task at the same row, unless somebody worked on it
            if row not in steps:
                there = next((d for d in by_row[row] if d.ref not in used), None)
                steps[row] = Step(there)
                if there is not None:
                    used.add(there.ref)
        return steps

    def _apply(self, steps: dict[int | None, Step]) -> tuple[int, Entry] | None:
        """Writes what differs. Returns how many tasks the file has now, and its entry; None if out of time."""
        now = self._importer.ctx.clock()
        entry = Entry(self._listed.key, self._listed.version, self._listed.size, self._listed.modified)
        count = 0
        for row in read_rows(self._source, max_row_bytes=self._importer.ctx.settings.max_row_bytes):
            if self._batch.stopped:
                return None
            if isinstance(row, BadRow):
                entry = self._importer.with_bad_row(entry, row)
                continue
            task = steps[row.index].task
            if task is None:
                create = self._importer.create_row(self._listed, row, version=self._listed.version)
                self._batch.add(Item(create, self._before))
                count += 1
                continue
            count += not task.data["deleted"]
            writes = self._changes(task, row, now)
            if len(writes) > MAX_WRITES:
                emptied = self._emptied(task)
                if emptied is None:
                    return None
                writes = self._changes(emptied, row, now)
            if writes:
                self._add(writes, rewritten="data" in writes[0].changes)
        return None if self._batch.stopped else (count, entry)

    def _changes(self, task: Document, row: TaskRow, now: float) -> list[Any]:
        """The writes that make the task what its row says: itself first, then its parts."""
        if task.data["deleted"]:
            return []
        same = task.data.get("digest") == row.digest
        changes: dict[str, Any] = tasks.marked(task, "", "", now)
        if task.data["row"] != row.index and not tasks.annotated(task):
            at = position(self._importer.storage.id, self._listed.key, row.index)
            changes |= {"row": row.index, "position": at, "updated_at": now}
        parts: list[Write] = []
        if not same and not self._follows:
            self._held = True
        elif not same and tasks.annotated(task):
            changes = tasks.marked(task, "source_changed", self._listed.version, now)
        elif not same:
            empty = {"total_annotations": 0, "cancelled_annotations": 0, "total_predictions": 0}
            project = self._importer.storage.project
            said, made = tasks.with_parts(int(task.ref.id), project, row.extra, now, digest=row.digest)
            parts = [*(Delete(old, None) for old in tasks.parts_of(task)), *made]
            changes |= {
                **empty,
                "annotation_ids": [],
                "prediction_ids": [],
                **said,
                "meta": row.extra.get("meta", b""),
                "data": row.data,
                "digest": row.digest,
                "version": self._listed.version,
                "allow_skip": row.allow_skip,
                "updated_at": now,
            }
        return [Update(task.ref, changes, task.revision), *parts] if changes else []

    def _emptied(self, task: Document) -> Document | None:
        """The task without its predictions, where one commit can't hold them and the new ones; None if out of time.

        Without a digest it is no row's task as it is: whoever goes on from here rewrites it. Raises
        `CommitRefusedError` if somebody worked on it.
        """
        self._send()
        nothing: dict[str, Any] = {"prediction_ids": [], "total_predictions": 0, "digest": ""}
        gone = [Delete(old, None) for old in tasks.parts_of(task)]
        self._batch.updated([Update(task.ref, nothing, task.revision), *gone], 0)
        if self._batch.stopped:
            return None
        found = self._importer.ctx.documents.get(task.ref)
        if found is None or found.data["deleted"] or tasks.annotated(found) or found.data["prediction_ids"]:
            raise CommitRefusedError("the task was changed meanwhile")
        return found

    def _part(self, old: list[Document], used: set[object]) -> None:
        """What becomes of tasks whose row is no longer there as it was.

        Annotated ones are marked; to the others the row is gone, for which there is a policy. The file was read whole,
        at one version, so that a row that is not in it needs no other proof.
        """
        policies, now = self._importer.policies, self._importer.ctx.clock()
        for document in old:
            if document.ref in used or document.data["deleted"]:
                continue
            if not self._follows:
                self._held = True
                self._mark(document, "", "", now)
            elif tasks.annotated(document):
                self._mark(document, "source_changed", self._listed.version, now)
            elif policies.deletes:
                parts = (Delete(part, None) for part in tasks.parts_of(document))
                self._add([Delete(document.ref, document.revision), *parts])
            elif policies.on_deleted == "mark":
                self._mark(document, "source_deleted", self._before.version, now)

    def _mark(self, document: Document, mark: Mark, version: str, now: float) -> None:
        if mark == "source_deleted" and document.data.get("mark") == mark:
            return  # with the version that it was last seen in
        if changes := tasks.marked(document, mark, version, now):
            self._add([Update(document.ref, changes, document.revision)])

    def _add(self, writes: list[Write], *, rewritten: bool = False) -> None:
        """Takes the writes of one task; what is full is sent before."""
        size = sum(map(weight, writes))
        if len(self._writes) + len(writes) > MAX_WRITES or self._bytes + size > self._importer.ctx.settings.batch_bytes:
            self._send()
        self._writes += writes
        self._bytes += size
        self._rewritten += rewritten
        self._updates += 1
        if self._updates >= UPDATES:
            self._send()

    def _send(self) -> None:
        writes, self._writes, self._updates, self._bytes = self._writes, [], 0, 0
        rewritten, self._rewritten = self._rewritten, 0
        if writes and not self._batch.stopped:
            self._batch.updated(writes, rewritten)

    def _finish(self, count: int, reason: str, entry: Entry | None = None) -> None:
        listed = self._listed
        shape = self._importer.shape
        entry = entry or Entry(listed.key, listed.version, listed.size, listed.modified, shape=shape)
        state: State = "failed" if reason else "imported"
        version = self._before.version if self._held else entry.version
        entry = entry._replace(state=state, version=version, tasks=count, tombs=self._tombs)
        self._batch.add(Item(None, entry._replace(rows=0, offset=0, reason=reason)))
