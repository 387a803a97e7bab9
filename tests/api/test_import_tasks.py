"""Tasks that come with a request: shapes, checks, order; all or none."""

import json
from typing import Any

import pytest

from tests.api.client import Api, words
from tests.api.test_tasks import ALL, TASK_ONLY
from tests.labelling import assert_consistent, faults

KEYS = words("task_count annotation_count prediction_count duration file_upload_ids could_be_tasks_list found_formats")
NEW = words(
    "id data meta created_at updated_at is_labeled overlap inner_id total_annotations cancelled_annotations "
    "total_predictions comment_count unresolved_comment_count last_comment_updated_at project updated_by file_upload "
    "comment_authors"
)
WHOLE = {
    "data": {"image": "a"},
    "meta": {"from": "here"},
    "annotations": [{"result": [1], "completed_by": 1}, {"result": "[2]", "was_cancelled": True}],
    "predictions": [{"result": [3], "score": 0.5, "model_version": "m"}],
}


@pytest.fixture
def project(api: Api) -> int:
    return api.project()


def send(api: Api, project: int, items: Any, status: int = 201, query: str = "?return_task_ids=true") -> Any:
    return api.post(f"/api/projects/{project}/import{query}", items, status)


def images(api: Api, project: int, query: str = "") -> list[str]:
    return [task["data"]["image"] for task in api.get(f"/api/tasks/?project={project}&page_size=1000{query}")["tasks"]]


def test_the_answer_counts_and_names_what_was_made(api: Api, project: int):
    answer = send(api, project, [WHOLE, {"image": "b"}])
    assert list(answer) == [*KEYS, "data_columns", "import", "task_ids"]
    assert (answer["task_count"], answer["annotation_count"], answer["prediction_count"]) == (2, 2, 1)
    assert "task_ids" not in send(api, project, [{"image": "c"}], query="")
    record = api.get(f"/api/projects/{project}/imports/{answer['import']}/")
    assert (record["status"], record["task_count"], record["annotation_count"]) == ("completed", 2, 2)
    assert record["finished_at"] == record["updated_at"] >= record["created_at"]
    first, second = (api.get(f"/api/tasks/{number}") for number in answer["task_ids"])
    assert list(first) == ALL
    assert (first["data"], first["meta"], second["data"]) == ({"image": "a"}, {"from": "here"}, {"image": "b"})
    assert [one["result"] for one in first["annotations"] + first["predictions"]] == [[1], [2], [3]]
    assert (first["total_annotations"], first["cancelled_annotations"], first["total_predictions"]) == (1, 1, 1)
    assert (first["is_labeled"], first["storage_filename"], second["annotations_ids"]) == (True, None, "")
    assert_consistent(api.ctx, project)


def test_a_single_object_is_a_list_of_one(api: Api, project: int):
    assert send(api, project, {"image": "a"})["task_count"] == 1
    assert send(api, project, [])["task_count"] == 0
    assert images(api, project) == ["a"]


def test_they_come_in_the_order_of_their_list_before_those_of_storages(api: Api):
    project = api.project()
    Api.folder(api, files=2)
    storage = api.local(project)["id"]
    api.post(f"/api/storages/localfiles/{storage}/sync")
    api.work()
    names = [f"{n}" for n in range(1200)]
    send(api, project, [{"image": name} for name in names])
    later = api.post("/api/tasks/", {"project": project, "data": {"image": "later"}}, 201)["id"]
    pages = []
    for page in (1, 2):
        answer = api.get(f"/api/tasks/?project={project}&page_size=700&page={page}")
        assert answer["total"] == 1203
        pages += answer["tasks"]
    assert list(pages[0]) == TASK_ONLY
    assert [task["data"]["image"] for task in pages[:1200]] == names
    assert pages[1200]["id"] == later
    assert [task["storage_filename"] for task in pages[1201:]] == ["0000.png", "0001.png"]


def test_no_commit_is_too_large(api: Api, project: int):
    items: list[Any] = [{"image": "x" * 400_000, "n": n} for n in range(20)]
    items += [
        {"data": {"image": "p"}, "predictions": [{"result": []}] * 200, "annotations": [{"result": []}] * 200}
    ] * 3
    with faults(api.ctx) as tried:
        answer = send(api, project, items)
    assert (answer["task_count"], answer["prediction_count"], answer["annotation_count"]) == (23, 600, 600)
    assert max(map(len, tried)) <= 500
    assert len(tried) > 5
    assert len(set(answer["task_ids"])) == 23
    assert_consistent(api.ctx, project)


def test_only_checking_makes_nothing(api: Api, project: int):
    answer = send(api, project, [WHOLE], query="?commit_to_project=false&return_task_ids=1")
    assert (answer["task_count"], answer["annotation_count"], answer["task_ids"]) == (1, 2, [])
    assert "import" not in answer
    assert (api.count("tasks"), api.count("uploads"), api.count("annotations")) == (0, 0, 0)
    send(api, project, [{"text": "no image"}], 400, query="?commit_to_project=false")


def test_predictions_may_stand_in_the_data(api: Api, project: int):
    items = [{"image": "a", "boxes": [{"value": 1}]}, {"data": {"image": "b", "boxes": []}}]
    for query in ("?preannotated_from_fields=boxes", "?preannotated_from_fields=boxes&preannotated_from_fields="):
        answer = send(api, project, items, query=query + "&return_task_ids=true")
        assert (answer["task_count"], answer["prediction_count"]) == (2, 2)
    task = api.get(f"/api/tasks/{answer['task_ids'][0]}")
    assert (task["data"], task["predictions"][0]["result"]) == ({"image": "a"}, [{"value": 1}])
    error = send(api, project, [{"image": "a"}], 400, query="?preannotated_from_fields=boxes,lines")
    assert list(error["validation_errors"]) == ["preannotated_from_fields"]
    error = send(api, project, [{"image": "a", "boxes": 5}], 400, query="?preannotated_from_fields=boxes")
    assert "'result' must be a list" in error["validation_errors"]["0"][0]


DEEP = json.loads("[" * 400 + "]" * 400)
BAD: dict[str, tuple[Any, str]] = {
    "a number": (5, "a row must be an object, not a number"),
    "null": (None, "a row must be an object, not null"),
    "empty": ({}, "Task data must be an object with at least one key."),
    "empty data": ({"data": {}}, "Task data must be an object with at least one key."),
    "no image": ({"data": {"text": "a"}}, '"image" key is expected in task data'),
    "data a list": ({"data": [1]}, '"image" key is expected in task data'),
    "meta a list": ({"data": {"image": "a"}, "meta": [1]}, "'meta' must be an object, not a list"),
    "allow_skip a text": ({"data": {"image": "a"}, "allow_skip": "no"}, "'allow_skip' must be true or false"),
    "201 annotations": ({"data": {"image": "a"}, "annotations": [{"result": []}] * 201}, "201 annotations; a task can"),
    "201 predictions": ({"data": {"image": "a"}, "predictions": [{"result": []}] * 201}, "201 predictions; a task can"),
    "no result": ({"data": {"image": "a"}, "annotations": [{}]}, "annotations[0]: 'result' is missing"),
    "too deep": ({"image": "a", "more": DEEP}, "nested deeper than 250 levels"),
    "too large": ({"image": "x" * 900_001}, "row of 900013 bytes; the limit is 900000"),
}


@pytest.mark.parametrize("case", BAD)
def test_if_one_is_bad_none_is_made(api: Api, project: int, case: str):
    item, sentence = BAD[case]
    error = send(api, project, [WHOLE, item], 400)
    assert list(error["validation_errors"]) == ["1"]
    assert sentence in error["validation_errors"]["1"][0]
    assert [api.count(name) for name in ("tasks", "annotations", "predictions", "uploads")] == [0] * 4


def test_faults_are_told_in_bounds(api: Api, project: int):
    assert len(send(api, project, [5] * 1000, 400)["validation_errors"]) == 20


def test_what_a_task_does_not_have_may_be_anything(api: Api, project: int):
    """Keys beside data are left out unread, however deep they are."""
    answer = send(api, project, [{**WHOLE, "drafts": DEEP, "id": "x"}])
    assert answer["task_count"] == 1


def test_one_task(api: Api, project: int):
    body = {"project": project, "data": {"image": "a"}, "meta": {"m": 1}, "allow_skip": False}
    made = api.post("/api/tasks/", body, 201)
    assert list(made) == NEW
    assert (made["data"], made["meta"], made["project"], made["is_labeled"]) == (
        {"image": "a"},
        {"m": 1},
        project,
        False,
    )
    again = api.post("/api/tasks", {**body, **{k: WHOLE[k] for k in ("annotations", "predictions")}}, 201)
    assert again["id"] != made["id"]
    assert (again["total_annotations"], again["cancelled_annotations"], again["is_labeled"]) == (1, 1, True)
    assert images(api, project) == ["a", "a"]
    assert_consistent(api.ctx, project)


BAD_TASKS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no project": ({"project": None}, "project", "may not be null"),
    "unknown project": ({"project": 99}, "project", 'Invalid pk "99"'),
    "project a list": ({"project": DEEP}, "project", "Incorrect type"),
    "no data": ({"data": None}, "data", "at least one key"),
    "empty data": ({"data": {}}, "data", "at least one key"),
    "data a text": ({"data": "image"}, "data", "at least one key"),
    "no image": ({"data": {"text": "a"}}, "data", '"image" key is expected'),
    "too deep": ({"data": {"image": DEEP}}, "data", "nested too deep"),
    "too large": ({"data": {"image": "x" * 900_000}}, "data", "the limit is 900000"),
    "meta a list": ({"meta": [1]}, "non_field_errors", "'meta' must be an object"),
    "annotations a text": ({"annotations": "x"}, "non_field_errors", "'annotations' must be a list"),
}


@pytest.mark.parametrize("case", BAD_TASKS)
def test_one_bad_task(api: Api, project: int, case: str):
    fields, name, sentence = BAD_TASKS[case]
    error = api.post("/api/tasks/", {"project": project, "data": {"image": "a"}, **fields}, 400)
    assert list(error["validation_errors"]) == [name]
    assert sentence in error["validation_errors"][name][0]
    assert api.count("tasks") == 0


def test_what_others_do_not_own_is_not_there(api: Api, project: int):
    other = api.as_user(api.project())
    number = send(api, project, [{"image": "a"}])["import"]
    send(other, project, [{"image": "a"}], 404)
    other.get(f"/api/projects/{project}/imports/{number}", 404)
    own = api.project()
    error = api.get(f"/api/projects/{own}/imports/{number}", 404)
    assert error["detail"] == "No ProjectImport matches the given query."
    error = other.post("/api/tasks/", {"project": project, "data": {"image": "a"}}, 400)
    assert error["validation_errors"] == {"project": [f'Invalid pk "{project}" - object does not exist.']}
