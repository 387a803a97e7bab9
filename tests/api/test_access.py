"""What members see: everything of their projects, and of others as little as of what does not exist."""

import pytest

from shared.ports import Update
from tests.api.client import Api
from tests.api.world import make


def without_id(answer: dict) -> dict:
    """An error without the number that differs each time."""
    return {name: value for name, value in answer.items() if name != "id"}


@pytest.fixture
def filled(api: Api) -> tuple[int, int, int]:
    """A project, its storage, and one of its tasks."""
    project = api.project()
    storage = api.local(project, path=api.folder(files=2))["id"]
    api.post(f"/api/storages/localfiles/{storage}/sync")
    api.work()
    task = api.get("/api/tasks/", params={"project": project, "page_size": 1})["tasks"][0]["id"]
    return project, storage, task


def test_a_member_works_within_their_project(api: Api, filled: tuple[int, int, int]):
    project, storage, task = filled
    member = api.as_user(project)
    path = f"/api/storages/localfiles/{storage}"
    assert member.get("/api/current-user/whoami")["id"] == 2
    assert member.get(f"/api/projects/{project}/") == api.get(f"/api/projects/{project}/")
    assert member.call("PATCH", f"/api/projects/{project}/", json={"title": "Another"})["title"] == "Another"
    assert [one["id"] for one in member.get("/api/storages/", params={"project": project})] == [storage]
    assert [one["id"] for one in member.get("/api/storages/localfiles", params={"project": project})] == [storage]
    assert member.get(path)["status"] == "completed"
    assert member.call("PATCH", path, json={"title": "Mine"})["title"] == "Mine"
    member.post(f"{path}/sync")
    member.post("/api/storages/localfiles/validate", {"project": project, "path": api.folder()})
    member.post("/api/storages/localfiles/validate", {"project": project, "path": api.folder(), "id": storage})
    assert member.get("/api/tasks/", params={"project": project})["total"] == 2
    assert member.get(f"/api/tasks/{task}")["project"] == project
    member.call("DELETE", f"/api/tasks/{task}", 204)
    member.call("DELETE", path, 204)
    assert member.local(project)["project"] == project


def test_of_another_project_a_member_gets_what_nobody_has(api: Api, filled: tuple[int, int, int]):
    """Each request answers as the same request for an id that does not exist."""
    project, storage, task = filled
    member = api.as_user(api.project())
    nothing = {"project": 99, "storage": 99, "task": 99}
    theirs = {"project": project, "storage": storage, "task": task}
    requests = [
        ("GET", "/api/projects/{project}/", None),
        ("PATCH", "/api/projects/{project}", {"title": "Mine now"}),
        ("GET", "/api/storages/?project={project}", None),
        ("GET", "/api/storages/localfiles/?project={project}", None),
        *((method, "/api/storages/localfiles/{storage}", {"title": "x"}) for method in ("GET", "PATCH", "PUT")),
        ("DELETE", "/api/storages/localfiles/{storage}", None),
        ("POST", "/api/storages/localfiles/{storage}/sync", None),
        ("GET", "/api/storages/s3/{storage}", None),
        ("GET", "/api/tasks/?project={project}", None),
        ("GET", "/api/tasks/{task}", None),
        ("DELETE", "/api/tasks/{task}", None),
    ]
    before = api.get(f"/api/storages/localfiles/{storage}")
    for method, path, body in requests:
        answers = [member.http.request(method, path.format(**ids), json=body) for ids in (theirs, nothing)]
        assert answers[0].status_code == answers[1].status_code == (200 if path.startswith("/api/storages/?") else 404)
        texts = [answer.text.replace(str(storage), "99") for answer in answers]
        if answers[0].status_code == 404:
            shapes = [without_id(answer.json()) for answer in answers]
            texts = [str(shape).replace(f"id {storage}.", "id 99.") for shape in shapes]
        assert texts[0] == texts[1], f"{method} {path}"
    assert api.get(f"/api/storages/localfiles/{storage}") == before
    assert api.get(f"/api/tasks/{task}")["id"] == task
    assert api.get(f"/api/projects/{project}")["title"] == "Some project"


@pytest.mark.parametrize("path", ["/api/storages/localfiles/", "/api/storages/localfiles/validate"])
def test_a_foreign_project_in_a_body_does_not_exist(api: Api, filled: tuple[int, int, int], path: str):
    member = api.as_user()
    for project in (filled[0], 99):
        answer = member.post(path, {"project": project, "path": api.folder(), "use_blob_urls": True}, 400)
        assert answer["validation_errors"] == {"project": [f'Invalid pk "{project}" - object does not exist.']}


def test_a_foreign_storage_can_not_be_validated_with(api: Api, filled: tuple[int, int, int]):
    mine = api.project()
    member = api.as_user(mine)
    for storage in (filled[1], 99):
        body = {"project": mine, "path": api.folder(), "id": storage}
        answer = member.post("/api/storages/localfiles/validate", body, 404)
        assert answer["detail"].endswith(f"storage has the id {storage}.")


def test_projects_are_made_and_deleted_by_admins(api: Api, filled: tuple[int, int, int]):
    project = filled[0]
    member = api.as_user(project)
    for status in (
        member.post("/api/projects/", {"title": "Mine"}, 403),
        member.call("DELETE", f"/api/projects/{project}/", 403),
    ):
        assert status["detail"] == "You do not have permission to perform this action: only an admin has."
    assert api.get("/api/projects/")["count"] == 1
    second = api.as_user(role="admin")
    assert second.project() == project + 1
    assert api.get(f"/api/projects/{project + 1}")["created_by"]["email"] == "user-3@localhost"
    second.call("DELETE", f"/api/projects/{project}/", 204)


def test_a_member_lists_their_projects(api: Api):
    made = [api.project(title=f"Project {at}") for at in range(7)]
    member = api.as_user(*made[:5])
    api.call("DELETE", f"/api/projects/{made[3]}", 204)
    wanted = [made[4], made[2], made[1], made[0]]

    def page(at: int, status: int = 200) -> dict:
        return member.get("/api/projects/", status, params={"page": at, "page_size": 3})

    assert [one["id"] for one in page(1)["results"]] == wanted[:3]
    assert [one["id"] for one in page(2)["results"]] == wanted[3:]
    assert {page(at)["count"] for at in (1, 2)} == {4}
    assert (page(1)["previous"], page(2)["next"]) == (None, None)
    assert "page=2" in page(1)["next"]
    assert page(3, 404)["detail"] == page(0, 404)["detail"] == "Invalid page."
    nobody = api.as_user().get("/api/projects/")
    assert (nobody["count"], nobody["results"]) == (0, [])


def test_access_is_taken_and_given_at_once(api: Api, filled: tuple[int, int, int]):
    project = filled[0]
    member = api.as_user(project)
    member.get(f"/api/projects/{project}")
    for changes, status in (
        ({"projects": []}, 404),
        ({"role": "admin"}, 200),
        ({"role": "member", "projects": [project]}, 200),
        ({"active": False}, 401),
    ):
        stored = api.ctx.users.get(2)
        assert stored is not None
        api.ctx.documents.commit([Update(stored.ref, changes, stored.revision)])
        answer = member.get(f"/api/projects/{project}", status)
    assert answer["detail"] == "User inactive or deleted."


def test_a_project_of_their_own_opens_no_other(api: Api):
    """Ids of two projects in one request: each is asked for."""
    foreign, mine = make(api, "foreign"), make(api, "mine")
    member, own, theirs = mine.member, mine.project, foreign.ids
    task, annotation = theirs["/api/tasks/{id}"], theirs["/api/annotations/{id}"]
    upload = theirs["/api/projects/{id}/imports/{import_pk}"]
    assert member.post("/api/annotations/bulk-delete", {"project": own, "ids": [annotation]}) == {"deleted_count": 0}
    api.get(f"/api/annotations/{annotation}")
    member.post(f"/api/projects/{own}/import/predictions", [{"task": task, "result": []}], 400)
    member.get(f"/api/projects/{own}/imports/{upload}", 404)
    member.get("/api/predictions/", 404, params={"task": task, "project": own})
    member.post("/api/annotations/bulk", {"tasks": [mine.ids["/api/tasks/{id}"], task], "result": []}, 400)
    everybody = {"project": own, "selected_items": {"all": False, "included": [task]}, "result": []}
    assert member.post("/api/annotations/bulk", everybody, 201) == []
    found = member.get("/api/tasks/", params={"project": own, "selectedItems": f'{{"all":false,"included":[{task}]}}'})
    assert found["tasks"] == []
    assert len(api.get(f"/api/tasks/{task}/annotations/")) == 1
    assert len(api.get("/api/predictions/", params={"task": task})) == 1


def test_another_users_key_of_a_request_is_nothing_to_a_member(api: Api):
    foreign, mine = make(api, "foreign"), make(api, "mine")
    key = {"Idempotency-Key": "the same"}
    body = {"data": {"image": "x"}}
    first = foreign.member.post("/api/tasks/", {"project": foreign.project, **body}, 201, headers=key)
    second = mine.member.post("/api/tasks/", {"project": mine.project, **body}, 201, headers=key)
    assert (first["project"], second["project"]) == (foreign.project, mine.project)
