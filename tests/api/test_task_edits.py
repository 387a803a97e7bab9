"""Tasks as people change and delete them."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.ports import Ref
from shared.services.labelling import task_edits
from tests.api.client import Api
from tests.api.test_import_tasks import DEEP, NEW
from tests.labelling import assert_consistent, faults


@pytest.fixture
def project(api: Api) -> int:
    return api.project()


@pytest.fixture
def task(api: Api, project: int) -> int:
    return imported(api, project, 1)[0]


def imported(api: Api, project: int, count: int) -> list[int]:
    items = [
        {
            "data": {"image": str(n)},
            "meta": {"n": n},
            "annotations": [{"result": []}, {"result": [], "was_cancelled": True}],
            "predictions": [{"result": []}],
        }
        for n in range(count)
    ]
    return list(api.post(f"/api/projects/{project}/import?return_task_ids=true", items, 201)["task_ids"])


def patch(api: Api, task: int, status: int = 200, **fields: Any) -> Any:
    return api.call("PATCH", f"/api/tasks/{task}/", status, json=fields)


def test_what_is_given_changes_and_nothing_else(api: Api, task: int):
    before = api.get(f"/api/tasks/{task}/")
    answer = patch(api, task, data={"image": "new", "more": [1]})
    assert list(answer) == NEW
    after = api.get(f"/api/tasks/{task}/")
    assert after == {**before, "data": {"image": "new", "more": [1]}, "updated_at": answer["updated_at"]}
    assert after["updated_at"] > before["updated_at"]
    assert patch(api, task, meta={"m": 2}, allow_skip=False)["meta"] == {"m": 2}
    assert patch(api, task, meta=None)["meta"] == {}
    assert api.get(f"/api/tasks/{task}/")["data"] == after["data"]


def test_an_edit_that_changes_nothing_writes_nothing(api: Api, project: int, task: int):
    with faults(api.ctx) as tried:
        patch(api, task, data={"image": "0"}, meta={"n": 0}, allow_skip=True, project=project, unknown=1)
        patch(api, task)
    assert tried == []


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "empty data": ({"data": {}}, "data", "at least one key"),
    "null data": ({"data": None}, "data", "at least one key"),
    "no image": ({"data": {"text": "a"}}, "data", '"image" key is expected in task data'),
    "deep data": ({"data": {"image": DEEP}}, "data", "nested too deep"),
    "large data": ({"data": {"image": "x" * 900_000}}, "data", "the limit is 900000"),
    "meta a list": ({"meta": [1]}, "meta", "Write an object"),
    "meta a text": ({"meta": "m"}, "meta", "Write an object"),
    "deep meta": ({"meta": {"m": DEEP}}, "meta", "nested too deep"),
    "large meta": ({"meta": {"m": "x" * 900_000}}, "meta", "at most 900000 bytes"),
    "allow_skip a text": ({"allow_skip": "no"}, "allow_skip", "Must be a valid boolean."),
    "another project": ({"project": 99}, "project", "can't move to another project"),
    "project a list": ({"project": DEEP}, "project", "can't move to another project"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused(api: Api, task: int, case: str):
    fields, name, sentence = BAD[case]
    before = api.get(f"/api/tasks/{task}/")
    error = patch(api, task, 400, **fields)
    assert list(error["validation_errors"]) == [name]
    assert sentence in error["validation_errors"][name][0]
    assert api.get(f"/api/tasks/{task}/") == before


def test_what_is_too_large_together_is_refused_too(api: Api, task: int):
    patch(api, task, data={"image": "x" * 600_000})
    error = patch(api, task, 400, meta={"m": "x" * 600_000})
    assert "at most 1000000" in error["validation_errors"]["non_field_errors"][0]
    assert api.get(f"/api/tasks/{task}/")["meta"] == {"n": 0}


@pytest.mark.parametrize("script", [["lost"], ["vanished"], ["refused"], ["refused", "lost"], ["lost", "refused"]])
def test_no_fault_of_a_commit_is_seen(api: Api, project: int, task: int, script: Any):
    with faults(api.ctx, *script):
        assert patch(api, task, data={"image": "new"})["data"] == {"image": "new"}
    with faults(api.ctx, *script):
        api.call("DELETE", f"/api/tasks/{task}/", 204)
    api.call("DELETE", f"/api/tasks/{task}/", 404)
    assert (api.count("annotations"), api.count("predictions")) == (0, 0)
    assert_consistent(api.ctx, project)


def test_an_edited_task_is_not_rewritten_by_a_changed_file(api: Api, project: int):
    file = Path(api.folder("rows"), "rows.json")
    file.write_text(json.dumps([{"image": "a"}, {"image": "b"}]))
    storage = api.local(project, path=api.folder("rows"), use_blob_urls=False)["id"]

    def synced() -> list[tuple[int, str]]:
        api.post(f"/api/storages/localfiles/{storage}/sync")
        api.work()
        return [(task["id"], task["data"]["image"]) for task in api.get(f"/api/tasks/?project={project}")["tasks"]]

    (first, _), (second, _) = synced()
    patch(api, first, data={"image": "edited"})
    file.write_text(json.dumps([{"image": "new a"}, {"image": "new b"}]))
    after = synced()
    assert (first, "edited") in after
    assert (second, "new b") in after
    assert [image for number, image in after if number not in (first, second)] == ["new a"]


def test_deleting_takes_what_was_said_of_it(api: Api, project: int):
    numbers = imported(api, project, 3)
    api.call("DELETE", f"/api/tasks/{numbers[1]}/", 204)
    for method in ("GET", "PATCH", "DELETE"):
        error = api.call(method, f"/api/tasks/{numbers[1]}/", 404, **({"json": {}} if method == "PATCH" else {}))
        assert error["detail"] == "No Task matches the given query."
    api.get(f"/api/tasks/{numbers[1]}/annotations/", 404)
    api.get(f"/api/predictions/?task={numbers[1]}", 404)
    assert (api.count("annotations"), api.count("predictions")) == (4, 2)
    assert assert_consistent(api.ctx, project) == {
        "total_annotations": 2,
        "cancelled_annotations": 2,
        "total_predictions": 2,
    }


def test_all_tasks_of_a_project(api: Api, project: int):
    imported(api, project, 250)
    kept = api.project()
    imported(api, kept, 1)
    with faults(api.ctx, "", "refused", "lost") as tried:
        status = api.http.delete(f"/api/projects/{project}/tasks/").status_code
        while status == 503:
            status = api.http.delete(f"/api/projects/{project}/tasks/").status_code
    assert status == 204
    assert max(map(len, tried)) <= 500
    assert api.get(f"/api/tasks/?project={project}")["total"] == 0
    assert (api.count("annotations"), api.count("predictions")) == (2, 1)
    assert_consistent(api.ctx, project)
    assert assert_consistent(api.ctx, kept)["total_predictions"] == 1


def test_more_than_one_request_can_delete_takes_several(api: Api, project: int, monkeypatch: pytest.MonkeyPatch):
    imported(api, project, 250)
    monkeypatch.setattr(task_edits, "DELETE_SECONDS", -1.0)
    answer = api.http.delete(f"/api/projects/{project}/tasks")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "0")
    assert "send the request again" in answer.json()["detail"]
    monkeypatch.undo()
    api.call("DELETE", f"/api/projects/{project}/tasks", 204)
    assert api.get(f"/api/tasks/?project={project}")["total"] == 0


def test_a_deleted_task_keeps_nothing_but_its_place(api: Api, project: int):
    """Deleted one by one or all together: the same remains."""
    one, two = imported(api, project, 2)
    api.call("DELETE", f"/api/tasks/{one}/", 204)
    api.call("DELETE", f"/api/projects/{project}/tasks/", 204)
    for number in (one, two):
        left = api.ctx.documents.get(Ref("tasks", str(number)))
        assert left is not None
        assert (left.data["data"], left.data["meta"], left.data["annotation_ids"]) == (b"{}", b"", [])
    assert_consistent(api.ctx, project)
