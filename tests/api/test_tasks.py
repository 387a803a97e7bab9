"""Tasks over HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.ports import Query, Ref
from shared.services import paging
from tests.api.client import Api, words

ALL = words(
    "id predictions annotations drafts annotators inner_id cancelled_annotations total_annotations total_predictions "
    "completed_at annotations_results predictions_results predictions_score file_upload storage_filename "
    "annotations_ids predictions_model_versions avg_lead_time draft_exists updated_by data meta created_at updated_at "
    "is_labeled overlap comment_count unresolved_comment_count last_comment_updated_at project comment_authors"
)
TASK_ONLY = [
    key
    for key in ALL
    if key not in {"predictions", "annotations", "completed_at", "predictions_score", "avg_lead_time", "draft_exists"}
]


@pytest.fixture
def blobs(api: Api) -> int:
    """A project with 25 tasks, one for each picture of a folder."""
    return synced(api, files=25)


def synced(api: Api, files: int = 0, **fields: Any) -> int:
    project = api.project()
    api.folder(files=files)
    storage = api.local(project, **fields)["id"]
    api.post(f"/api/storages/localfiles/{storage}/sync")
    api.work()
    return project


def file_tasks(api: Api, text: str) -> int:
    Path(api.folder("rows"), "rows.json").write_text(text)
    return synced(api, path=api.folder("rows"), use_blob_urls=False)


def test_a_page_has_the_totals_and_the_tasks_in_the_order_of_their_source(api: Api, blobs: int):
    page = api.get(f"/api/tasks/?project={blobs}&page_size=10&fields=all")
    assert list(page) == ["total_annotations", "total_predictions", "total", "tasks"]
    assert (page["total"], page["total_annotations"], page["total_predictions"]) == (25, 0, 0)
    assert [task["storage_filename"] for task in page["tasks"]] == [f"{n:04d}.png" for n in range(10)]
    first = page["tasks"][0]
    assert list(first) == ALL
    assert first["data"] == {"image": "/data/local-files/?d=digits/0000.png"}
    assert (first["project"], first["is_labeled"], first["overlap"]) == (blobs, False, 1)
    assert api.get(f"/api/tasks/{first['id']}/") == first
    assert list(api.get(f"/api/tasks/?project={blobs}")["tasks"][0]) == TASK_ONLY


def test_pages_end_with_404(api: Api, blobs: int):
    names: list[str] = []
    for page in (1, 2, 3):
        names += [
            t["storage_filename"] for t in api.get(f"/api/tasks?project={blobs}&page={page}&page_size=10")["tasks"]
        ]
    assert names == [f"{n:04d}.png" for n in range(25)]
    for beyond in ("4", "5", "1000000000", "0", "-1", "x"):
        error = api.get(f"/api/tasks/?project={blobs}&page={beyond}&page_size=10", 404)
        assert error["detail"] == "Invalid page."
    assert len(api.get(f"/api/tasks/?project={blobs}&page_size=99999999999")["tasks"]) == 25
    assert len(api.get(f"/api/tasks/?project={blobs}&page_size=x")["tasks"]) == 25
    empty = api.project()
    assert api.get(f"/api/tasks/?project={empty}")["tasks"] == []
    api.get(f"/api/tasks/?project={empty}&page=2", 404)


def test_a_full_last_page_is_followed_by_404(api: Api, blobs: int):
    for page in range(1, 6):
        assert len(api.get(f"/api/tasks/?project={blobs}&page={page}&page_size=5")["tasks"]) == 5
    api.get(f"/api/tasks/?project={blobs}&page=6&page_size=5", 404)


def test_reading_page_after_page_reads_each_task_once(api: Api, blobs: int, monkeypatch: pytest.MonkeyPatch):
    read = []
    query = api.ctx.documents.query

    def counted(asked: Query) -> Any:
        found = query(asked)
        if asked.collection == "tasks":
            read.append(len(found))
        return found

    api.ctx.documents.query = counted  # type: ignore[method-assign]
    for page in range(1, 6):
        api.get(f"/api/tasks/?project={blobs}&page={page}&page_size=5")
    assert read == [5] * 5
    # A jump, as of a process that knows nothing, walks there once, without content.
    read.clear()
    monkeypatch.setattr(paging, "STRIDE", 4)
    tasks = api.get(f"/api/tasks/?project={blobs}&page=3&page_size=7")["tasks"]
    assert tasks[0]["storage_filename"] == "0014.png"
    assert read == [4, 4, 4, 2, 7]


def test_without_a_project(api: Api):
    assert api.get("/api/tasks/", 404) == {"detail": "Neither project nor view id specified"}
    assert api.get("/api/tasks/?project=99", 404)["detail"] == "No Project matches the given query."


def test_content_of_a_file_comes_back_unharmed(api: Api):
    rows = """[
      {"data": {"big": 9007199254740993, "float": 0.1, "deep": [[["x"]]]}, "meta": {"from": "file"},
       "predictions": [{"result": [{"value": 1}], "score": 0.5, "model_version": "v1"}, {"result": []}],
       "annotations": [{"result": [], "completed_by": 3, "lead_time": 1.5}, {"result": [], "was_cancelled": true}]}
    ]"""
    project = file_tasks(api, rows)
    answer = api.http.get(f"/api/tasks/?project={project}&fields=all")
    assert "9007199254740993" in answer.text
    page = answer.json()
    assert (page["total_annotations"], page["total_predictions"]) == (1, 2)
    task = page["tasks"][0]
    assert task["data"] == {"big": 9007199254740993, "float": 0.1, "deep": [[["x"]]]}
    assert task["meta"] == {"from": "file"}
    prediction, annotation = task["predictions"][0], task["annotations"][0]
    assert (prediction["result"], prediction["score"], prediction["task"]) == ([{"value": 1}], 0.5, task["id"])
    assert (annotation["completed_by"], annotation["lead_time"], annotation["was_cancelled"]) == (3, 1.5, False)
    assert (task["predictions_score"], task["predictions_model_versions"], task["annotators"]) == (
        0.5,
        "v1",
        [{"user_id": 3}],
    )
    assert (task["is_labeled"], task["cancelled_annotations"]) == (True, 1)
    ids = [item["id"] for item in task["predictions"] + task["annotations"]]
    assert len(set(ids)) == 4
    assert task["annotations_ids"] == ",".join(map(str, ids[2:]))


def test_the_nameless_value_is_renamed_wherever_it_fits(api: Api):
    rows = [{"$undefined$": "a"}, {"$undefined$": "b", "image": "c"}, {"text": "$undefined$"}]
    project = file_tasks(api, json.dumps(rows))
    shown = [task["data"] for task in api.get(f"/api/tasks/?project={project}")["tasks"]]
    assert shown == [{"image": "a"}, {"image": "b"}, {"text": "$undefined$"}]
    api.call("PATCH", f"/api/projects/{project}", json={"label_config": "<View/>"})
    assert api.get(f"/api/tasks/?project={project}")["tasks"][0]["data"] == {"$undefined$": "a"}


def test_a_deleted_task_stays_deleted(api: Api):
    rows = [{"data": {"n": n}, "predictions": [{"result": []}], "annotations": [{"result": []}]} for n in range(3)]
    project = file_tasks(api, json.dumps(rows))
    task = api.get(f"/api/tasks/?project={project}")["tasks"][1]["id"]
    api.call("DELETE", f"/api/tasks/{task}/", 204)
    api.get(f"/api/tasks/{task}/", 404)
    api.call("DELETE", f"/api/tasks/{task}/", 404)
    stored = api.ctx.documents.get(Ref("tasks", str(task)))
    assert stored is not None
    assert (stored.data["data"], stored.data["prediction_ids"], stored.data["annotation_ids"]) == (b"{}", [], [])
    assert (api.count("annotations"), api.count("predictions")) == (2, 2)
    storage = api.get(f"/api/storages/?project={project}")[0]["id"]
    api.post(f"/api/storages/localfiles/{storage}/sync")
    api.work()
    page = api.get(f"/api/tasks/?project={project}&fields=all")
    assert (page["total"], page["total_annotations"], page["total_predictions"]) == (2, 2, 2)
    assert [t["data"] for t in page["tasks"]] == [{"n": 0}, {"n": 2}]
