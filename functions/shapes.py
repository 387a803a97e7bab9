"""The objects of the API as Label Studio's clients know them: every key, in Label Studio's order."""

from collections.abc import Mapping, Sequence
from typing import Any

from functions.label_config import control_weights, parsed
from shared.model.fields import DIRECTIONS, Direction
from shared.model.project import Project
from shared.model.provider import Provider
from shared.model.storage import Storage
from shared.model.times import moment
from shared.model.user import User
from shared.services.previewing import Preview
from shared.services.views import StorageInfo

_INFO = ("last_sync", "last_sync_count", "last_sync_job", "status", "traceback", "meta")
_ABOUT = ("title", "description", "created_at")
_S3 = (
    *("id", "type", "synchronizable", "presign", *_INFO, *_ABOUT, "bucket", "prefix", "regex_filter"),
    *("use_blob_urls", "aws_sse_kms_key_id", "region_name", "s3_endpoint", "presign_ttl", "recursive_scan"),
)
_GCS = (
    *("id", "type", "synchronizable", "presign", "bucket", "prefix", "regex_filter", "use_blob_urls"),
    *("google_project_id", *_INFO, *_ABOUT, "presign_ttl", "recursive_scan"),
)
_FEDERATION = ("google_project_number", "google_wif_pool_id", "google_wif_provider_id", "google_service_account_email")
STORAGE_KEYS: Mapping[str, Sequence[str]] = {
    "s3": (*_S3, "project"),
    "s3s": (*_S3, "role_arn", "legacy_auth", "project"),
    "gcs": (*_GCS, "project"),
    "gcswif": (*_GCS, *_FEDERATION, "project"),
    "gcs_sa": (*_GCS, "target_service_account_email", "project"),
    "azure": (
        *("id", "type", "synchronizable", "presign", "container", "prefix", "regex_filter", "use_blob_urls"),
        *("azure_endpoint", *_INFO, *_ABOUT, "presign_ttl", "recursive_scan", "project"),
    ),
    "azure_spi": (
        *("id", "type", "synchronizable", "presign", "container", "prefix", "regex_filter", "use_blob_urls"),
        *("account_name", "auth_mode", "tenant_id", "client_id", *_INFO, *_ABOUT, "presign_ttl", "recursive_scan"),
        "project",
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
"""What is shown of an import storage: an explicit list, so that no secret gets in by accident."""
EXPORT_ONLY = ("export_format", "key_template", "manifest", "aws_sse", "google_kms_key_name")
"""Fields of our own; they stand behind those of Label Studio."""


def storage_keys(provider: Provider, direction: Direction) -> list[str]:
    """What is shown of a storage, in order. A target lacks what only imports have, and adds what it has itself."""
    keys = list(STORAGE_KEYS[provider.type])
    if direction == "import":
        return keys
    imports, exports = ({field.name for field in provider.fields_of(it)} for it in DIRECTIONS)
    keys = [key for key in keys if key not in imports - exports]
    keys.insert(keys.index("created_at") + 1, "can_delete_objects")
    return [*keys, *(key for key in EXPORT_ONLY if key in exports)]


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
    return {key: known.get(key) for key in storage_keys(storage.provider, storage.direction)}


TIMED_OUT = "... storage scan timeout reached ..."


def preview_shape(seen: Preview) -> dict[str, Any]:
    """The objects of a preview; a last entry that is none says that there may be more."""
    files: list[dict[str, Any]] = [
        {"key": info.key, "last_modified": moment(info.modified or None), "size": info.size} for info in seen.objects
    ]
    if seen.limit_reached or seen.timed_out:
        files.append({"key": TIMED_OUT if seen.timed_out else None, "last_modified": None, "size": None})
    return {"files": files}


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
