"""The same annotation for many tasks, and many deleted at once."""

from typing import Any

import pytest

from shared.model.webhook import Webhook
from shared.ports import Document, Query
from shared.services.announcing import News
from shared.services.labelling.task_batches import commit_many
from shared.services.labelling.task_commits import Change
from tests.api.client import Api
from tests.labelling import assert_consistent, faults

BODY = {"result": [{"value": 1}]}


@pytest.fixture
def project(api: Api) -> int:
    return api.project()


@pytest.fixture
def tasks(api: Api, project: int) -> list[int]:
    return imported(api, project, 120)


def imported(api: Api, project: int, count: int) -> list[int]:
    items = [{"image": str(at)} for at in range(count)]
    return list(api.post(f"/api/projects/{project}/import?return_task_ids=true", items, 201)["task_ids"])


def bulk(api: Api, **body: Any) -> list[int]:
    answer = api.post("/api/annotations/bulk", {**BODY, **body}, 201)
    assert all(list(one) == ["id"] for one in answer)
    return [one["id"] for one in answer]


def of(api: Api, annotation: int) -> Any:
    return api.get(f"/api/annotations/{annotation}")


def test_one_for_each_task_in_their_order(api: Api, project: int, tasks: list[int]):
    frozen = api.ctx.clock()
    api.ctx.clock = lambda: frozen  # so that all are made within one moment
    with faults(api.ctx) as tried:
        made = bulk(api, tasks=tasks[::-1], lead_time=2)
    assert len(set(made)) == 120
    assert [of(api, number)["task"] for number in (made[0], made[60], made[-1])] == [tasks[119], tasks[59], tasks[0]]
    first = of(api, made[0])
    assert (first["bulk_created"], first["lead_time"], first["result"]) == (True, 2.0, BODY["result"])
    assert len(tried) <= 3
    assert max(map(len, tried)) <= 500
    assert bulk(api, tasks=tasks, lead_time=2) == made[::-1]
    assert_consistent(api.ctx, project)


def test_those_that_are_selected(api: Api, project: int, tasks: list[int]):
    made = bulk(api, project=project, selected_items={"all": False, "included": tasks[:2]})
    assert [of(api, number)["task"] for number in made] == tasks[:2]
    made = bulk(api, project=project, selected_items={"all": True, "excluded": tasks[1:]}, lead_time=1)
    assert [of(api, number)["task"] for number in made] == tasks[:1]
    assert bulk(api, project=project, selected_items={"all": False, "included": [5]}) == []
    assert len(bulk(api, task=tasks[5])) == 1


def test_a_task_named_twice_gets_one(api: Api, project: int, tasks: list[int]):
    one, two = bulk(api, tasks=[tasks[0], tasks[0]])
    assert one == two
    assert assert_consistent(api.ctx, project)["total_annotations"] == 1


def test_one_busy_task_does_not_keep_the_others_waiting(api: Api, project: int, tasks: list[int]):
    with faults(api.ctx, "refused"):
        made = bulk(api, tasks=tasks[:10])
    assert len(set(made)) == 10
    assert assert_consistent(api.ctx, project)["total_annotations"] == 10


def test_large_results_go_in_several_commits(api: Api, project: int, tasks: list[int]):
    with faults(api.ctx) as tried:
        made = bulk(api, tasks=tasks[:5], result=["x" * 800_000])
    assert len(set(made)) == 5
    assert len(tried) >= 2
    assert_consistent(api.ctx, project)


def test_one_that_is_full_is_told_and_the_request_can_be_sent_again(api: Api, project: int, tasks: list[int]):
    rows = [{"data": {"image": "full"}, "annotations": [{"result": []}] * 200}]
    full = api.post(f"/api/projects/{project}/import?return_task_ids=true", rows, 201)["task_ids"]
    wanted = [*tasks[:60], *full]
    error = api.post("/api/annotations/bulk", {"tasks": wanted, **BODY}, 400)
    assert "A task can have 200 annotations" in error["validation_errors"]["non_field_errors"][0]
    one = api.get(f"/api/tasks/{full[0]}/annotations/")[0]["id"]
    api.call("DELETE", f"/api/annotations/{one}/", 204)
    assert len(set(bulk(api, tasks=wanted))) == 61
    assert assert_consistent(api.ctx, project)["total_annotations"] == 260


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing": ({}, "tasks", "A list of tasks is required."),
    "no list": ({"tasks": 5}, "tasks", "A list of tasks is required."),
    "texts": ({"tasks": ["5"]}, "tasks", "A list of tasks is required."),
    "booleans": ({"tasks": [True]}, "tasks", "A list of tasks is required."),
    "unknown": ({"tasks": [5]}, "tasks", 'Invalid pk "5" - object does not exist.'),
    "negative": ({"tasks": [-1]}, "tasks", 'Invalid pk "-1" - object does not exist.'),
    "too many": ({"tasks": list(range(1001))}, "tasks", "At most 1000 tasks at once; these are 1001."),
    "selected without project": ({"selected_items": {"all": True}}, "project", "This field is required."),
    "selected a list": ({"selected_items": [], "project": 0}, "selected_items", "Write an object"),
    "selected texts": ({"selected_items": {"included": ["1"]}, "project": 0}, "selected_items", "included must be"),
    "bad result": ({"tasks": [0], "result": 5}, "result", "must be a list"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(api: Api, project: int, tasks: list[int], case: str):
    body, name, sentence = REFUSED[case]
    body = {**body, **({"project": project} if "project" in body else {})}
    body = {**body, **({"tasks": tasks[:1]} if body.get("tasks") == [0] else {})}
    error = api.post("/api/annotations/bulk", {**BODY, **body}, 400)
    assert list(error["validation_errors"]) == [name]
    assert sentence in error["validation_errors"][name][0]
    assert assert_consistent(api.ctx, project)["total_annotations"] == 0


def test_tasks_of_others_are_as_good_as_none(api: Api, project: int, tasks: list[int]):
    other = api.as_user(api.project())
    error = other.post("/api/annotations/bulk", {"tasks": tasks[:1], **BODY}, 400)
    assert error["validation_errors"] == {"tasks": [f'Invalid pk "{tasks[0]}" - object does not exist.']}
    error = other.post("/api/annotations/bulk-delete", {"project": project, "ids": [1]}, 400)
    assert error["validation_errors"] == {"project": [f'Invalid pk "{project}" - object does not exist.']}


def test_many_are_deleted_at_once(api: Api, project: int, tasks: list[int]):
    made = bulk(api, tasks=tasks) + bulk(api, tasks=tasks[:3], was_cancelled=True)
    foreign = api.project()
    kept = bulk(api, tasks=imported(api, foreign, 1))
    with faults(api.ctx) as tried:
        answer = api.post("/api/annotations/bulk-delete", {"project": project, "ids": [*made, *made, *kept, 7, -7]})
    assert answer == {"deleted_count": 123}
    assert len(tried) <= 3
    assert api.post("/api/annotations/bulk-delete", {"project": project, "ids": made}) == {"deleted_count": 0}
    assert set(assert_consistent(api.ctx, project).values()) == {0}
    assert assert_consistent(api.ctx, foreign)["total_annotations"] == 1


@pytest.mark.parametrize("ids", [None, 5, ["5"], [True], [1.5], list(range(1001)), {}])
def test_what_cannot_be_deleted(api: Api, project: int, ids: Any):
    error = api.post("/api/annotations/bulk-delete", {"project": project, "ids": ids}, 400)
    assert error["validation_errors"] == {"ids": ["A list of at most 1000 numbers is required."]}


def test_webhooks_are_told_once_of_all_that_one_commit_makes(api: Api, project: int, tasks: list[int]):
    webhook = Webhook(id=7, project=project, sealed=b"", created_at=0.0, updated_at=0.0)
    api.ctx.documents.commit([api.ctx.webhooks.create(7, webhook)])

    def decide(document: Document, _project: Any, unsure: bool) -> Change[int]:
        number = int(document.ref.id)
        if unsure:
            return Change(number)
        return Change(number, (), {"edited": True}, News("ANNOTATIONS_CREATED", [number]))

    with faults(api.ctx, "lost"):
        assert list(commit_many(api.ctx, dict.fromkeys(tasks[:20], decide))) == tasks[:20]
    (item,) = api.ctx.documents.query(Query(collection="outbox"))
    assert item.data["ids"] == tasks[:20]
