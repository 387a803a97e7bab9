"""Users over HTTP: made, edited, deleted by admins; bounded, with addresses that are unique."""

from dataclasses import replace

import pytest

from tests.api.client import Api, words
from tests.api.test_tokens import refreshed, together

KEYS = words(
    "id first_name last_name username email last_activity avatar initials phone active_organization "
    "active_organization_meta allow_newsletters date_joined role projects"
)


def test_a_user_is_made_edited_and_deleted(api: Api):
    project = api.project()
    made = api.post("/api/users/", {"email": "Ann@Example.org", "projects": [project], "first_name": "Ann"}, 201)
    assert list(made) == KEYS
    assert (
        made.items() >= {"id": 2, "username": "Ann", "role": "member", "projects": [project], "initials": "A"}.items()
    )
    token = api.post("/api/token/", {"user": 2}, 201)["token"]
    member = api.with_token("")
    member.http.headers["Authorization"] = f"Bearer {refreshed(api, token)['access']}"
    assert (
        member.get("/api/current-user/whoami") == member.get("/api/current-user") == member.get("/api/users/2") == made
    )
    changed = api.call("PATCH", "/api/users/2/", json={"last_name": "Bee", "projects": [], "phone": "1"})
    assert changed == {**made, "last_name": "Bee", "initials": "AB", "projects": []}
    member.get(f"/api/projects/{project}", 404)
    assert api.call("PATCH", "/api/users/2", json={"role": "admin", "email": "ann@example.org"})["role"] == "admin"
    member.get(f"/api/projects/{project}")
    api.call("DELETE", "/api/users/2/", 204)
    assert member.get("/api/projects", 401)["detail"] == "User inactive or deleted."
    refreshed(api, token, 401)
    assert (api.count("tokens"), api.count("emails")) == (1, 1)
    for method in ("GET", "PATCH", "DELETE"):
        assert api.call(method, "/api/users/2", 404)["detail"] == "No User matches the given query."
    assert api.post("/api/users/", {"email": "ann@example.org"}, 201)["id"] == 3


def test_what_a_deleted_user_made_stays_theirs(api: Api):
    second = api.as_user(role="admin")
    project = second.project()
    api.call("DELETE", "/api/users/2", 204)
    assert api.get(f"/api/projects/{project}")["created_by"]["email"] == "user-2@localhost"


def test_a_list_is_of_those_with_access(api: Api):
    for name in "cab":
        api.post("/api/users/", {"email": f"{name}@example.org"}, 201)
    api.call("DELETE", "/api/users/2", 204)
    assert [one["id"] for one in api.get("/api/users/")] == [1, 3, 4]
    assert [one["id"] for one in api.get("/api/users/?ordering=-email")] == [4, 1, 3]
    member = api.as_user()
    assert [one["id"] for one in member.get("/api/users")] == [5]


@pytest.mark.parametrize(
    ("given", "field", "text"),
    [
        ({}, "email", "This field is required."),
        ({"email": None}, "email", "This field is required."),
        ({"email": "nobody"}, "email", "valid email"),
        ({"email": "a b@c"}, "email", "valid email"),
        ({"email": "a\0@c.d"}, "email", "Not a valid string"),
        ({"email": 7}, "email", "Not a valid string"),
        ({"email": "x" * 250 + "@c.de"}, "email", "254 characters"),
        ({"first_name": "x" * 151}, "first_name", "150 characters"),
        ({"last_name": "a\nb"}, "last_name", "Not a valid string"),
        ({"role": "owner"}, "role", "admin or member"),
        ({"role": None}, "role", "admin or member"),
        ({"role": ["admin"]}, "role", "admin or member"),
        ({"projects": "1"}, "projects", "list of projects' ids"),
        ({"projects": [True]}, "projects", "list of projects' ids"),
        ({"projects": [0]}, "projects", "list of projects' ids"),
        ({"projects": [10**30]}, "projects", "list of projects' ids"),
        ({"projects": [99]}, "projects", 'Invalid pk "99" - object does not exist.'),
        ({"projects": list(range(1, 502))}, "projects", "A member can have 500 projects"),
        ({"password": "hunter2"}, "password", "no passwords"),
        ({"email": "ADMIN@localhost"}, "email", "already exists"),
    ],
)
def test_what_can_not_be_is_named(api: Api, given: dict, field: str, text: str):
    body = given if field == "email" else {"email": "new@example.org", **given}
    answer = api.post("/api/users/", body, 400)
    assert text in answer["validation_errors"][field][0]
    assert "hunter2" not in str(answer)
    if field not in {"email"}:
        api.as_user()
        assert field in api.call("PATCH", "/api/users/2", 400, json=given)["validation_errors"]
    assert len(api.get("/api/users/")) <= 2


def test_an_address_stays_with_its_user(api: Api):
    api.as_user()
    answer = api.call("PATCH", "/api/users/2", 400, json={"email": "other@example.org"})
    assert "can't be changed" in answer["validation_errors"]["email"][0]
    statuses = together(api, 5, lambda: api.http.post("/api/users/", json={"email": "one@example.org"}).status_code)
    assert statuses == [201, 400, 400, 400, 400]
    assert len(api.get("/api/users/")) == 3


def test_how_many_users_and_projects_there_are_is_bounded(api: Api):
    projects = [api.project(title=f"Project {at}") for at in range(3)]
    api.ctx.settings = replace(api.ctx.settings, max_users=2, max_member_projects=2)
    api.post("/api/users/", {"email": "a@b.c", "projects": projects}, 400)
    api.post("/api/users/", {"email": "a@b.c", "projects": projects[:2]}, 201)
    api.call("PATCH", "/api/users/2", 400, json={"projects": projects})
    answer = api.post("/api/users/", {"email": "b@b.c"}, 400)
    assert "There can be 2 users" in answer["validation_errors"]["non_field_errors"][0]
    api.call("DELETE", "/api/users/2", 204)
    api.post("/api/users/", {"email": "b@b.c"}, 201)


def test_a_deleted_project_does_not_stand_in_the_way(api: Api):
    projects = [api.project(title=f"Project {at}") for at in range(3)]
    api.as_user(*projects[:2])
    api.call("DELETE", f"/api/projects/{projects[0]}", 204)
    assert api.call("PATCH", "/api/users/2", json={"projects": projects})["projects"] == projects
    api.call("PATCH", "/api/users/2", json={"projects": projects[1:]})
    answer = api.call("PATCH", "/api/users/2", 400, json={"projects": projects})
    assert "does not exist" in answer["validation_errors"]["projects"][0]


def test_a_member_edits_their_names_alone(api: Api):
    project, other = api.project(), api.project(title="Other")
    member = api.as_user(project)
    for path in ("/api/users/2", "/api/current-user"):
        assert (
            member.call("PATCH", path, json={"first_name": "Ann", "role": "member", "projects": [project]})["id"] == 2
        )
        for wrong in ({"role": "admin"}, {"projects": [project, other]}, {"projects": []}):
            assert "only an admin" in member.call("PATCH", path, 403, json=wrong)["detail"]
    for method in ("GET", "PATCH"):
        member.call(method, "/api/users/1", 404)
    for path in ("/api/users/1", "/api/users/2", "/api/users/99"):
        member.call("DELETE", path, 403)
    member.post("/api/users/", {"email": "new@example.org", "role": "admin"}, 403)
    assert member.get("/api/users/2")["projects"] == [project]


def test_the_first_user_stays_an_admin(api: Api):
    second = api.as_user(role="admin")
    assert (
        "stays an admin"
        in second.call("PATCH", "/api/users/1", 400, json={"role": "member"})["validation_errors"]["role"][0]
    )
    assert "can't be deleted" in second.call("DELETE", "/api/users/1", 403)["detail"]
    second.call("PATCH", "/api/users/2", json={"role": "member"})
    second.get("/api/users/1", 404)
