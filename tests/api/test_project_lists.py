"""Which projects a list has, in which order, with which counters."""

from typing import Any

import pytest

from shared.services import project_lists
from shared.services.projects import COUNTERS
from tests.api.client import CONFIG, Api


@pytest.fixture
def made(api: Api) -> list[int]:
    return [
        api.project(title="Cats of Berlin", description="Street photography"),
        api.project(title="Dogs"),
        api.project(title="black CATS", pinned_at="2026-01-01T00:00:00Z"),
        api.project(title="Ants", description="no cats here", pinned_at="2026-02-01T00:00:00Z"),
    ]


def listed(api: Api, made: list[int], query: str, path: str = "/api/projects/") -> list[int]:
    """Where the projects that are listed stand among those made, from 0; all pages."""
    found = []
    page = api.get(f"{path}?page_size=2&{query}")
    while True:
        found += [made.index(project["id"]) for project in page["results"]]
        if page["next"] is None:
            assert len(found) == page["count"]
            return found
        page = api.get(page["next"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [3, 2, 1, 0]),
        ("filter=all", [3, 2, 1, 0]),
        ("filter=pinned_only", [3, 2]),
        ("filter=exclude_pinned", [1, 0]),
        ("title=CAT", [2, 0]),
        ("search=cats", [3, 2, 0]),
        ("search=street", [0]),
        ("search=cats&title=ants", [3]),
        ("title=", [3, 2, 1, 0]),
        ("ordering=id", [0, 1, 2, 3]),
        ("ordering=-id", [3, 2, 1, 0]),
        ("ordering=title", [3, 2, 0, 1]),
        ("ordering=-created_at", [3, 2, 1, 0]),
        ("ordering=pinned_at,title", [0, 1, 2, 3]),
        ("archived=false", [3, 2, 1, 0]),
        ("title=nobody", []),
    ],
)
@pytest.mark.parametrize("path", ["/api/projects/", "/api/projects/counts/"])
def test_filters_and_orders(api: Api, made: list[int], path: str, query: str, expected: list[int]):
    assert listed(api, made, query, path) == expected


def test_by_ids(api: Api, made: list[int]):
    assert listed(api, made, f"ids={made[0]},{made[3]},99999") == [3, 0]
    assert listed(api, made, f"ids={made[0]}&title=dogs") == []
    assert listed(api, made, "ids=") == []


def test_a_member_finds_what_they_may_see(api: Api, made: list[int]):
    member = api.as_user(made[0], made[2])
    for query, expected in {
        "": [2, 0],
        "search=cats": [2, 0],
        f"ids={made[2]},{made[3]}": [2],
        "ordering=id": [0, 2],
        "filter=exclude_pinned": [0],
    }.items():
        assert listed(member, made, query) == expected
        assert listed(member, made, query, "/api/projects/counts/") == expected


def test_only_the_counters_asked_for_are_counted(api: Api, made: list[int]):
    for path in ("/api/projects/", "/api/projects/counts/"):
        wanted = api.get(f"{path}?include=task_number,total_predictions_number")["results"][0]
        given = {name: wanted[name] for name in COUNTERS}
        assert given == {**dict.fromkeys(COUNTERS), "task_number": 0, "total_predictions_number": 0}
    assert list(api.get("/api/projects/counts/")["results"][0]) == ["id", *COUNTERS]
    assert set(api.get("/api/projects/counts/")["results"][0].values()) == {0, made[3]}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("ids=1,x", "ids"),
        ("ids=" + ",".join(map(str, range(1, 1002))), "ids"),
        ("filter=mine", "filter"),
        ("ordering=secrets", "ordering"),
        ("ordering=id,id,id,id,id", "ordering"),
        ("include=tasks", "include"),
        ("workspaces=1", "workspaces"),
        ("state=DONE", "state"),
        ("source_interface_id=1", "source_interface_id"),
        ("archived=true", "archived"),
        ("title=" + "a" * 257, "title"),
        ("search=" + "a" * 257, "search"),
    ],
)
def test_what_can_not_be_listed_is_told(api: Api, query: str, field: str):
    assert list(api.get(f"/api/projects/?{query}", 400)["validation_errors"]) == [field]


def test_a_page_behind_the_end_of_what_was_found(api: Api, made: list[int]):
    assert api.get("/api/projects/?title=cats&page_size=1&page=3", 404)["detail"] == "Invalid page."
    assert api.get("/api/projects/counts/?title=cats&page=0", 404)["detail"] == "Invalid page."


def test_a_search_is_bounded(api: Api, made: list[int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(project_lists, "AT_ONCE", 2)
    assert listed(api, made, "title=cats") == [2, 0]
    monkeypatch.setattr(project_lists, "MAX_SEARCHED", 4)
    told = api.get("/api/projects/?title=cats", 400)["validation_errors"]["non_field_errors"][0]
    assert "name some with `ids`" in told
    assert listed(api, made, f"ids={made[0]}&title=cats") == [0]


def test_a_copy_has_the_settings_and_no_task(api: Api):
    settings = {"label_config": CONFIG, "color": "#00AA00", "maximum_annotations": 3, "pinned_at": "2026-01-01"}
    original = api.get(f"/api/projects/{api.project(**settings, description='Of cats')}/")
    storage = api.local(original["id"])
    api.folder(files=2)
    api.post(f"/api/storages/localfiles/{storage['id']}/sync")
    api.work()

    def copied(**fields: str) -> dict[str, Any]:
        body = {"title": "A copy", "mode": "settings", "workspace": 7, **fields}
        number = api.post(f"/api/projects/{original['id']}/duplicate/", body, 201)["id"]
        return dict(api.get(f"/api/projects/{number}"))

    copy = copied()
    counts = {"task_number", "queue_total"}
    assert {name for name in copy if copy[name] != original[name]} == {"id", "title", "created_at", "pinned_at"}
    assert (copy["title"], copy["pinned_at"]) == ("A copy", None)
    assert {copy[name] for name in counts} == {0}
    assert {api.get(f"/api/projects/{original['id']}/")[name] for name in counts} == {2}
    assert api.get("/api/storages/", params={"project": copy["id"]}) == []
    assert copied(description="Else")["description"] == "Else"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["mode", "title"]),
        ({"title": "A copy", "mode": "settings,data"}, ["mode"]),
        ({"title": "A copy", "mode": ["settings"]}, ["mode"]),
        ({"title": "ab", "mode": "all"}, ["mode", "title"]),
        ({"title": "A copy", "mode": "settings", "include_members": True}, ["include_members"]),
    ],
)
def test_a_copy_that_can_not_be_made(api: Api, body: dict[str, object], fields: list[str]):
    project = api.project()
    assert list(api.post(f"/api/projects/{project}/duplicate/", body, 400)["validation_errors"]) == fields
    assert api.get("/api/projects/")["count"] == 1


def test_who_annotated_and_what_is_the_ground_truth(api: Api):
    project, other = api.project(), api.project()
    people = [api.as_user(project) for _ in range(2)]
    tasks = [api.post("/api/tasks", {"project": p, "data": {"image": "a"}}, 201)["id"] for p in (project, other)]
    assert api.get(f"/api/projects/{project}/annotators/") == []
    body = {"result": [], "ground_truth": True}
    for person, more in ((people[0], {}), (people[0], {"lead_time": 1}), (people[1], {"was_cancelled": True})):
        person.post(f"/api/tasks/{tasks[0]}/annotations/", {**body, **more}, 201)
    api.post(f"/api/tasks/{tasks[1]}/annotations/", body, 201)
    api.post(f"/api/tasks/{tasks[0]}/annotations/", {"result": [{"value": {}}]}, 201)

    found = api.get(f"/api/projects/{project}/annotators/")
    assert [one["id"] for one in found] == [1, 2, 3]
    assert list(found[0]) == ["id", "first_name", "last_name", "email", "avatar", "username"]
    assert [one["id"] for one in api.get(f"/api/projects/{other}/annotators")] == [1]
    people[0].get(f"/api/projects/{other}/annotators", 404)
    shown = api.get(f"/api/projects/{project}/")
    names = ("total_annotations_number", "ground_truth_number", "useful_annotation_number")
    assert [shown[name] for name in (*names, "skipped_annotations_number")] == [3, 2, 1, 1]
    alone = api.get("/api/projects/counts/", params={"include": "useful_annotation_number", "ids": project})
    assert alone["results"] == [{**dict.fromkeys(COUNTERS), "id": project, "useful_annotation_number": 1}]
