"""The shapes of Label Studio's answers, recorded from its release 1.23: every key in its order, and what it holds."""

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")
LOOSE_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?\+00:00")
KINDS: Mapping[str, Callable[[Any], bool]] = {
    "int": lambda value: type(value) is int,
    "number": lambda value: type(value) in {int, float},
    "bool": lambda value: type(value) is bool,
    "str": lambda value: isinstance(value, str),
    "dict": lambda value: isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
    "time": lambda value: isinstance(value, str) and bool(TIME.fullmatch(value)),
    "loose": lambda value: isinstance(value, str) and bool(LOOSE_TIME.fullmatch(value)),
    "uuid": lambda value: isinstance(value, str) and uuid.UUID(value).version == 4,
    "null": lambda value: value is None,
}
"""A `?` behind a kind: or null. A name in capitals is another shape, in brackets a list of them."""

INFO = "last_sync:time? last_sync_count:int? last_sync_job:str? status:str traceback:str? meta:dict"
ABOUT = "title:str? description:str? created_at:time"
TAIL = "prefix:str? regex_filter:str? use_blob_urls:bool"
PRESIGN = "presign_ttl:int recursive_scan:bool"
HEAD = "id:int type:str synchronizable:bool"
COUNTS = (
    "task_number:int finished_task_number:int total_predictions_number:int total_annotations_number:int "
    "num_tasks_with_annotations:int useful_annotation_number:int ground_truth_number:int skipped_annotations_number:int"
)

SHAPES = {
    "ERROR": "id:uuid status_code:int version:str detail:str exc_info:null",
    "FIELD_ERROR": "id:uuid status_code:int version:str detail:str exc_info:null validation_errors:dict",
    "DETAIL": "detail:str",
    "MESSAGE": "message:str",
    # Storages
    "TYPE": "name:str title:str",
    "S3_IMPORT": f"{HEAD} presign:bool {INFO} {ABOUT} bucket:str? {TAIL} aws_sse_kms_key_id:str? region_name:str? "
    f"s3_endpoint:str? {PRESIGN} project:int",
    "S3_EXPORT": f"{HEAD} {INFO} {ABOUT} can_delete_objects:bool? bucket:str? {TAIL} aws_sse_kms_key_id:str? "
    "region_name:str? s3_endpoint:str? project:int",
    "GCS_IMPORT": f"{HEAD} presign:bool bucket:str? {TAIL} google_project_id:str? {INFO} {ABOUT} {PRESIGN} project:int",
    "GCS_EXPORT": f"{HEAD} bucket:str? {TAIL} google_project_id:str? {INFO} {ABOUT} can_delete_objects:bool? "
    "project:int",
    "AZURE_IMPORT": f"{HEAD} presign:bool container:str? {TAIL} {INFO} {ABOUT} {PRESIGN} project:int",
    "AZURE_EXPORT": f"{HEAD} container:str? {TAIL} {INFO} {ABOUT} can_delete_objects:bool? project:int",
    "REDIS_IMPORT": f"{HEAD} path:str? host:str? port:str? regex_filter:str? use_blob_urls:bool {INFO} {ABOUT} db:int "
    "project:int",
    "REDIS_EXPORT": f"{HEAD} path:str? host:str? port:str? regex_filter:str? use_blob_urls:bool {INFO} {ABOUT} "
    "can_delete_objects:bool? db:int project:int",
    "LOCALFILES_IMPORT": f"{HEAD} path:str? regex_filter:str? use_blob_urls:bool {INFO} {ABOUT} recursive_scan:bool "
    "project:int",
    "LOCALFILES_EXPORT": f"{HEAD} path:str? regex_filter:str? use_blob_urls:bool {INFO} {ABOUT} "
    "can_delete_objects:bool? project:int",
    "FILES": "files:[FILE]",
    "FILE": "key:str? last_modified:time? size:int?",
    "FORM_ROW": "columnCount:int fields:list",
    # Projects
    "PROJECT": (
        "id:int title:str description:str label_config:str expert_instruction:str show_instruction:bool "
        "show_skip_button:bool enable_empty_annotation:bool show_annotation_history:bool organization:int color:str "
        "maximum_annotations:int is_published:bool model_version:str is_draft:bool created_by:PERSON created_at:time "
        "min_annotations_to_start_training:int start_training_on_annotation_update:bool show_collab_predictions:bool "
        "num_tasks_with_annotations:int? task_number:int? useful_annotation_number:int? ground_truth_number:int? "
        "skipped_annotations_number:int? total_annotations_number:int? total_predictions_number:int? sampling:str "
        "show_ground_truth_first:bool annotator_evaluation_enabled:bool show_overlap_first:bool "
        "overlap_cohort_percentage:int task_data_login:null task_data_password:null control_weights:dict "
        "parsed_label_config:dict evaluate_predictions_automatically:bool config_has_control_tags:bool skip_queue:str "
        "reveal_preannotations_interactively:bool pinned_at:time? finished_task_number:int? queue_total:int "
        "queue_done:int config_suitable_for_bulk_annotation:bool state:null"
    ),
    "PERSON": "id:int first_name:str last_name:str email:str avatar:null",
    "PROJECT_PAGE": "count:int next:str? previous:str? results:[PROJECT]",
    "COUNTS": f"id:int {COUNTS}",
    "COUNTS_PAGE": "count:int next:str? previous:str? results:[COUNTS]",
    "CONFIG_CHECK": "config_essential_data_has_changed:bool",
    "NUMBER": "id:int",
    "IMPORT": (
        "task_count:int annotation_count:int prediction_count:int duration:number file_upload_ids:list "
        "could_be_tasks_list:bool found_formats:list data_columns:list"
    ),
    "CREATED": "created:int",
    # Tasks
    "TASK_PAGE": "total_annotations:int total_predictions:int total:int tasks:[TASK]",
    "BRIEF_TASK_PAGE": "total_annotations:int total_predictions:int total:int tasks:[BRIEF_TASK]",
    "TASK": (
        "id:int predictions:[PREDICTION] annotations:[ANNOTATION] drafts:list annotators:list inner_id:int? "
        "cancelled_annotations:int total_annotations:int total_predictions:int completed_at:time? "
        "annotations_results:str predictions_results:str predictions_score:number? file_upload:null "
        "storage_filename:str? annotations_ids:str predictions_model_versions:str avg_lead_time:number? "
        "draft_exists:bool updated_by:[UPDATER] data:dict meta:dict created_at:time updated_at:time is_labeled:bool "
        "overlap:int comment_count:int unresolved_comment_count:int last_comment_updated_at:null project:int "
        "comment_authors:list"
    ),
    "BRIEF_TASK": (
        "id:int drafts:list annotators:list inner_id:int? cancelled_annotations:int total_annotations:int "
        "total_predictions:int annotations_results:str predictions_results:str file_upload:null storage_filename:str? "
        "annotations_ids:str predictions_model_versions:str updated_by:[UPDATER] data:dict meta:dict created_at:time "
        "updated_at:time is_labeled:bool overlap:int comment_count:int unresolved_comment_count:int "
        "last_comment_updated_at:null project:int comment_authors:list"
    ),
    "NEW_TASK": (
        "id:int data:dict meta:dict created_at:time updated_at:time is_labeled:bool overlap:int inner_id:int? "
        "total_annotations:int cancelled_annotations:int total_predictions:int comment_count:int "
        "unresolved_comment_count:int last_comment_updated_at:null project:int updated_by:null file_upload:null "
        "comment_authors:list"
    ),
    "UPDATER": "user_id:int",
    "ANNOTATION": (
        "id:int result:list created_username:str created_ago:str completed_by:int? was_cancelled:bool "
        "ground_truth:bool created_at:time updated_at:time draft_created_at:time? lead_time:number? import_id:int? "
        "last_action:str? bulk_created:bool task:int project:int updated_by:int? parent_prediction:int? "
        "parent_annotation:int? last_created_by:int?"
    ),
    "PREDICTION": (
        "id:int result:list model_version:str? created_ago:str score:number? cluster:int? neighbors:list? "
        "mislabeling:number created_at:time updated_at:time model:null model_run:null task:int project:int"
    ),
    # People, tokens, webhooks
    "WHOAMI": (
        "id:int first_name:str last_name:str username:str email:str last_activity:time? avatar:null initials:str "
        "phone:str active_organization:int active_organization_meta:dict allow_newsletters:bool date_joined:time"
    ),
    "TOKEN": "token:str created_at:time expires_at:time",
    "ACCESS": "access:str",
    "REFRESH": "refresh:str",
    "WEBHOOK": (
        "id:int organization:int project:int? url:str send_payload:bool send_for_all_actions:bool headers:dict "
        "is_active:bool actions:list created_at:time updated_at:time"
    ),
}
EXPORT_ONLY = frozenset({"export_format", "key_template", "manifest", "aws_sse", "google_kms_key_name"})
ANY = frozenset({"sync_interval"})
IMPORT_ONLY = ANY | {"glob_filter", "sidecar", "on_changed", "on_deleted"}
OWN: Mapping[str, frozenset[str]] = {
    "S3_IMPORT": IMPORT_ONLY | {"s3_public_endpoint", "auto_sync"},
    "AZURE_IMPORT": IMPORT_ONLY | {"azure_endpoint", "auto_sync"},
    "GCS_IMPORT": IMPORT_ONLY | {"auto_sync"},
    "AZURE_EXPORT": EXPORT_ONLY | ANY | {"azure_endpoint"},
    "LOCALFILES_IMPORT": IMPORT_ONLY,
    "REDIS_IMPORT": ANY | {"glob_filter"},
    **dict.fromkeys(["S3_EXPORT", "GCS_EXPORT", "REDIS_EXPORT", "LOCALFILES_EXPORT"], EXPORT_ONLY | ANY),
    "IMPORT": frozenset({"import", "task_ids"}),
    "WHOAMI": frozenset({"role", "projects"}),
    "TOKEN": frozenset({"id"}),
    "WEBHOOK": frozenset({"consecutive_failures", "last_error"}),
}
"""Keys that Label Studio does not have."""


def check(shape: str, value: Any, where: str = "") -> None:
    """Asserts that a value has a shape: exactly its keys, in order, each with its kind of value."""
    where = where or shape
    if shape.startswith("["):
        assert isinstance(value, list), f"{where}: no list but {value!r:.200}"
        for at, item in enumerate(value):
            check(shape[1:-1], item, f"{where}[{at}]")
        return
    assert isinstance(value, dict), f"{where}: no object but {value!r:.200}"
    check_fields(SHAPES[shape], {name: found for name, found in value.items() if name not in OWN.get(shape, ())}, where)


def check_fields(fields: str, value: Mapping[str, Any], where: str) -> None:
    """Asserts that an object has these fields, in order, and no other."""
    pairs = [field.split(":") for field in fields.split()]
    assert list(value) == [name for name, _ in pairs], where
    for name, kind in pairs:
        found = value[name]
        if kind.endswith("?") and found is None:
            continue
        kind = kind.removesuffix("?")
        if kind in KINDS:
            assert KINDS[kind](found), f"{where}.{name}: no {kind} but {found!r:.200}"
        else:
            check(kind, found, f"{where}.{name}")
