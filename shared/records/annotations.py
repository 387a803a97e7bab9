"""Annotations and predictions. Only their project and task are fields of their own: all else is opaque bytes."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

import orjson

from shared.model.annotation import Annotation, Prediction
from shared.ports import Document, DocumentStore
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
    return {"project": part.project, "task": part.task, "result": part.result, "about": orjson.dumps(about)}


class Parts(Collection[T]):
    """Annotations or predictions; a task's are those that its `annotation_ids` or `prediction_ids` name."""

    def __init__(self, documents: DocumentStore, name: str, kind: type[T]) -> None:
        known = _ABOUT[kind]

        def decode(id: str, data: Mapping[str, Any]) -> T:  # noqa: A002  the field's own name
            about = {name: value for name, value in orjson.loads(data["about"]).items() if name in known}
            return kind(id=int(id), project=data["project"], task=data["task"], result=data["result"], **about)

        super().__init__(documents, name, encode, decode)

    def of_project(self, project: int, *, after: str | None, limit: int) -> list[Stored[T]]:
        """A page of a project's, by id (as text)."""
        return self.find(("project", "==", project), after=(after,) if after else None, limit=limit)


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
