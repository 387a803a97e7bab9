"""Tasks, annotations and predictions as Label Studio's clients know them: every key, in Label Studio's order."""

from collections.abc import Mapping
from typing import Any

import orjson

from shared.model.annotation import Annotation, Prediction
from shared.model.export_body import about
from shared.model.project import Project
from shared.model.task import UNDEFINED, named_data
from shared.model.times import ago, moment
from shared.model.user import User
from shared.ports import Document
from shared.services.labelling.tasks import Parts
from shared.services.media.links import Links

People = Mapping[int, User]
"""Who is known by name, by number."""
TASK_ONLY_LACKS = frozenset(
    {"predictions", "annotations", "completed_at", "predictions_score", "avg_lead_time", "draft_exists"}
)


def task_shape(
    document: Document,
    project: Project,
    parts: Parts,
    people: People,
    now: float,
    *,
    task_only: bool = False,
    links: Links | None = None,
) -> dict[str, Any]:
    """A task in a list, or read by itself; data is passed through as it is stored, whatever its numbers' size.

    With `links`, URIs of objects in data are addresses that a browser can load.
    """
    stored = document.data
    valid = [annotation for annotation in parts.annotations if not annotation.was_cancelled]
    scores = [prediction.score for prediction in parts.predictions if prediction.score is not None]
    versions = dict.fromkeys(prediction.model_version for prediction in parts.predictions if prediction.model_version)
    lead_times = [annotation.lead_time for annotation in valid if annotation.lead_time is not None]
    labeled = len(valid) >= project.maximum_annotations
    shape = {
        "id": int(document.ref.id),
        "predictions": [prediction_shape(prediction, now) for prediction in parts.predictions],
        "annotations": [annotation_shape(annotation, people, now) for annotation in parts.annotations],
        "drafts": [],
        "annotators": [{"user_id": number} for number in sorted({a.completed_by for a in valid if a.completed_by})],
        "inner_id": None,
        "cancelled_annotations": stored.get("cancelled_annotations") or 0,
        "total_annotations": stored.get("total_annotations") or 0,
        "total_predictions": stored.get("total_predictions") or 0,
        "completed_at": moment(max(a.created_at for a in valid)) if labeled and valid else None,
        "annotations_results": ",".join(annotation.result.decode() for annotation in parts.annotations),
        "predictions_results": ",".join(prediction.result.decode() for prediction in parts.predictions),
        "predictions_score": sum(scores) / len(scores) if scores else None,
        "file_upload": None,
        "storage_filename": stored.get("key") or None,
        "annotations_ids": ",".join(str(annotation.id) for annotation in parts.annotations),
        "predictions_model_versions": ",".join(str(version) for version in versions),
        "avg_lead_time": sum(lead_times) / len(lead_times) if lead_times else None,
        "draft_exists": False,
        "updated_by": [{"user_id": number} for number in sorted({a.updated_by for a in valid if a.updated_by})],
        "data": task_data(document, project, links),
        "meta": _meta(stored),
        "created_at": moment(stored["created_at"]),
        "updated_at": moment(stored["updated_at"]),
        "is_labeled": labeled,
        "overlap": project.maximum_annotations,
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": project.id,
        "comment_authors": [],
    }
    shape |= _mark(stored) | _record(stored)
    return {key: value for key, value in shape.items() if key not in TASK_ONLY_LACKS} if task_only else shape


def new_task_shape(document: Document, project: Project) -> dict[str, Any]:
    """A task as the answers to its creation and to edits have it: its own fields, and data as it is stored."""
    stored = document.data
    annotations = stored.get("total_annotations") or 0
    return {
        "id": int(document.ref.id),
        "data": orjson.Fragment(stored["data"]),
        "meta": _meta(stored),
        "created_at": moment(stored["created_at"]),
        "updated_at": moment(stored["updated_at"]),
        "is_labeled": annotations >= project.maximum_annotations,
        "overlap": project.maximum_annotations,
        "inner_id": None,
        "total_annotations": annotations,
        "cancelled_annotations": stored.get("cancelled_annotations") or 0,
        "total_predictions": stored.get("total_predictions") or 0,
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": project.id,
        "updated_by": None,
        "file_upload": None,
        "comment_authors": [],
    }


def task_data(document: Document, project: Project, links: Links | None = None) -> Any:
    """A task's data as people read it: what blob mode left without a name has the project's."""
    data = document.data["data"]
    if UNDEFINED.encode() in data:
        # Written again by itself: as deep as it may be, it would be too deep inside of an answer.
        data = orjson.dumps(named_data(orjson.loads(data), project.data_key))
    return orjson.Fragment(links.resolved(document, data) if links else data)


def _meta(stored: Mapping[str, Any]) -> Any:
    return orjson.Fragment(stored["meta"]) if stored.get("meta") else {}


def _mark(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What became of the task's source, if that is to be said; no key of Label Studio's, and absent otherwise."""
    if not stored.get("mark"):
        return {}
    return {stored["mark"]: {"version": stored["mark_version"], "at": moment(stored["mark_at"])}}


def _record(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a dataset that the task was made of; no key of Label Studio's, and absent of other tasks."""
    if not stored.get("record"):
        return {}
    return {"record": {"dataset": stored["storage"], "id": stored["record"], "version": stored["version"]}}


def annotation_shape(annotation: Annotation, people: People, now: float) -> dict[str, Any]:
    """An annotation."""
    by = people.get(annotation.completed_by or 0)
    return {
        "id": annotation.id,
        "result": orjson.Fragment(annotation.result),
        "created_username": by.signature if by else "",
        "created_ago": ago(annotation.created_at, now),
        "completed_by": annotation.completed_by,
        **about(annotation),
        "task": annotation.task,
        "project": annotation.project,
        "updated_by": annotation.updated_by,
        "parent_prediction": annotation.parent_prediction,
        "parent_annotation": annotation.parent_annotation,
        "last_created_by": annotation.last_created_by,
    }


def prediction_shape(prediction: Prediction, now: float) -> dict[str, Any]:
    """A prediction."""
    return {
        "id": prediction.id,
        "result": orjson.Fragment(prediction.result),
        "model_version": prediction.model_version,
        "created_ago": ago(prediction.created_at, now),
        "score": prediction.score,
        "cluster": prediction.cluster,
        "neighbors": orjson.Fragment(orjson.dumps(prediction.neighbors)),
        "mislabeling": prediction.mislabeling,
        "created_at": moment(prediction.created_at),
        "updated_at": moment(prediction.updated_at),
        "model": prediction.model,
        "model_run": prediction.model_run,
        "task": prediction.task,
        "project": prediction.project,
    }
