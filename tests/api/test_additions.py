"""Records of a dataset become tasks of projects, over HTTP."""

from dataclasses import replace
from typing import Any

import pytest

from infra.bench.s3_process import S3Server
from shared.services.sweeping import sweep
from tests.api.client import Api
from tests.api.datasets import synced


def add(api: Api, path: str, project: int, status: int = 201, **asked: Any) -> Any:
    """The addition as it is in the end."""
    given = {"filter": {}} | asked if "records" not in asked else asked
    made = api.post(f"{path}/records/add-to-project", {"project": project, **given}, status)
    if status != 201:
        return made["validation_errors"]
    assert (made["state"], made["created"]) == ("queued", 0)
    api.work()
    return api.get(f"{path}/additions/{made['id']}")


def tasks(api: Api, project: int, **query: Any) -> list[Any]:
    found: list[Any] = api.get("/api/tasks/", params={"project": project, "resolve_uri": False, **query})["tasks"]
    return found


def counts(addition: Any) -> tuple[int, ...]:
    return tuple(addition[name] for name in ("selected", "created", "existed", "deleted", "failed", "missing"))


def test_a_filter(api: Api, s3: S3Server):
    path, project = synced(api, s3), api.project()
    done = add(api, path, project, filter={"prefix": "img/", "min_size": 1, "content_type": None})
    assert (done["state"], counts(done)) == ("completed", (10, 10, 0, 0, 0, 0))
    assert (done["filter"], done["records"], done["reason"]) == ({"prefix": "img/", "min_size": "1"}, None, None)
    assert done["at"] == "img/00000009.jpg"
    assert done["created_at"] <= done["started_at"] <= done["finished_at"] == done["updated_at"]
    assert api.get(f"{path}/additions") == [done]
    made = tasks(api, project)
    records = api.get(f"{path}/records", params={"prefix": "img/"})["records"]
    assert [task["data"] for task in made] == [{"image": record["uri"]} for record in records]
    links = [{"dataset": done["dataset"], "id": it["id"], "version": it["version"]} for it in records]
    assert [task["record"] for task in made] == links
    assert list(made[0])[-1] == "record"
    assert [task["storage_filename"] for task in made] == [record["key"] for record in records]


def test_again_and_elsewhere(api: Api, s3: S3Server):
    """No second task in a project; another project has its own. A task that a user deleted stays so unless asked."""
    path, project = synced(api, s3), api.project()
    assert counts(add(api, path, project, filter={"glob": "img/*"}))[1] == 10
    gone = tasks(api, project)[0]
    api.call("DELETE", f"/api/tasks/{gone['id']}/", 204)
    assert counts(add(api, path, project)) == (12, 2, 9, 1, 0, 0)
    assert len(tasks(api, project)) == 11
    assert counts(add(api, path, project, reimport_deleted=True)) == (12, 1, 11, 0, 0, 0)
    back = api.get(f"/api/tasks/{gone['id']}/?resolve_uri=false")
    assert (back["data"], back["record"]) == (gone["data"], gone["record"])
    assert back["created_at"] > gone["created_at"]
    other = api.project()
    assert counts(add(api, path, other))[1] == 12
    assert api.count("tasks") == 24
    assert [one["project"] for one in api.get(f"{path}/additions", params={"page_size": 2})] == [other, project]


def test_ids(api: Api, s3: S3Server):
    path, project = synced(api, s3), api.project()
    records = api.get(f"{path}/records")["records"]
    wanted = [records[7], records[2]]
    done = add(api, path, project, records=[*(it["id"] for it in wanted), wanted[0]["id"]])
    assert (done["state"], counts(done)) == ("completed", (2, 2, 0, 0, 0, 0))
    assert (done["filter"], done["records"]) == (None, 2)
    assert {task["record"]["id"] for task in tasks(api, project)} == {it["id"] for it in wanted}
    done = add(api, path, project, records=[wanted[0]["id"], 1])
    assert (done["state"], counts(done)) == ("completed_with_errors", (1, 0, 1, 0, 0, 1))


REFUSED: list[tuple[dict[str, Any], set[str]]] = [
    ({"filter": None}, {"filter"}),
    ({"filter": {"colour": "red"}}, {"filter"}),
    ({"filter": {"min_size": "x", "modified_after": "y", "glob": 7.5}}, {"glob"}),
    ({"filter": {"min_size": "x", "modified_after": "y"}}, {"min_size", "modified_after"}),
    ({"records": []}, {"records"}),
    ({"records": "all"}, {"records"}),
    ({"records": [0]}, {"records"}),
    ({"records": ["7"]}, {"records"}),
    ({"records": [True]}, {"records"}),
    ({"records": [2**53]}, {"records"}),
    ({"records": [*range(1, 1002)]}, {"records"}),
    ({"records": [1], "filter": {}}, {"non_field_errors"}),
    ({"project": 999}, {"project"}),
    ({"project": None, "reimport_deleted": "yes"}, {"project", "reimport_deleted"}),
]


@pytest.mark.parametrize(("given", "fields"), REFUSED)
def test_what_is_refused(api: Api, s3: S3Server, given: dict[str, Any], fields: set[str]):
    path, project = synced(api, s3), api.project()
    body = {"project": project, **({} if "records" in given else {"filter": {}}), **given}
    assert {*api.post(f"{path}/records/add-to-project", body, 400)["validation_errors"]} == fields
    assert api.count("additions") == 0


def test_additions_are_the_datasets_own(api: Api, s3: S3Server):
    path, project = synced(api, s3), api.project()
    other = synced(api, s3)
    done = add(api, path, project)
    for unknown in (f"{other}/additions/{done['id']}", f"{path}/additions/x", f"{path}/additions/a.b"):
        api.get(unknown, 404)
    assert api.get(f"{other}/additions") == []
    api.call("DELETE", path, 204)
    sweep(api.ctx)
    assert api.count("additions") == 0
    assert len(tasks(api, project)) == 12


def test_what_ends_it(api: Api, s3: S3Server):
    path, project, other = synced(api, s3), api.project(), api.project()
    asked = [api.post(f"{path}/records/add-to-project", {"project": it, "filter": {}}, 201) for it in (project, other)]
    api.call("DELETE", f"/api/projects/{project}/", 204)
    api.work()
    first, second = (api.get(f"{path}/additions/{it['id']}") for it in asked)
    assert (first["state"], first["reason"], counts(first)[0]) == ("failed", "The project was deleted.", 0)
    assert second["state"] == "completed"
    third = api.post(f"{path}/records/add-to-project", {"project": other, "filter": {}}, 201)
    s3.fill("elsewhere", 1)
    api.call("PATCH", path, json={"bucket": "elsewhere"})
    api.work()
    ended = api.get(f"{path}/additions/{third['id']}")
    assert ended["state"] == "failed"
    assert "another bucket" in ended["reason"]


def test_a_lost_message_and_small_slices(api: Api, s3: S3Server, monkeypatch: pytest.MonkeyPatch):
    """The sweep wakes it; it goes on from message to message, a few records each; and is forgotten some day."""
    path, project = synced(api, s3), api.project()
    with monkeypatch.context() as lost:
        lost.setattr(api.ctx.queue, "enqueue", lambda _message: True)
        made = api.post(f"{path}/records/add-to-project", {"project": project, "filter": {}}, 201)
    api.work()
    assert api.get(f"{path}/additions/{made['id']}")["state"] == "queued"
    real = api.ctx.clock
    api.ctx.settings = replace(api.ctx.settings, batch_writes=53, slice_seconds=0.0)
    api.ctx.clock = lambda: real() + 60
    sweep(api.ctx)
    api.work()
    done = api.get(f"{path}/additions/{made['id']}")
    assert (done["state"], counts(done)) == ("completed", (12, 12, 0, 0, 0, 0))
    stored = api.ctx.additions.get(made["id"])
    assert stored is not None
    assert stored.value.ticket == 2 + 3  # the sweep's, then one for each commit but the last
    api.ctx.clock = lambda: real() + 60 + 31 * 86_400
    sweep(api.ctx)
    assert api.count("additions") == 0
    assert len(tasks(api, project)) == 12
