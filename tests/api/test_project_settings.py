"""The fields of a project: what is given comes back, what can't be is told, and what its label config says."""

from typing import Any

import pytest

from tests.api.client import CONFIG, Api

WEIGHTS = {"ch": {"overall": 0.5, "type": "Choices", "labels": {"cat": 0.25, "d": 1.0}}}
SETTINGS: dict[str, Any] = {
    "title": "All of it",
    "description": "Of cats",
    "label_config": CONFIG,
    "expert_instruction": "<b>Look</b>",
    "show_instruction": True,
    "show_skip_button": False,
    "enable_empty_annotation": False,
    "show_annotation_history": True,
    "color": "#12abEF",
    "maximum_annotations": 3,
    "is_published": True,
    "model_version": "v1",
    "min_annotations_to_start_training": 5,
    "show_collab_predictions": False,
    "sampling": "Uncertainty sampling",
    "show_ground_truth_first": True,
    "annotator_evaluation_enabled": True,
    "show_overlap_first": True,
    "overlap_cohort_percentage": 40,
    "control_weights": WEIGHTS,
    "evaluate_predictions_automatically": True,
    "skip_queue": "IGNORE_SKIPPED",
    "reveal_preannotations_interactively": True,
    "pinned_at": "2026-11-22T03:53:21Z",
}


def test_what_is_given_comes_back(api: Api):
    made = api.post("/api/projects/", SETTINGS, 201)
    assert {name: made[name] for name in SETTINGS} == SETTINGS
    read = api.get(f"/api/projects/{made['id']}/")
    assert {name: read[name] for name in SETTINGS} == SETTINGS
    assert read["start_training_on_annotation_update"] is True

    plain = api.project()
    changed = api.call("PATCH", f"/api/projects/{plain}/", json=SETTINGS)
    assert {name: changed[name] for name in SETTINGS} == SETTINGS
    assert api.call("PATCH", f"/api/projects/{plain}/", json={"color": "#000000"})["sampling"] == "Uncertainty sampling"


def test_put_sets_everything(api: Api):
    default = api.post("/api/projects/", {"title": "All default"}, 201)
    made = api.post("/api/projects/", SETTINGS, 201)
    put = api.call("PUT", f"/api/projects/{made['id']}/", json={"title": "All default"})
    same = set(SETTINGS) | {"is_draft", "start_training_on_annotation_update", "parsed_label_config"}
    assert {name: put[name] for name in same} == {name: default[name] for name in same}
    assert {name: put[name] for name in ("id", "created_at", "created_by")} == {
        name: made[name] for name in ("id", "created_at", "created_by")
    }
    refused = api.call("PUT", f"/api/projects/{made['id']}/", 400, json={"description": "untitled"})
    assert refused["validation_errors"] == {"title": ["This field is required."]}


def test_what_only_label_studio_has_is_ignored(api: Api):
    alien = {"workspace": 3, "organization": 9, "created_by": {"id": 9}, "review_settings": {}, "id": 77, "state": "x"}
    made = api.post("/api/projects/", {"title": "Alien", **alien, "task_data_password": ""}, 201)
    assert (made["organization"], made["created_by"]["id"], made["state"]) == (1, 1, None)
    assert made["id"] != 77


def test_null_is_the_default(api: Api):
    given = dict.fromkeys(["description", "color", "model_version", "sampling", "skip_queue", "control_weights"])
    made = api.post("/api/projects/", {"title": "Nulls", **given, "pinned_at": None}, 201)
    assert [made[name] for name in given] == ["", "#FFFFFF", "", "Sequential sampling", "REQUEUE_FOR_OTHERS", {}]


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("color", "red", "#RRGGBB"),
        ("show_instruction", "perhaps", "valid boolean"),
        ("is_draft", None, "valid boolean"),
        ("sampling", "Random", "write one of Sequential sampling, Uniform"),
        ("sampling", ["Uniform sampling"], "not a valid choice"),
        ("skip_queue", 7, "not a valid choice"),
        ("overlap_cohort_percentage", 101, "less than or equal to 100."),
        ("min_annotations_to_start_training", -1, "greater than or equal to 0."),
        ("maximum_annotations", "many", "valid integer"),
        ("maximum_annotations", True, "valid integer"),
        ("pinned_at", "yesterday", "2026-11-22T03:53:21Z"),
        ("pinned_at", 7, "Not a valid time"),
        ("description", {"a": 1}, "Not a valid string"),
        ("description", "a\0b", "Null characters"),
        ("task_data_password", "secret", "as a storage"),
        ("control_weights", [1], "Not valid weights"),
        ("control_weights", {"ch": 1}, "Not valid weights"),
        ("control_weights", {"ch": {"overall": -1}}, "no weight"),
        ("control_weights", {"ch": {"labels": {"cat": "much"}}}, "no weight"),
        ("control_weights", {"ch": {"labels": {str(n): 1 for n in range(10_000)}}}, "no more than 10000 weights"),
    ],
)
def test_what_is_refused_says_why(api: Api, field: str, value: Any, sentence: str):
    project = api.project()
    for method, path in (("POST", "/api/projects/"), ("PATCH", f"/api/projects/{project}/")):
        errors = api.call(method, path, 400, json={"title": "Fine", field: value})["validation_errors"]
        assert list(errors) == [field]
        assert sentence in errors[field][0]


def test_weights_follow_the_label_config(api: Api):
    project = api.post("/api/projects/", SETTINGS, 201)["id"]
    config = CONFIG.replace('<Choice value="cat"/>', '<Choice value="bird"/>')
    changed = api.call("PATCH", f"/api/projects/{project}/", json={"label_config": config})
    assert changed["control_weights"]["ch"] == {"overall": 0.5, "type": "Choices", "labels": {"bird": 1.0, "d": 1.0}}


@pytest.mark.parametrize(
    ("config", "changed"),
    [
        (CONFIG, False),
        (CONFIG.replace('value="cat"', 'value="cat" hotkey="c"'), False),
        (CONFIG.replace('<Choice value="cat"/>', '<Choice value="cat"/><Choice value="cow"/>'), False),
        (CONFIG.replace('<Choice value="cat"/>', ""), True),
        (CONFIG.replace('name="ch"', 'name="other"'), True),
        (CONFIG.replace("$image", "$picture"), True),
        (CONFIG.replace("Choices", "Labels").replace("Choice ", "Label "), True),
    ],
)
def test_a_label_config_is_checked_without_being_saved(api: Api, config: str, changed: bool):
    project = api.project()
    answer = api.post(f"/api/projects/{project}/validate/", {"label_config": config})
    assert answer == {"config_essential_data_has_changed": changed}
    assert api.get(f"/api/projects/{project}/")["label_config"] == CONFIG


@pytest.mark.parametrize("config", [None, "", 7, "<View>", "<!DOCTYPE x><View/>", "x" * 300_001])
def test_a_label_config_that_could_not_be_saved(api: Api, config: Any):
    project = api.project()
    body = {} if config is None else {"label_config": config}
    assert list(api.post(f"/api/projects/{project}/validate", body, 400)["validation_errors"]) == ["label_config"]


@pytest.mark.parametrize(
    ("tag", "suits"),
    [
        ('<Choices name="c" toName="i"><Choice value="a"/></Choices>', True),
        ('<TextArea name="c" toName="i"/>', True),
        ('<TextArea name="c" toName="i" perRegion="true"/>', False),
        ('<Choices name="c" toName="i" value="$many"/>', False),
        ('<Taxonomy name="c" toName="i" apiUrl="http://x"/>', False),
        ('<RectangleLabels name="c" toName="i"><Label value="a"/></RectangleLabels>', False),
    ],
)
def test_which_config_suits_many_tasks_at_once(api: Api, tag: str, suits: bool):
    config = f'<View><Image name="i" value="$image"/>{tag}</View>'
    shown = api.post("/api/projects/", {"title": "Bulk", "label_config": config}, 201)
    assert shown["config_suitable_for_bulk_annotation"] is suits
