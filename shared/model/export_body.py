"""What targets are given: an annotation with its task, or a task with its annotations, as Label Studio writes them."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from shared.model.annotation import Annotation
from shared.model.project import Project
from shared.model.task import UNDEFINED, named_data
from shared.model.times import ago, moment
from shared.model.user import User

People = Mapping[int, User]
Task = Mapping[str, Any]
"""The fields of a task's document."""
CONTENT_TYPE = "application/json"
_NAMES = uuid.UUID("5c2f2f8e-6f0b-4c53-9a06-0f5f6d3c2b11")


def annotation_body(
    annotation: Annotation, number: int, task: Task, project: Project, people: People, now: float
) -> bytes:
    """An object in annotation format: the annotation, and in it the task, with data as it is stored."""
    by = people.get(annotation.completed_by or 0)
    return orjson.dumps(
        {
            "id": annotation.id,
            "result": orjson.Fragment(annotation.result),
            "created_username": by.signature if by else "",
            "created_ago": ago(annotation.created_at, now),
            "completed_by": _person(annotation.completed_by, by),
            "task": {
                **_task(number, task, project),
                "is_labeled": (task.get("total_annotations") or 0) >= project.maximum_annotations,
                "overlap": project.maximum_annotations,
                "precomputed_agreement": None,
                "file_upload": None,
            },
            **about(annotation),
            "project": project.id,
            "updated_by": annotation.updated_by,
            "parent_prediction": annotation.parent_prediction,
            "parent_annotation": annotation.parent_annotation,
            "last_created_by": annotation.last_created_by,
        }
    )


def task_body(number: int, task: Task, annotations: Sequence[Annotation], project: Project, people: People) -> bytes:
    """An object in task format: the task with all its annotations. It can be imported again."""
    return orjson.dumps(
        {
            "id": number,
            "annotations": [
                {
                    "id": annotation.id,
                    "completed_by": _person(annotation.completed_by, people.get(annotation.completed_by or 0)),
                    "result": orjson.Fragment(annotation.result),
                    **about(annotation),
                    "prediction": {},
                    "result_count": len(orjson.loads(annotation.result)),
                    "unique_id": annotation.unique_id or str(uuid.uuid5(_NAMES, str(annotation.id))),
                    "task": number,
                    "project": project.id,
                    "updated_by": annotation.updated_by,
                    "parent_prediction": annotation.parent_prediction,
                    "parent_annotation": annotation.parent_annotation,
                    "last_created_by": annotation.last_created_by,
                }
                for annotation in annotations
            ],
            "drafts": [],
            "predictions": list(task.get("prediction_ids") or ()),
            **_task(number, task, project),
        }
    )


def about(annotation: Annotation) -> dict[str, Any]:
    """The fields that answers and targets write of an annotation alike."""
    return {
        "was_cancelled": annotation.was_cancelled,
        "ground_truth": annotation.ground_truth,
        "created_at": moment(annotation.created_at),
        "updated_at": moment(annotation.updated_at),
        "draft_created_at": moment(annotation.draft_created_at),
        "lead_time": annotation.lead_time,
        "import_id": annotation.import_id,
        "last_action": annotation.last_action,
        "bulk_created": annotation.bulk_created,
    }


def _task(number: int, task: Task, project: Project) -> dict[str, Any]:
    stored: bytes = task["data"]
    named = UNDEFINED.encode() in stored
    return {
        "id": number,
        "data": named_data(orjson.loads(stored), project.data_key) if named else orjson.Fragment(stored),
        "meta": orjson.Fragment(task["meta"]) if task.get("meta") else {},
        "created_at": moment(task["created_at"]),
        "updated_at": moment(task["updated_at"]),
        "allow_skip": task.get("allow_skip", True),
        "inner_id": None,
        "total_annotations": task.get("total_annotations") or 0,
        "cancelled_annotations": task.get("cancelled_annotations") or 0,
        "total_predictions": task.get("total_predictions") or 0,
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": project.id,
        "updated_by": None,
        "comment_authors": [],
    }


def _person(number: int | None, user: User | None) -> dict[str, Any] | None:
    if number is None:
        return None
    return {
        "id": number,
        "first_name": user.first_name if user else "",
        "last_name": user.last_name if user else "",
        "email": user.email if user else "",
    }
