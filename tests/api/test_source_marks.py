"""Marks of tasks whose source changed or went, as people read them, and what a sync may be asked for."""

from pathlib import Path
from typing import Any

import pytest

from tests.api import shapes
from tests.api.client import Api


class Folder:
    """A folder of pictures that is synced."""

    def __init__(self, api: Api, **settings: Any) -> None:
        self.api = api
        self.path = Path(api.folder(files=3))
        self.project = api.project()
        self.storage = api.local(self.project, **settings)
        self.sync()

    def sync(self, wishes: str = "") -> Any:
        self.api.post(f"/api/storages/localfiles/{self.storage['id']}/sync{wishes}")
        self.api.work()
        return self.api.get(f"/api/storages/localfiles/{self.storage['id']}")

    def tasks(self, more: str = "") -> list[Any]:
        found: list[Any] = self.api.get(f"/api/tasks/?project={self.project}&fields=all{more}")["tasks"]
        return found


def test_an_ordinary_task_says_nothing_of_its_source(api: Api):
    folder = Folder(api)
    for task in folder.tasks():
        shapes.check("TASK", task)


def test_a_mark_stands_at_the_end(api: Api):
    folder = Folder(api, on_deleted="mark")
    first, second, _ = folder.tasks()
    for task in (first, second):
        api.post(f"/api/tasks/{task['id']}/annotations/", {"result": []}, 201)
    (folder.path / "0000.png").write_bytes(b"another picture, and another size")
    (folder.path / "0001.png").unlink()
    folder.sync()

    changed, gone, plain = folder.tasks()
    assert (list(changed)[-1], list(gone)[-1]) == ("source_changed", "source_deleted")
    for task in (changed, gone):
        mark = task.popitem()[1]
        assert list(mark) == ["version", "at"]
        assert mark["version"]
    for task in (changed, gone, plain):
        shapes.check("TASK", task)
    for task in (changed, gone):
        assert list(api.get(f"/api/tasks/{task['id']}/"))[-1].startswith("source_")
    assert list(folder.tasks("&task_only=true")[0])[-1] == "source_changed"

    (folder.path / "0001.png").write_bytes(b"picture 1")
    folder.sync()
    assert [list(task)[-1] for task in folder.tasks()] == ["source_changed"] * 2 + ["comment_authors"]


def test_an_address_that_changed_keeps_its_task(api: Api):
    folder = Folder(api)
    before = folder.tasks()
    (folder.path / "0000.png").write_bytes(b"another picture, and another size")
    done = folder.sync()
    assert (done["last_sync_count"], done["meta"]["tasks_updated"], done["meta"]["tasks_deleted"]) == (0, 1, 0)
    after = folder.tasks()
    assert [(task["id"], task["data"]) for task in after] == [(task["id"], task["data"]) for task in before]
    assert after[0]["updated_at"] > before[0]["updated_at"]


def test_deleted_tasks_come_back_when_asked_for(api: Api):
    folder = Folder(api)
    first = folder.tasks()[0]["id"]
    api.call("DELETE", f"/api/tasks/{first}/", 204)
    assert folder.sync()["last_sync_count"] == 0
    assert folder.sync("?reimport_deleted=true")["last_sync_count"] == 1
    assert folder.tasks()[0]["id"] == first
    assert folder.sync("?reimport_deleted=true")["last_sync_count"] == 0


@pytest.mark.parametrize("wish", ["reimport_deleted", "delete_gone"])
def test_a_wish_that_can_t_be_granted(api: Api, wish: str):
    storage = api.local(api.project())
    path = f"/api/storages/localfiles/{storage['id']}/sync"
    assert api.post(f"{path}?{wish}=perhaps", status=400)["validation_errors"].keys() == {wish}
    api.post(path)
    error = api.post(f"{path}?{wish}=true", status=400)
    assert "under way" in error["validation_errors"][wish][0]
    assert api.post(f"{path}?{wish}=false")["status"] == "queued"


@pytest.mark.parametrize(
    ("field", "value"),
    [("on_changed", "delete"), ("on_deleted", None), ("on_deleted", True), ("sync_interval", -1)],
)
def test_settings_that_are_none(api: Api, field: str, value: Any):
    error = api.local(api.project(), 400, **{field: value})
    assert error["validation_errors"].keys() == {field}
