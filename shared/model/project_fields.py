"""The fields of a project that requests set: what they may hold, and what is said where they hold something else."""

import re
from collections.abc import Callable, Mapping
from functools import partial as given
from typing import Any, get_args
from xml.etree import ElementTree

from shared.errors import InvalidInputError
from shared.model import values
from shared.model.project import EMPTY_CONFIG, WHITE, Sampling, SkipQueue
from shared.model.times import seconds

MIN_TITLE, MAX_TITLE = 3, 50
MAX_TEXT = 100_000
MAX_CONFIG = 300_000
MAX_WEIGHTS = 10_000
COLOR = re.compile(r"#[0-9a-fA-F]{6}")

Convert = Callable[[Any], Any]


def clean_project(request: Mapping[str, Any], *, partial: bool) -> dict[str, Any]:
    """The fields of a request, checked; unknown names are ignored. Raises `InvalidInputError` naming every bad field.

    `partial`: only the given ones. Otherwise the rest is left to the defaults of a new project.
    """
    found: dict[str, Any] = {} if partial else {"title": "New project"}
    problems: dict[str, list[str]] = {}
    for name, convert in FIELDS.items():
        if name not in request:
            continue
        try:
            found[name] = convert(request[name])
        except ValueError as error:
            problems[name] = [str(error)]
    # The older name of the same: any number of annotations that is not 0 starts the training.
    if (name := "start_training_on_annotation_update") in found:
        found["min_annotations_to_start_training"] = int(found.pop(name))
    for name in NOT_KEPT:
        if request.get(name):
            problems[name] = ["Sluice keeps no credentials for task data: connect the bucket as a storage."]
    if found.get("is_published"):
        found["is_draft"] = False
    if problems:
        raise InvalidInputError(fields=problems)
    return found


def label_config(value: Any) -> str:
    """Well-formed XML without a document type (entity bombs); empty is a config without controls."""
    text = values.text(value, MAX_CONFIG) or EMPTY_CONFIG
    if "<!" in text.replace("<!--", "").replace("<![CDATA[", ""):
        raise ValueError("Label config must not contain a document type or entities.")
    try:
        ElementTree.fromstring(text)  # noqa: S314  no document type, so no entities
    except ElementTree.ParseError as error:
        raise ValueError(f"Label config is no valid XML: {error}.") from None
    return text


def _title(value: Any) -> str:
    text = values.text(value, MAX_TITLE)
    if len(text) < MIN_TITLE:
        raise ValueError(f"Ensure this field has at least {MIN_TITLE} characters.")
    return text


def _color(value: Any) -> str:
    text = values.text(value, 16) or WHITE
    if not COLOR.fullmatch(text):
        raise ValueError('Color must be in "#RRGGBB" format')
    return text


def _pinned_at(value: Any) -> float:
    try:
        return 0.0 if value is None else seconds(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("Not a valid time: write it like 2026-11-22T03:53:21Z.") from None


def _choice(allowed: tuple[str, ...], value: Any) -> str:
    if value is None:
        return allowed[0]
    if value not in allowed:
        raise ValueError(f'"{str(value)[:100]}" is not a valid choice: write one of {", ".join(allowed)}.')
    return str(value)


def _control_weights(value: Any) -> dict[str, Any]:
    """By control: `overall`, and `labels` with a weight each. The type is the label config's to say."""
    form = 'write {"control": {"overall": 1.0, "labels": {"a label": 0.5}}}.'
    weights: dict[str, Any] = {}
    count = 0
    for control, found in _object(value or {}, form).items():
        labels = _object(_object(found or {}, form).get("labels") or {}, form)
        overall = found.get("overall") if found else None
        count += 1 + len(labels)
        if count > MAX_WEIGHTS:
            raise ValueError(f"Ensure this field has no more than {MAX_WEIGHTS} weights.")
        weights[control] = {
            "overall": 1.0 if overall is None else values.weight(overall),
            "labels": {label: values.weight(number) for label, number in labels.items() if number is not None},
        }
    return weights


def _object(value: Any, form: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"Not valid weights: {form}")  # noqa: TRY004  bad input, not a bug
    return value


_MAX_INTEGER = 2**31 - 1
_FLAGS = (
    *("show_instruction", "show_skip_button", "enable_empty_annotation", "show_annotation_history", "is_published"),
    *("is_draft", "start_training_on_annotation_update", "show_collab_predictions", "show_ground_truth_first"),
    *("annotator_evaluation_enabled", "show_overlap_first", "evaluate_predictions_automatically"),
    "reveal_preannotations_interactively",
)
FIELDS: Mapping[str, Convert] = {
    "title": _title,
    "description": given(values.text, limit=MAX_TEXT),
    "label_config": label_config,
    "expert_instruction": given(values.text, limit=MAX_TEXT),
    "model_version": given(values.text, limit=1000),
    "color": _color,
    "maximum_annotations": given(values.integer, minimum=1, maximum=1000),
    "min_annotations_to_start_training": given(values.integer, minimum=0, maximum=_MAX_INTEGER),
    "overlap_cohort_percentage": given(values.integer, minimum=0, maximum=100),
    "sampling": given(_choice, get_args(Sampling)),
    "skip_queue": given(_choice, get_args(SkipQueue)),
    "control_weights": _control_weights,
    "pinned_at": _pinned_at,
    **dict.fromkeys(_FLAGS, values.flag),
}
NOT_KEPT = ("task_data_login", "task_data_password")
"""Answered as null: a password in an answer would be none."""
