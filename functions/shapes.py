"""The objects of the API as Label Studio's clients know them: every key, in Label Studio's order."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from functions.label_config import control_weights, parsed
from shared.model.project import Project
from shared.model.storage import Storage
from shared.model.task import UNDEFINED, named_data, task_id
from shared.model.user import User
from shared.ports import Document
from shared.services.views import StorageInfo

_INFO = ("last_sync", "last_sync_count", "last_sync_job", "status", "traceback", "meta")
_ABOUT = ("title", "description", "created_at")
STORAGE_KEYS: Mapping[str, Sequence[str]] = {
    "s3": (
        *("id", "type", "synchronizable", "presign", *_INFO, *_ABOUT, "bucket", "prefix", "regex_filter"),
        *("use_blob_urls", "aws_sse_kms_key_id", "region_name", "s3_endpoint", "presign_ttl", "recursive_scan"),
        "project",
    ),
    "gcs": (
        *("id", "type", "synchronizable", "presign", "bucket", "prefix", "regex_filter", "use_blob_urls"),
        *("google_project_id", *_INFO, *_ABOUT, "presign_ttl", "recursive_scan", "project"),
    ),
    "azure": (
        *("id", "type", "synchronizable", "presign", "container", "prefix", "regex_filter", "use_blob_urls"),
        *("azure_endpoint", *_INFO, *_ABOUT, "presign_ttl", "recursive_scan", "project"),
    ),
    "redis": (
        *("id", "type", "synchronizable", "path", "host", "port", "regex_filter", "use_blob_urls"),
        *(*_INFO, *_ABOUT, "db", "project"),
    ),
    "localfiles": (
        *("id", "type", "synchronizable", "path", "regex_filter", "use_blob_urls", *_INFO, *_ABOUT),
        *("recursive_scan", "project"),
    ),
}
"""What is shown of a storage: an explicit list, so that no secret gets in by accident."""


def moment(seconds: float | None) -> str | None:
    """A time as JSON has it: 2026-11-22T03:53:23.011897Z."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def storage_shape(storage: Storage, info: StorageInfo) -> dict[str, Any]:
    """A storage with its state."""
    known = {
        **storage.config,
        **info._asdict(),
        "id": storage.id,
        "type": storage.type,
        "project": storage.project,
        "created_at": moment(storage.created_at),
        "last_sync": moment(info.last_sync),
    }
    return {key: known.get(key) for key in STORAGE_KEYS[storage.type]}


def project_shape(project: Project, creator: User | None, counters: Mapping[str, int]) -> dict[str, Any]:
    """A project; a counter that is not given is null, as in the answer to its creation."""
    names = ("task_number", "finished_task_number", "num_tasks_with_annotations", "total_annotations_number")
    tasks, finished, annotated, annotations = (counters.get(name) for name in names)
    return {
        "id": project.id,
        "title": project.title,
        "description": project.description,
        "label_config": project.label_config,
        "expert_instruction": project.expert_instruction,
        "show_instruction": project.show_instruction,
        "show_skip_button": True,
        "enable_empty_annotation": True,
        "show_annotation_history": False,
        "organization": 1,
        "color": project.color,
        "maximum_annotations": project.maximum_annotations,
        "is_published": False,
        "model_version": "",
        "is_draft": False,
        "created_by": _person(project.created_by, creator),
        "created_at": moment(project.created_at),
        "min_annotations_to_start_training": 0,
        "start_training_on_annotation_update": False,
        "show_collab_predictions": True,
        "num_tasks_with_annotations": annotated,
        "task_number": tasks,
        "useful_annotation_number": annotations,
        "ground_truth_number": 0 if counters else None,
        "skipped_annotations_number": counters.get("skipped_annotations_number"),
        "total_annotations_number": annotations,
        "total_predictions_number": counters.get("total_predictions_number"),
        "sampling": "Sequential sampling",
        "show_ground_truth_first": False,
        "annotator_evaluation_enabled": False,
        "show_overlap_first": False,
        "overlap_cohort_percentage": 100,
        "task_data_login": None,
        "task_data_password": None,
        "control_weights": control_weights(project.label_config),
        "parsed_label_config": parsed(project.label_config),
        "evaluate_predictions_automatically": False,
        "config_has_control_tags": bool(parsed(project.label_config)),
        "skip_queue": "REQUEUE_FOR_OTHERS",
        "reveal_preannotations_interactively": False,
        "pinned_at": None,
        "finished_task_number": finished,
        "queue_total": tasks or 0,
        "queue_done": finished or 0,
        "config_suitable_for_bulk_annotation": True,
        "state": None,
    }


def _person(number: int, user: User | None) -> dict[str, Any]:
    """Who did something; the number stays when nobody has it any more."""
    return {
        "id": number,
        "first_name": user.first_name if user else "",
        "last_name": user.last_name if user else "",
        "email": user.email if user else "",
        "avatar": None,
    }


TASK_ONLY_LACKS = frozenset(
    {"predictions", "annotations", "completed_at", "predictions_score", "avg_lead_time", "draft_exists"}
)


def task_shape(document: Document, project: Project, *, task_only: bool = False) -> dict[str, Any]:
    """A task; data is passed through as it is stored, whatever its numbers' size."""
    stored = document.data
    number = int(document.ref.id)
    created, updated = moment(stored["created_at"]), moment(stored["updated_at"])
    about = {"task": number, "project": project.id, "created_at": created, "updated_at": updated}
    predictions = [_prediction(item, at, about) for at, item in enumerate(_items(stored.get("predictions")))]
    annotations = [_annotation(item, at, about) for at, item in enumerate(_items(stored.get("annotations")))]
    scores = [item["score"] for item in predictions if isinstance(item["score"], int | float)]
    versions = dict.fromkeys(str(item["model_version"]) for item in predictions if item["model_version"])
    total = stored.get("total_annotations") or 0
    shape = {
        "id": number,
        "predictions": predictions,
        "annotations": annotations,
        "drafts": [],
        "annotators": sorted({item["completed_by"] for item in annotations if item["completed_by"]}),
        "inner_id": None,
        "cancelled_annotations": stored.get("cancelled_annotations") or 0,
        "total_annotations": total,
        "total_predictions": stored.get("total_predictions") or 0,
        "completed_at": None,
        "annotations_results": "",
        "predictions_results": "",
        "predictions_score": sum(scores) / len(scores) if scores else None,
        "file_upload": None,
        "storage_filename": stored.get("key"),
        "annotations_ids": ",".join(str(item["id"]) for item in annotations),
        "predictions_model_versions": ",".join(versions),
        "avg_lead_time": None,
        "draft_exists": False,
        "updated_by": [],
        "data": _data(stored["data"], project),
        "meta": orjson.Fragment(stored["meta"]) if stored.get("meta") else {},
        "created_at": created,
        "updated_at": updated,
        "is_labeled": total >= project.maximum_annotations,
        "overlap": project.maximum_annotations,
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": project.id,
        "comment_authors": [],
    }
    return {key: value for key, value in shape.items() if key not in TASK_ONLY_LACKS} if task_only else shape


def _data(stored: bytes, project: Project) -> Any:
    if UNDEFINED.encode() in stored:
        return named_data(orjson.loads(stored), project.data_key)
    return orjson.Fragment(stored)


def _items(stored: bytes | None) -> list[dict[str, Any]]:
    return orjson.loads(stored) if stored else []


def _prediction(item: Mapping[str, Any], at: int, about: Mapping[str, Any]) -> dict[str, Any]:
    score = item.get("score")
    return {
        "id": task_id(str(about["task"]), "prediction", at),
        "result": item.get("result", []),
        "model_version": item.get("model_version"),
        "created_ago": "",
        "score": score if isinstance(score, int | float) and not isinstance(score, bool) else None,
        "cluster": item.get("cluster"),
        "neighbors": item.get("neighbors"),
        "mislabeling": 0.0,
        "created_at": about["created_at"],
        "updated_at": about["updated_at"],
        "model": None,
        "model_run": None,
        "task": about["task"],
        "project": about["project"],
    }


def _annotation(item: Mapping[str, Any], at: int, about: Mapping[str, Any]) -> dict[str, Any]:
    by = item.get("completed_by")
    person = by if isinstance(by, int) and not isinstance(by, bool) else None
    return {
        "id": task_id(str(about["task"]), "annotation", at),
        "result": item.get("result", []),
        "created_username": "",
        "created_ago": "",
        "completed_by": person,
        "was_cancelled": bool(item.get("was_cancelled")),
        "ground_truth": bool(item.get("ground_truth")),
        "created_at": about["created_at"],
        "updated_at": about["updated_at"],
        "draft_created_at": None,
        "lead_time": item.get("lead_time"),
        "import_id": None,
        "last_action": None,
        "bulk_created": False,
        "task": about["task"],
        "project": about["project"],
        "updated_by": person,
        "parent_prediction": None,
        "parent_annotation": None,
        "last_created_by": None,
    }
