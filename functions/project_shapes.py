"""Projects as Label Studio's clients know them: every key, in Label Studio's order."""

from collections.abc import Mapping
from typing import Any

from functions.label_config import control_weights, parsed, suits_bulk
from shared.model.project import Project
from shared.model.times import moment
from shared.model.user import User
from shared.services.projects import COUNTERS


def project_shape(project: Project, creator: User | None, counters: Mapping[str, int]) -> dict[str, Any]:
    """A project; a counter that is not given is null, as all are in the answer to its creation."""
    controls = parsed(project.label_config)
    counted = {name: counters.get(name) for name in COUNTERS}
    given = {name: getattr(project, name) for name in _AS_STORED}
    known = {
        **given,
        **counted,
        "organization": 1,
        "created_by": _person(project.created_by, creator),
        "created_at": moment(project.created_at),
        "start_training_on_annotation_update": project.min_annotations_to_start_training > 0,
        "task_data_login": None,
        "task_data_password": None,
        "control_weights": control_weights(project.label_config, project.control_weights),
        "parsed_label_config": controls,
        "config_has_control_tags": bool(controls),
        "pinned_at": moment(project.pinned_at) if project.pinned_at else None,
        "queue_total": counters.get("task_number", None if counters else 0),
        "queue_done": counters.get("finished_task_number", None if counters else 0),
        "config_suitable_for_bulk_annotation": suits_bulk(project.label_config),
        "state": None,
    }
    return {name: known[name] for name in PROJECT_KEYS}


def _person(number: int, user: User | None) -> dict[str, Any]:
    """Who did something; the number stays when nobody has it any more."""
    return {
        "id": number,
        "first_name": user.first_name if user else "",
        "last_name": user.last_name if user else "",
        "email": user.email if user else "",
        "avatar": None,
    }


def annotator_shape(user: User) -> dict[str, Any]:
    """Somebody who annotated."""
    return {**_person(user.id, user), "username": user.username}


def counts_shape(project: Project, counters: Mapping[str, int]) -> dict[str, Any]:
    """The counters of a project; one that is not given is null."""
    return {"id": project.id, **{name: counters.get(name) for name in COUNTERS}}


PROJECT_KEYS = (
    *("id", "title", "description", "label_config", "expert_instruction", "show_instruction", "show_skip_button"),
    *("enable_empty_annotation", "show_annotation_history", "organization", "color", "maximum_annotations"),
    *("is_published", "model_version", "is_draft", "created_by", "created_at", "min_annotations_to_start_training"),
    *("start_training_on_annotation_update", "show_collab_predictions", "num_tasks_with_annotations", "task_number"),
    *("useful_annotation_number", "ground_truth_number", "skipped_annotations_number", "total_annotations_number"),
    *("total_predictions_number", "sampling", "show_ground_truth_first", "annotator_evaluation_enabled"),
    *("show_overlap_first", "overlap_cohort_percentage", "task_data_login", "task_data_password", "control_weights"),
    *("parsed_label_config", "evaluate_predictions_automatically", "config_has_control_tags", "skip_queue"),
    *("reveal_preannotations_interactively", "pinned_at", "finished_task_number", "queue_total", "queue_done"),
    *("config_suitable_for_bulk_annotation", "state"),
)
_AS_STORED = tuple(name for name in PROJECT_KEYS if name in Project.__slots__)
