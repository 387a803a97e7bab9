"""Annotations over HTTP: shapes, rules, counters, orders."""

import re
from typing import Any

import pytest

from tests.api.client import Api, words
from tests.labelling import assert_consistent

KEYS = words(
    "id result created_username created_ago completed_by was_cancelled ground_truth created_at updated_at "
    "draft_created_at lead_time import_id last_action bulk_created task project updated_by parent_prediction "
    "parent_annotation last_created_by"
)
RESULT = [{"from_name": "ch", "to_name": "img", "type": "choices", "value": {"choices": ["cat"]}}]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")


@pytest.fixture
def project(api: Api) -> int:
    return api.project()


@pytest.fixture
def task(api: Api, project: int) -> int:
    return int(api.post("/api/tasks/", {"project": project, "data": {"image": "a.png"}}, 201)["id"])


def annotate(api: Api, task: int, **fields: Any) -> Any:
    return api.post(f"/api/tasks/{task}/annotations/", {"result": RESULT, **fields}, 201)


def counters(api: Api, task: int) -> tuple[int, int, bool]:
    shown = api.get(f"/api/tasks/{task}/")
    return shown["total_annotations"], shown["cancelled_annotations"], shown["is_labeled"]


def test_a_new_annotation_has_every_key_in_order(api: Api, project: int, task: int):
    made = annotate(api, task, lead_time=1.5)
    assert list(made) == KEYS
    assert (made["result"], made["task"], made["project"]) == (RESULT, task, project)
    assert (made["completed_by"], made["updated_by"], made["lead_time"]) == (1, 1, 1.5)
    assert made["created_username"] == f" {api.get('/api/current-user/whoami')['email']}, 1"
    assert made["created_ago"] == "0\u00a0minutes"
    assert [made[key] for key in ("was_cancelled", "ground_truth", "bulk_created")] == [False] * 3
    absent = words("draft_created_at import_id last_action parent_prediction parent_annotation last_created_by")
    assert [made[key] for key in absent] == [None] * 6
    assert TIME.fullmatch(made["created_at"])
    assert made["created_at"] == made["updated_at"]
    assert api.get(f"/api/annotations/{made['id']}/") == made
    assert api.get(f"/api/tasks/{task}/annotations/") == [made]
    assert api.get(f"/api/tasks/{task}/")["annotations"] == [made]


def test_an_empty_body_is_an_empty_annotation(api: Api, task: int):
    assert api.post(f"/api/tasks/{task}/annotations", {}, 201)["result"] == []
    assert counters(api, task) == (1, 0, True)


def test_every_field_that_can_be_given_is_kept(api: Api, task: int):
    given = {
        "completed_by": 5,
        "updated_by": 6,
        "last_created_by": 7,
        "was_cancelled": True,
        "ground_truth": True,
        "bulk_created": True,
        "lead_time": 0.25,
        "import_id": 8,
        "last_action": "submitted",
        "parent_prediction": 9,
        "parent_annotation": 10,
        "draft_created_at": "2026-01-01T12:00:00Z",
    }
    ignored = {"id": 3, "task": 4, "project": 5, "created_at": "2000-01-01T00:00:00Z"}
    made = api.post(f"/api/tasks/{task}/annotations/", {"result": RESULT, **given, **ignored}, 201)
    assert {name: made[name] for name in given} == given
    assert made["created_username"] == ""  # nobody has that number
    assert made["task"] == task
    assert made["id"] != 3
    assert not made["created_at"].startswith("2000")


def test_it_is_the_callers_unless_another_is_named(api: Api, project: int, task: int):
    member = api.as_user(project)
    who = member.get("/api/current-user/whoami")
    made = annotate(member, task)
    assert (made["completed_by"], made["updated_by"]) == (who["id"], who["id"])
    assert made["created_username"] == f" {who['email']}, {who['id']}"
    assert annotate(api, task, completed_by=who["id"])["created_username"] == made["created_username"]
    assert annotate(api, task, completed_by=None)["completed_by"] == 1
    assert [one["user_id"] for one in api.get(f"/api/tasks/{task}/")["annotators"]] == [1, who["id"]]


@pytest.mark.parametrize(
    ("query", "body", "cancelled"),
    [
        ("?was_cancelled=1", {}, True),
        ("?was_cancelled=true", {"was_cancelled": False}, True),
        ("", {"was_cancelled": True}, True),
        ("?was_cancelled=0", {}, False),
        ("?was_cancelled=", {}, False),
    ],
)
def test_a_skipped_task_is_counted_apart(api: Api, task: int, query: str, body: dict[str, Any], cancelled: bool):
    made = api.post(f"/api/tasks/{task}/annotations/{query}", {"result": [], **body}, 201)
    assert made["was_cancelled"] is cancelled
    assert counters(api, task) == ((0, 1, False) if cancelled else (1, 0, True))
    assert len(api.get(f"/api/tasks/{task}/annotations")) == (0 if cancelled else 1)
    assert len(api.get(f"/api/tasks/{task}/")["annotations"]) == 1


def test_edits_change_what_is_given_and_nothing_else(api: Api, project: int, task: int):
    made = annotate(api, task, lead_time=2.0, ground_truth=True)
    member = api.as_user(project)
    number = member.get("/api/current-user/whoami")["id"]
    changed = member.call("PATCH", f"/api/annotations/{made['id']}/", json={"result": [], "completed_by": None})
    assert changed == {**made, "result": [], "updated_by": number, "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > made["updated_at"]
    assert api.get(f"/api/annotations/{made['id']}") == changed
    again = member.call("PATCH", f"/api/annotations/{made['id']}/", json={"result": []})
    assert again == changed
    assert api.call("PATCH", f"/api/annotations/{made['id']}/", json={"task": task, "lead_time": None}) == {
        **changed,
        "lead_time": None,
        "updated_by": 1,
        "updated_at": api.get(f"/api/annotations/{made['id']}")["updated_at"],
    }


def test_counters_follow_every_change(api: Api, project: int, task: int):
    first, second = annotate(api, task, lead_time=1)["id"], annotate(api, task, lead_time=2)["id"]
    assert counters(api, task) == (2, 0, True)
    api.call("PATCH", f"/api/annotations/{first}/", json={"was_cancelled": True})
    assert counters(api, task) == (1, 1, True)
    api.call("PATCH", f"/api/annotations/{second}/", json={"was_cancelled": True})
    assert counters(api, task) == (0, 2, False)
    api.call("PATCH", f"/api/annotations/{first}/", json={"was_cancelled": False})
    assert counters(api, task) == (1, 1, True)
    api.call("DELETE", f"/api/annotations/{second}/", 204)
    assert counters(api, task) == (1, 0, True)
    api.call("DELETE", f"/api/annotations/{first}/", 204)
    assert counters(api, task) == (0, 0, False)
    assert api.count("annotations") == 0
    assert_consistent(api.ctx, project)


def test_a_task_is_labelled_once_it_has_as_many_as_the_project_wants(api: Api):
    project = api.project(maximum_annotations=2)
    task = api.post("/api/tasks/", {"project": project, "data": {"image": "a"}}, 201)["id"]
    annotate(api, task, lead_time=1)
    shown = api.get(f"/api/tasks/{task}")
    assert (shown["is_labeled"], shown["overlap"], shown["completed_at"]) == (False, 2, None)
    last = annotate(api, task, lead_time=2)
    shown = api.get(f"/api/tasks/{task}")
    assert (shown["is_labeled"], shown["completed_at"], shown["avg_lead_time"]) == (True, last["created_at"], 1.5)
    assert shown["annotations_ids"] == ",".join(str(one["id"]) for one in shown["annotations"])
    assert shown["updated_by"] == [{"user_id": 1}]


def test_orders(api: Api, task: int):
    numbers = [annotate(api, task, lead_time=n)["id"] for n in range(4)]
    assert numbers == sorted(numbers)
    api.call("PATCH", f"/api/annotations/{numbers[1]}/", json={"lead_time": 9})

    def listed(query: str) -> list[int]:
        return [one["id"] for one in api.get(f"/api/tasks/{task}/annotations/{query}")]

    one, two, three, four = numbers
    assert listed("") == listed("?ordering=id") == listed("?ordering=created_at") == numbers
    assert listed("?ordering=-id") == listed("?ordering=-created_at") == numbers[::-1]
    assert listed("?ordering=updated_at") == [one, three, four, two]
    assert listed("?ordering=-updated_at") == [two, four, three, one]
    error = api.get(f"/api/tasks/{task}/annotations/?ordering=score", 400)
    assert error["validation_errors"]["ordering"] == ["Order by one of id, created_at, updated_at."]


def test_a_result_comes_back_as_it_was_sent(api: Api, task: int):
    text = (
        '[{"big":9007199254740993,"float":0.1,"deep":'
        + "[" * 200
        + "]" * 200
        + ',"text":"\\u0000 \\u00e9 \\ud83d\\ude00"}]'
    )
    body = f'{{"result": {text}}}'
    answer = api.http.post(
        f"/api/tasks/{task}/annotations/", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 201
    assert "9007199254740993" in answer.text
    for path in (f"/api/annotations/{answer.json()['id']}", f"/api/tasks/{task}", f"/api/tasks/{task}/annotations"):
        assert "9007199254740993" in api.http.get(path).text


def test_a_task_can_have_200_and_no_more(api: Api, project: int, task: int):
    rows = [{"data": {"image": "b"}, "annotations": [{"result": []}] * 200}]
    full = api.post(f"/api/projects/{project}/import?return_task_ids=true", rows, 201)["task_ids"][0]
    error = api.post(f"/api/tasks/{full}/annotations/", {"result": []}, 400)
    assert "A task can have 200 annotations" in error["validation_errors"]["non_field_errors"][0]
    assert counters(api, full) == (200, 0, True)
    one = api.get(f"/api/tasks/{full}/annotations/")[0]["id"]
    api.call("DELETE", f"/api/annotations/{one}/", 204)
    annotate(api, full)
    assert_consistent(api.ctx, project)


def test_what_others_do_not_own_is_not_there(api: Api, project: int, task: int):
    made = annotate(api, task)["id"]
    other = api.as_user(api.project())
    for method, path in (
        ("GET", f"/api/annotations/{made}/"),
        ("PATCH", f"/api/annotations/{made}/"),
        ("DELETE", f"/api/annotations/{made}/"),
        ("GET", f"/api/tasks/{task}/annotations/"),
        ("POST", f"/api/tasks/{task}/annotations/"),
    ):
        mine = other.call(method, path, 404, **({"json": {}} if method in ("PATCH", "POST") else {}))
        unknown = re.sub(r"/\d+/", "/777/", path, count=1)
        none = other.call(method, unknown, 404, **({"json": {}} if method in ("PATCH", "POST") else {}))
        assert {**mine, "id": ""} == {**none, "id": ""}
    assert counters(api, task) == (1, 0, True)


def test_people_are_named_however_many_they_are(api: Api, project: int):
    """Imported annotations may be of anybody: more people than one read can look up."""
    rows = [
        {
            "data": {"image": str(at)},
            "annotations": [{"result": [], "completed_by": 1000 + at * 20 + n} for n in range(20)],
        }
        for at in range(30)
    ]
    api.post(f"/api/projects/{project}/import", rows, 201)
    page = api.get(f"/api/tasks/?project={project}&fields=all&page_size=1000")
    assert page["total_annotations"] == sum(len(task["annotations"]) for task in page["tasks"]) == 600
