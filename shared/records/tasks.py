"""Tasks. Content is opaque JSON bytes: nested arrays, deep maps and large integers are nobody's business here.

A task names its annotations and predictions, which are documents of their own, written in the same commits as it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from shared.model.annotation import Annotation, Prediction, imported_annotation, imported_prediction, part_number
from shared.model.policies import Mark
from shared.model.task import position, position_range, position_span, task_id
from shared.ports import Create, Document, DocumentStore, Filter, Query, Ref
from shared.records import annotations

COLLECTION = "tasks"
_NO_EXTRA: Mapping[str, bytes] = {}
_KINDS = (
    (annotations.ANNOTATIONS, "annotation", "annotation_ids"),
    (annotations.PREDICTIONS, "prediction", "prediction_ids"),
)


class Origin(NamedTuple):
    """Where a task comes from; equal origin, same task."""

    map: str
    key: str
    row: int | None


def ref(task: int | str) -> Ref:
    """Names a task."""
    return Ref(COLLECTION, str(task))


class NewTask(NamedTuple):
    """A task to be made, and its parts: the annotations and predictions that came with it."""

    create: Create
    parts: tuple[Create, ...] = ()

    @property
    def writes(self) -> list[Create]:
        """All of it, for one commit."""
        return [self.create, *self.parts]


def create(
    task: int,
    *,
    project: int,
    storage: int,
    origin: Origin,
    version: str,
    now: float,
    data: bytes,
    extra: Mapping[str, bytes] = _NO_EXTRA,
    place: str = "",
    **content: Any,
) -> NewTask:
    """A new task. `extra`: JSON of "predictions", "annotations" and "meta" as far as there are any.

    `place`: sorts it among the tasks of its storage if its key does not. `content`: digest, allow_skip; what is absent
    or default is left out.
    """
    document: dict[str, Any] = {
        "project": project,
        "deleted": False,
        "position": position(storage, place or origin.key, origin.row),
        "storage": storage,
        "map": origin.map,
        "key": origin.key,
        "row": origin.row,
        "version": version,
        "created_at": now,
        "updated_at": now,
        "data": data,
    }
    if content:
        document.update(content)
    if not extra:
        return NewTask(Create(ref(task), document))
    if "meta" in extra:
        document["meta"] = extra["meta"]
    changes, parts = with_parts(task, project, extra, now, digest=content.get("digest", ""))
    return NewTask(Create(ref(task), document | changes), parts)


def with_parts(
    task: int, project: int, extra: Mapping[str, bytes], now: float, *, digest: str = "", salt: int = 0
) -> tuple[dict[str, Any], tuple[Create, ...]]:
    """What a task says of the annotations and predictions of a row, and their documents.

    Their numbers are the same whenever the same row (told by `digest`) of the same task is imported again.
    """
    changes: dict[str, Any] = {}
    parts: list[Create] = []
    if annotated := orjson.loads(extra.get("annotations") or b"[]"):
        made = [
            imported_annotation(part_number(task, "annotation", at, digest, salt), task, project, item, now)
            for at, item in enumerate(annotated)
        ]
        cancelled = sum(annotation.was_cancelled for annotation in made)
        changes |= {"annotation_ids": [annotation.id for annotation in made]}
        changes |= {"total_annotations": len(made) - cancelled, "cancelled_annotations": cancelled}
        parts += [_part(annotations.ANNOTATIONS, annotation) for annotation in made]
    if predicted := orjson.loads(extra.get("predictions") or b"[]"):
        said = [
            imported_prediction(part_number(task, "prediction", at, digest, salt), task, project, item, now)
            for at, item in enumerate(predicted)
        ]
        changes |= {"prediction_ids": [prediction.id for prediction in said], "total_predictions": len(said)}
        parts += [_part(annotations.PREDICTIONS, prediction) for prediction in said]
    return changes, tuple(parts)


def _part(collection: str, part: Annotation | Prediction) -> Create:
    return Create(Ref(collection, str(part.id)), annotations.encode(part))


def renumbered(new: NewTask, task: int, salt: int) -> NewTask:
    """The same task under other numbers, its own and its parts', since those were taken."""
    digest = str(new.create.data.get("digest", ""))
    data = dict(new.create.data)
    parts: list[Create] = []
    for collection, kind, named in _KINDS:
        mine = [part for part in new.parts if part.ref.collection == collection]
        numbers = [part_number(task, kind, at, digest, salt) for at in range(len(mine))]
        if mine:
            data[named] = numbers
        for number, part in zip(numbers, mine, strict=True):
            parts.append(Create(Ref(collection, str(number)), {**part.data, "task": task}))
    return NewTask(Create(ref(task), data), tuple(parts))


def settled(new: NewTask, found: Mapping[Ref, Document], salt: int) -> NewTask | Document:
    """What to do about a task whose commit was refused, given what of its numbers is taken.

    The document, if the task is there already; else the task to try again, under other numbers if a stranger has one.
    """
    document = found.get(new.create.ref)
    data = new.create.data
    mine = Origin(str(data["map"]), str(data["key"]), data["row"])  # type: ignore[arg-type]
    if document is not None and origin(document) == mine:
        return document
    if document is not None:
        return renumbered(new, task_id(mine.map, mine.key, mine.row, version=str(salt), salt=salt), salt)
    if any(part.ref in found for part in new.parts):
        return renumbered(new, int(new.create.ref.id), salt)
    return new


def origin(document: Document) -> Origin:
    """The origin a stored task carries."""
    data = document.data
    return Origin(data.get("map", ""), data.get("key", ""), data.get("row"))


def annotated(document: Document) -> bool:
    """Whether a person (or an imported annotation) has left work on it; such a task is never rewritten."""
    return bool(document.data.get("annotation_ids") or document.data.get("edited"))


def marked(document: Document, mark: Mark, version: str, now: float) -> dict[str, Any]:
    """The changes that mark a task, or with "" take its mark away; none if it has that mark already."""
    data = document.data
    if (data.get("mark", ""), data.get("mark_version", "")) == (mark, version):
        return {}
    return {"mark": mark, "mark_version": version, "mark_at": now if mark else 0.0}


def parts_of(document: Document) -> list[Ref]:
    """Names its annotations and predictions."""
    return [
        Ref(collection, str(number)) for collection, _kind, named in _KINDS for number in document.data.get(named) or ()
    ]


class Tasks:
    """Queries over tasks. The default order is the order of their source: storage, key, row."""

    def __init__(self, documents: DocumentStore) -> None:
        self.documents = documents

    def ref(self, task: int) -> Ref:
        """Names a task."""
        return ref(task)

    def get(self, task: int) -> Document | None:
        """A task that was not deleted, or None."""
        document = self.documents.get(ref(task))
        return None if document is None or document.data.get("deleted") else document

    def query(self, project: int, *, limit: int) -> Query:
        """The query behind pages of a project's tasks."""
        return Query(collection=COLLECTION, where=self._live(project), order=("position",), limit=limit)

    def page(
        self, project: int, *, after: tuple[Any, ...] | None, limit: int, select: tuple[str, ...] | None = None
    ) -> tuple[list[Document], Query]:
        """A page of a project's tasks, and the query, for its `cursor`."""
        query = replace(self.query(project, limit=limit), after=after, select=select)
        return self.documents.query(query), query

    def count(self, project: int) -> int:
        """How many tasks a project has."""
        everywhere = Filter("position", ">=", "")  # so that the index of `page` serves, and needs no other beside it
        return self.documents.count(Query(collection=COLLECTION, where=(*self._live(project), everywhere)))

    def count_above(self, project: int, field: str, number: int) -> int:
        """How many tasks of a project have a counter greater than `number`, which is not negative."""
        return self.documents.count(self._above(project, field, number))

    def totals(self, project: int, fields: Sequence[str]) -> dict[str, int]:
        """Sums of counters over a project's tasks; only tasks whose counter is not zero are looked at."""
        return {field: self.documents.sum(self._above(project, field, 0), [field])[field] for field in fields}

    def of_key(self, project: int, storage: int, storage_map: str, key: str) -> list[Document]:
        """All tasks of one object, deleted ones too (marked `deleted`)."""
        low, high = position_range(storage, key)
        return [
            document
            for deleted in (False, True)
            for document in self._between(project, low, high, deleted=deleted)
            if document.data["key"] == key and document.data["map"] == storage_map
        ]

    def tombstones(
        self, project: int, storage: int, storage_map: str, keys: Collection[str], *, until: float
    ) -> Iterator[Document]:
        """What users left of tasks of these objects that they deleted up to a moment. Reads tombstones only."""
        if not keys:
            return
        for document in self._between(project, *position_span(storage, min(keys), max(keys)), deleted=True):
            data = document.data
            if data["key"] in keys and data["map"] == storage_map and data["updated_at"] <= until:
                yield document

    def _between(self, project: int, low: str, high: str, *, deleted: bool) -> Iterator[Document]:
        """Tasks between two positions, without their content."""
        after = None
        while True:
            query = Query(
                collection=COLLECTION,
                where=(
                    Filter("project", "==", project),
                    Filter("deleted", "==", deleted),
                    Filter("position", ">=", low),
                    Filter("position", "<", high),
                ),
                order=("position",),
                after=after,
                limit=500,
                select=_WITHOUT_CONTENT,
            )
            page = self.documents.query(query)
            yield from page
            if len(page) < 500:
                return
            after = query.cursor(page[-1])

    def _above(self, project: int, field: str, number: int) -> Query:
        where = (*self._live(project), Filter(field, ">", number))
        return Query(collection=COLLECTION, where=where, order=(field,))

    @staticmethod
    def _live(project: int) -> tuple[Filter, ...]:
        return Filter("project", "==", project), Filter("deleted", "==", False)


_WITHOUT_CONTENT = (
    "position",
    "deleted",
    "map",
    "key",
    "row",
    "digest",
    "total_annotations",
    "cancelled_annotations",
    "annotation_ids",
    "prediction_ids",
    "edited",
    "updated_at",
    "version",
    "mark",
    "mark_version",
)
