"""Files that change under tasks with predictions and annotations: nothing is orphaned, nobody's work is lost."""

import json
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.services.labelling import annotating
from tests.api.client import Api
from tests.labelling import assert_consistent, faults
from tests.stack import OVER


class File:
    """A file of tasks that is synced."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.path = Path(api.folder("rows"), "rows.json")
        self.project = api.project()
        self.storage = api.local(self.project, path=api.folder("rows"), use_blob_urls=False)["id"]

    def sync(self, rows: list[Any] | None = None) -> Any:
        """The storage after a sync, of a new content if that is given."""
        if rows is not None:
            self.path.write_text(json.dumps(rows))
        self.api.post(f"/api/storages/localfiles/{self.storage}/sync")
        self.api.work()
        assert_consistent(self.api.ctx, self.project)
        return self.api.get(f"/api/storages/localfiles/{self.storage}")

    def tasks(self) -> list[Any]:
        return list(self.api.get(f"/api/tasks/?project={self.project}&fields=all&page_size=1000")["tasks"])


@pytest.fixture
def file(api: Api) -> File:
    return File(api)


def row(name: str, predictions: int = 1, annotations: int = 0) -> dict[str, Any]:
    return {
        "data": {"name": name},
        "predictions": [{"result": [name, n], "model_version": name} for n in range(predictions)],
        "annotations": [{"result": [name, n]} for n in range(annotations)],
    }


def before(api: Api, wanted: Callable[[Any], bool], act: Callable[[], Any]) -> None:
    """Does something before the first commit whose writes are wanted."""
    commit = api.ctx.documents.commit

    def watched(writes: Any, checks: Any = ()) -> Any:
        if not wanted(writes):
            return commit(writes, checks)
        api.ctx.documents.commit = commit  # type: ignore[method-assign]
        act()
        return api.ctx.documents.commit(writes, checks)

    api.ctx.documents.commit = watched  # type: ignore[method-assign]


def rewrites_tasks(writes: Any) -> bool:
    return any(write.ref.collection == "tasks" and hasattr(write, "changes") for write in writes)


def test_predictions_of_a_row_are_replaced_with_it(api: Api, file: File):
    file.sync([row("a", 3), row("b", 2)])
    first, second = file.tasks()
    ended = file.sync([row("A", 2), row("b", 2)])
    assert (ended["status"], ended["last_sync_count"]) == ("completed", 0)
    after = file.tasks()
    assert [task["id"] for task in after] == [first["id"], second["id"]]
    assert after[0]["data"] == {"name": "A"}
    assert [one["result"] for one in after[0]["predictions"]] == [["A", 0], ["A", 1]]
    assert after[1] == second
    assert api.count("predictions") == 4


def test_predictions_that_people_sent_go_with_what_they_were_of(api: Api, file: File):
    file.sync([row("a")])
    task = file.tasks()[0]["id"]
    api.post("/api/predictions/", {"task": task, "result": ["theirs"]}, 201)
    file.sync([row("A", 0)])
    assert [(one["id"], one["predictions"], one["total_predictions"]) for one in file.tasks()] == [(task, [], 0)]
    assert api.count("predictions") == 0


def test_there_and_back_again(api: Api, file: File):
    """A, B, and A: its old numbers are free by then, and taken again."""
    file.sync([row("a", 2)])
    first = file.tasks()
    for name in ("b", "a", "b", "a"):
        file.sync([row(name, 2)])
    after = file.tasks()
    assert [one["id"] for one in after[0]["predictions"]] == [one["id"] for one in first[0]["predictions"]]
    assert [one["result"] for one in after[0]["predictions"]] == [["a", 0], ["a", 1]]
    assert api.count("predictions") == 2


@pytest.mark.parametrize("cancelled", [False, True])
def test_an_annotated_task_stays_as_it_was_seen(api: Api, file: File, cancelled: bool):
    file.sync([row("a"), row("b")])
    task = file.tasks()[0]
    body = {"result": ["mine"], "was_cancelled": cancelled}
    made = api.post(f"/api/tasks/{task['id']}/annotations/", body, 201)
    file.sync([row("A"), row("b")])
    kept = api.get(f"/api/tasks/{task['id']}/")
    assert (kept["data"], kept["predictions"], kept["annotations"]) == (task["data"], task["predictions"], [made])
    assert sorted(one["data"]["name"] for one in file.tasks()) == ["A", "a", "b"]
    file.sync([row("a"), row("b")])
    assert sorted(one["data"]["name"] for one in file.tasks()) == ["A", "a", "b"]
    api.call("DELETE", f"/api/annotations/{made['id']}/", 204)
    file.sync([row("C"), row("b")])
    assert "C" in {one["data"]["name"] for one in file.tasks()}


def test_annotations_that_come_with_a_changed_row(api: Api, file: File):
    file.sync([row("a", 1)])
    task = file.tasks()[0]["id"]
    file.sync([row("A", 1, annotations=2)])
    (after,) = file.tasks()
    assert (after["id"], after["total_annotations"], after["is_labeled"]) == (task, 2, True)
    file.sync([row("B", 1)])
    assert {one["data"]["name"] for one in file.tasks()} == {"A", "B"}


def test_one_who_annotates_in_the_middle_of_it_is_not_overwritten(api: Api, file: File):
    file.sync([row(f"{n}") for n in range(30)])
    chosen = [file.tasks()[at]["id"] for at in (3, 25)]

    def annotate() -> None:
        for task in chosen:
            annotating.create(api.ctx, task, {"result": ["mine"]}, user=1)

    before(api, rewrites_tasks, annotate)
    ended = file.sync([row(f"new {n}") for n in range(30)])
    assert ended["status"] == "completed"
    names = {one["id"]: one["data"]["name"] for one in file.tasks()}
    assert [names[task] for task in chosen] == ["3", "25"]
    assert sorted(names.values()) == sorted(["3", "25", *(f"new {n}" for n in range(30))])


def test_a_row_may_have_200_of_each(api: Api, file: File):
    ended = file.sync([row("a", 200, 200), row("b")])
    assert (ended["status"], ended["last_sync_count"]) == ("completed", 2)
    task = file.tasks()[0]
    assert (task["total_annotations"], task["total_predictions"]) == (200, 200)
    assert [one["result"][1] for one in task["annotations"]] == list(range(200))
    assert [one["result"][1] for one in task["predictions"]] == list(range(200))


@pytest.mark.parametrize(("predictions", "annotations"), [(201, 0), (0, 201)])
def test_201_are_a_bad_row(file: File, predictions: int, annotations: int):
    ended = file.sync([row("a"), row("b", predictions, annotations), row("c")])
    assert (ended["status"], ended["last_sync_count"]) == ("completed_with_errors", 2)
    assert "a task can have 200" in ended["traceback"]
    assert [task["data"]["name"] for task in file.tasks()] == ["a", "c"]


def test_no_commit_of_a_change_is_too_large(api: Api, file: File):
    """All that goes and comes with one row is more than a commit can hold; so are many rows together."""
    file.sync([row("a", 200), *(row(f"{n}", 60) for n in range(15))])
    first = file.tasks()[0]["id"]
    with faults(api.ctx) as tried:
        ended = file.sync([row("A", 200, 200), *(row(f"new {n}", 60) for n in range(15))])
    assert (ended["status"], ended["traceback"]) == ("completed", None)
    assert max(map(len, tried)) <= 500
    after = file.tasks()
    assert (after[0]["id"], after[0]["data"]) == (first, {"name": "A"})
    assert (after[0]["total_annotations"], after[0]["total_predictions"]) == (200, 200)
    assert [one["data"]["name"] for one in after[1:]] == [f"new {n}" for n in range(15)]


def test_large_rows_are_changed_in_several_commits(api: Api, file: File):
    def rows(letter: str) -> list[Any]:
        return [{"data": {"name": f"{n}", "text": letter * 400_000}} for n in range(20)]

    file.sync(rows("x"))
    ended = file.sync(rows("y"))
    assert (ended["status"], ended["meta"]["tasks_updated"], ended["traceback"]) == ("completed", 20, None)
    assert {task["data"]["text"][0] for task in file.tasks()} == {"y"}


def empties(writes: Any) -> bool:
    return any(getattr(write, "changes", {}).get("digest") == "" for write in writes)


def fills(writes: Any) -> bool:
    return any(getattr(write, "changes", {}).get("digest") for write in writes)


def test_one_who_annotates_between_the_two_commits_of_a_row_keeps_what_they_saw(api: Api, file: File):
    file.sync([row("a", 200)])
    task = file.tasks()[0]["id"]
    before(api, fills, lambda: annotating.create(api.ctx, task, {"result": ["mine"]}, user=1))
    ended = file.sync([row("A", 200, 200)])
    assert ended["status"] == "completed"
    assert {one["data"]["name"] for one in file.tasks()} == {"a", "A"}


@pytest.mark.parametrize("commit", [empties, fills])
@pytest.mark.parametrize("fault", ["lost", "refused", "vanished", "down"])
def test_a_row_that_takes_two_commits_survives_the_faults_of_either(api: Api, file: File, commit: Any, fault: Any):
    file.sync([row("a", 200)])
    task = file.tasks()[0]["id"]
    with ExitStack() as stack:
        before(api, commit, lambda: stack.enter_context(faults(api.ctx, fault)))
        ended = file.sync([row("A", 200, 200)])
        while ended["status"] not in OVER:  # the queue delivers again, a little later
            threading.Event().wait(0.05)
            ended = file.sync()
    assert ended["status"] == "completed"
    (after,) = file.tasks()
    assert (after["id"], after["data"]) == (task, {"name": "A"})
    assert (after["total_annotations"], after["total_predictions"]) == (200, 200)


def test_what_cannot_be_stored_is_one_bad_row(api: Api, file: File):
    """A commit that is refused as invalid is halved until the row is found, with all that comes with each."""
    api.ctx.settings = replace(api.ctx.settings, max_row_bytes=2_000_000)
    rows: list[Any] = [row(f"{n}", 2, 1) for n in range(9)]
    rows[4]["annotations"] = [{"result": []}, {"result": ["x" * 1_200_000]}]
    ended = file.sync(rows)
    assert (ended["status"], ended["last_sync_count"]) == ("completed_with_errors", 8)
    assert "can't be stored" in ended["traceback"]
    assert [task["data"]["name"] for task in file.tasks()] == [f"{n}" for n in range(9) if n != 4]
    assert (api.count("annotations"), api.count("predictions")) == (8, 16)
