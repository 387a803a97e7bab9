"""Whose names a member learns: of those who may see the same project."""

from tests.api.client import Api


def test_an_id_written_into_an_annotation_gives_no_strangers_name_away(api: Api):
    project, other = api.project(), api.project()
    member, stranger = api.as_user(project), api.as_user(other)
    number = stranger.get("/api/current-user/whoami")["id"]
    task = api.post("/api/tasks/", {"project": project, "data": {"image": "x"}}, 201)["id"]
    fields = {"result": [], "completed_by": number}

    made = member.post(f"/api/tasks/{task}/annotations/", fields, 201)

    assert (made["completed_by"], made["created_username"]) == (number, "")
    assert member.get(f"/api/tasks/{task}/")["annotations"][0]["created_username"] == ""
    assert api.get(f"/api/annotations/{made['id']}/")["created_username"] != ""
