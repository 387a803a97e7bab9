"""Projects over HTTP."""

import pytest

from shared.services.trash import collect_trash
from tests.api.client import CONFIG, Api, words

KEYS = words(
    "id title description label_config expert_instruction show_instruction show_skip_button enable_empty_annotation "
    "show_annotation_history organization color maximum_annotations is_published model_version is_draft created_by "
    "created_at min_annotations_to_start_training start_training_on_annotation_update show_collab_predictions "
    "num_tasks_with_annotations task_number useful_annotation_number ground_truth_number skipped_annotations_number "
    "total_annotations_number total_predictions_number sampling show_ground_truth_first annotator_evaluation_enabled "
    "show_overlap_first overlap_cohort_percentage task_data_login task_data_password control_weights "
    "parsed_label_config evaluate_predictions_automatically config_has_control_tags skip_queue "
    "reveal_preannotations_interactively pinned_at finished_task_number queue_total queue_done "
    "config_suitable_for_bulk_annotation state"
)
COUNTERS = [key for key in KEYS if key.endswith("_number") or key == "num_tasks_with_annotations"]


def test_a_created_project_has_label_studios_keys_and_no_counts_yet(api: Api):
    made = api.post("/api/projects/", {"title": "Cats", "label_config": CONFIG}, 201)
    assert list(made) == KEYS
    assert {made[name] for name in COUNTERS} == {None}
    assert made["control_weights"] == {"ch": {"overall": 1.0, "type": "Choices", "labels": {"cat": 1.0, "d": 1.0}}}
    assert made["parsed_label_config"]["ch"] == {
        "type": "Choices",
        "to_name": ["img"],
        "inputs": [{"type": "Image", "valueType": None, "value": "image"}],
        "labels": ["cat", "d"],
        "labels_attrs": {"cat": {"value": "cat"}, "d": {"value": "dog", "alias": "d"}},
    }


def test_counters_are_numbers_later(api: Api):
    project = api.project()
    api.folder("rows")
    path = api.ctx.settings.local_files_document_root + "/rows/a.json"
    with open(path, "w") as file:
        file.write(
            '[{"data": {"image": "a"}, "predictions": [{"result": []}, {"result": []}]},'
            ' {"data": {"image": "b"}, "annotations": [{"result": []}, {"result": [], "was_cancelled": true}]}]'
        )
    storage = api.local(project, path=api.folder("rows"), use_blob_urls=False)
    api.post(f"/api/storages/localfiles/{storage['id']}/sync")
    api.work()
    shown = api.get(f"/api/projects/{project}/")
    assert {name: shown[name] for name in COUNTERS} == {
        "task_number": 2,
        "finished_task_number": 1,
        "num_tasks_with_annotations": 1,
        "total_annotations_number": 1,
        "useful_annotation_number": 1,
        "skipped_annotations_number": 1,
        "ground_truth_number": 0,
        "total_predictions_number": 2,
    }


def test_edit_and_delete(api: Api):
    project = api.project()
    changed = api.call("PATCH", f"/api/projects/{project}/", json={"title": "Better", "maximum_annotations": 3})
    assert (changed["title"], changed["maximum_annotations"], changed["label_config"]) == ("Better", 3, CONFIG)
    assert api.get(f"/api/projects/{project}") == changed
    assert api.call("DELETE", f"/api/projects/{project}/", 204) is None
    assert api.get(f"/api/projects/{project}/", 404)["detail"] == "No Project matches the given query."
    api.call("DELETE", f"/api/projects/{project}/", 404)
    api.call("PATCH", f"/api/projects/{project}/", 404, json={"title": "Too late"})


def test_pages(api: Api):
    made = [api.project(title=f"Project {number}") for number in range(5)]
    first = api.get("/api/projects/?page_size=2")
    assert [p["id"] for p in first["results"]] == made[:2:-1]
    assert (first["count"], first["previous"]) == (5, None)
    second = api.get(first["next"])
    third = api.get(second["next"])
    assert [p["id"] for p in second["results"] + third["results"]] == made[2::-1]
    assert third["next"] is None
    assert api.get(second["previous"]) == first
    for page in ("4", "0", "-1", "x", "9" * 30):
        assert api.get(f"/api/projects/?page_size=2&page={page}", 404)["detail"] == "Invalid page."


def test_an_empty_list_is_one_page(api: Api):
    assert api.get("/api/projects/") == {"count": 0, "next": None, "previous": None, "results": []}


@pytest.mark.parametrize(
    ("fields", "named", "sentence"),
    [
        ({"title": "ab"}, "title", "Ensure this field has at least 3 characters."),
        ({"title": "a" * 51}, "title", "Ensure this field has no more than 50 characters."),
        ({"title": ["a"]}, "title", "Not a valid string."),
        ({"label_config": "<View>"}, "label_config", "no valid XML"),
        ({"label_config": "<!DOCTYPE x><View/>"}, "label_config", "document type"),
        ({"maximum_annotations": 0}, "maximum_annotations", "greater than or equal to 1."),
    ],
)
def test_what_is_refused_says_which_field_and_why(api: Api, fields, named, sentence):
    error = api.post("/api/projects/", {"title": "Fine", **fields}, 400)
    assert sentence in error["validation_errors"][named][0]
    assert (error["status_code"], error["detail"]) == (400, "Validation error")


def test_deleting_a_project_takes_all_with_it(api: Api):
    project, other = api.project(), api.project()
    api.folder(files=5)
    storages = [api.local(p)["id"] for p in (project, project, other)]
    for storage in storages:
        api.post(f"/api/storages/localfiles/{storage}/sync")
    api.work()
    api.post(f"/api/storages/localfiles/{storages[0]}/sync")  # still under way when the project goes
    task = api.get(f"/api/tasks/?project={project}")["tasks"][0]["id"]
    api.call("DELETE", f"/api/projects/{project}/", 204)
    api.get(f"/api/tasks/?project={project}", 404)
    api.get(f"/api/tasks/{task}/", 404)
    api.get(f"/api/storages/localfiles/{storages[0]}", 404)
    api.work()  # the run's message finds nothing to do

    removed = 0
    while (step := collect_trash(api.ctx, 3)) > 0:
        assert step <= 3
        removed += step
    assert removed > 10
    left = {name: api.count(name) for name in ("tasks", "chunks", "ledgers", "gates", "storages", "runs", "lanes")}
    assert left == {"tasks": 5, "chunks": 1, "ledgers": 1, "gates": 1, "storages": 1, "runs": 1, "lanes": 1}
    assert api.count("trash") == 0
    assert len(api.get(f"/api/tasks/?project={other}")["tasks"]) == 5
