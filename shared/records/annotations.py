"""Annotations and predictions. Only what queries look at is a field of its own: all else is opaque bytes."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

import orjson

from shared.model.annotation import Annotation, Prediction
from shared.ports import Document, DocumentStore, Filter, Query
from shared.records.collection import Collection, Stored

T = TypeVar("T", bound=Annotation | Prediction)
ANNOTATIONS, PREDICTIONS = "annotations", "predictions"
_APART = frozenset({"id", "project", "task", "result"})
_ABOUT: dict[type[Any], tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind) if field.name not in _APART) for kind in (Annotation, Prediction)
}


def encode(part: Annotation | Prediction) -> dict[str, Any]:
    """The fields of the document."""
    about = {name: getattr(part, name) for name in _ABOUT[type(part)]}
    document = {"project": part.project, "task": part.task, "result": part.result, "about": orjson.dumps(about)}
    if isinstance(part, Annotation):
        document |= {"completed_by": part.completed_by, "ground_truth": part.ground_truth and not part.was_cancelled}
    return document


class Parts(Collection[T]):
    """Annotations or predictions; a task's are those that its `annotation_ids` or `prediction_ids` name."""

    def __init__(self, documents: DocumentStore, name: str, kind: type[T]) -> None:
        known = _ABOUT[kind]

        def decode(id: str, data: Mapping[str, Any]) -> T:  # noqa: A002  the field's own name
            about = {name: value for name, value in orjson.loads(data["about"]).items() if name in known}
            return kind(id=int(id), project=data["project"], task=data["task"], result=data["result"], **about)

        super().__init__(documents, name, encode, decode, maps=("about",))

    def of_project(self, project: int, *, after: str | None, limit: int) -> list[Stored[T]]:
        """A page of a project's, by id (as text)."""
        return self.find(("project", "==", project), after=(after,) if after else None, limit=limit)


def ground_truths(documents: DocumentStore, project: int) -> int:
    """How many annotations of a project are the ground truth; cancelled ones are not."""
    where = (Filter("project", "==", project), Filter("ground_truth", "==", True))
    return documents.count(Query(collection=ANNOTATIONS, where=where))


def annotators(documents: DocumentStore, project: int, limit: int) -> list[int]:
    """Who annotated tasks of a project, the first so many, by number. A query for each, none for each annotation."""
    found: list[int] = []
    while len(found) < limit:
        where = (Filter("project", "==", project), Filter("completed_by", ">", found[-1] if found else 0))
        query = Query(collection=ANNOTATIONS, where=where, order=("completed_by",), limit=1, select=("completed_by",))
        page = documents.query(query)
        if not page:
            break
        found.append(int(page[0].data["completed_by"]))
    return found


def annotations(documents: DocumentStore) -> Parts[Annotation]:
    """All annotations."""
    return Parts(documents, ANNOTATIONS, Annotation)


def predictions(documents: DocumentStore) -> Parts[Prediction]:
    """All predictions."""
    return Parts(documents, PREDICTIONS, Prediction)


def annotation_ids(task: Document) -> list[int]:
    """Numbers of the task's annotations, cancelled ones too, oldest first."""
    return list(task.data.get("annotation_ids") or ())


def prediction_ids(task: Document) -> list[int]:
    """Numbers of the task's predictions, oldest first."""
    return list(task.data.get("prediction_ids") or ())
