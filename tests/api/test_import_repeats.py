"""Imports that die on the way, are sent again, or twice at once: each row is one task, in order."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.services import sweeping
from shared.services.labelling import adding
from tests.api.client import Api
from tests.labelling import assert_consistent, faults

COUNT = 600
ITEMS = [{"data": {"image": f"{n:04d}"}, "predictions": [{"result": [n]}]} for n in range(COUNT)]
NAMES = [item["data"]["image"] for item in ITEMS]  # type: ignore[index]


@pytest.fixture
def project(api: Api) -> int:
    return api.project()


def send(api: Api, project: int, items: Any = ITEMS, status: int = 201, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return api.post(f"/api/projects/{project}/import?return_task_ids=true", items, status, headers=headers)


def images(api: Api, project: int) -> list[str]:
    found: list[str] = []
    for page in (1, 2, 3, 4):
        answer = api.http.get(f"/api/tasks/?project={project}&page_size=1000&page={page}")
        if answer.status_code == 404:
            return found
        found += [task["data"]["image"] for task in answer.json()["tasks"]]
    raise AssertionError("more pages than any test makes")


def shown(api: Api, task: int) -> str:
    return str(api.get(f"/api/tasks/{task}")["data"]["image"])


@pytest.mark.parametrize("key", ["", "k"])
@pytest.mark.parametrize("before", [1, 2, 3, 4])
def test_one_that_broke_off_is_gone_on_with(api: Api, project: int, key: str, before: int):
    """The store goes away behind the record of the upload, between two batches, before the end is recorded."""
    with faults(api.ctx, *[""] * before, "down") as tried:
        send(api, project, status=503, key=key)
    assert len(tried) == before + 1
    made = api.count("tasks")
    assert made == api.count("predictions")
    assert (made == 0, made == COUNT) == (before == 1, before == 4)
    answer = send(api, project, key=key)
    assert images(api, project) == NAMES
    assert len(set(answer["task_ids"])) == COUNT
    assert [shown(api, answer["task_ids"][at]) for at in (0, 300, -1)] == ["0000", "0300", f"{COUNT - 1:04d}"]
    assert assert_consistent(api.ctx, project)["total_predictions"] == COUNT
    assert api.get(f"/api/projects/{project}/imports/{answer['import']}")["status"] == "completed"


@pytest.mark.parametrize("fault", ["lost", "vanished", "refused"])
@pytest.mark.parametrize("at", [0, 1, 2, 4])
def test_no_fault_of_a_commit_is_seen(api: Api, project: int, fault: Any, at: int):
    with faults(api.ctx, *[""] * at, fault, fault):
        answer = send(api, project)
    assert answer["task_count"] == COUNT
    assert images(api, project) == NAMES
    assert assert_consistent(api.ctx, project)["total_predictions"] == COUNT


def test_after_its_end_the_same_list_is_a_second_round(api: Api, project: int):
    first, second = send(api, project, ITEMS[:3]), send(api, project, ITEMS[:3])
    assert not set(first["task_ids"]) & set(second["task_ids"])
    assert images(api, project) == [*NAMES[:3], *NAMES[:3]]
    assert_consistent(api.ctx, project)


def test_with_a_key_it_is_the_same_for_ever(api: Api, project: int):
    first = send(api, project, ITEMS[:3], key="k")
    now = api.ctx.clock()
    api.ctx.clock = lambda: now + 86_400
    assert send(api, project, ITEMS[:3], key="k") == first
    error = send(api, project, ITEMS[:4], 400, key="k")
    assert error["validation_errors"] == {"Idempotency-Key": ["This key was used for other tasks: take a new one."]}
    assert send(api, project, ITEMS[:3], key="other")["task_ids"] != first["task_ids"]
    assert send(api.as_user(project), project, ITEMS[:4], key="k")["task_count"] == 4
    assert len(images(api, project)) == 10
    api.call("DELETE", f"/api/tasks/{first['task_ids'][1]}/", 204)
    assert send(api, project, ITEMS[:3], key="k") == first  # what was deleted stays deleted
    assert len(images(api, project)) == 9


def test_one_that_nobody_went_on_with_is_given_up(api: Api, project: int):
    with faults(api.ctx, "", "", "down"):
        send(api, project, status=503)
    now = api.ctx.clock()
    api.ctx.clock = lambda: now + adding.RESUME_SECONDS + 1
    send(api, project)
    assert len(images(api, project)) > COUNT
    assert images(api, project)[-COUNT:] == NAMES
    api.ctx.clock = lambda: now + 86_400 * (api.ctx.settings.keep_runs_days + 1)
    sweeping.sweep(api.ctx)
    assert api.count("uploads") == 0


@pytest.mark.parametrize("key", ["", "k"])
def test_two_at_the_same_time_are_one(api: Api, project: int, key: str):
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda _: send(api, project, key=key), range(3)))
    if key:
        assert images(api, project) == NAMES
        assert {tuple(answer["task_ids"]) for answer in answers} == {tuple(answers[0]["task_ids"])}
    else:  # one may have begun when another had ended: then it is another round, and complete
        rounds = {tuple(answer["task_ids"]) for answer in answers}
        assert images(api, project) == NAMES * len(rounds)
    assert_consistent(api.ctx, project)


def test_two_in_each_others_way_are_one(api: Api, project: int):
    """The second comes between two batches of the first: always the same round."""
    commit = api.ctx.documents.commit
    answers = []
    seen = 0

    def overtaken(writes: Any, checks: Any = ()) -> Any:
        nonlocal seen
        seen += 1
        if seen == 3:
            answers.append(send(api, project))
        return commit(writes, checks)

    api.ctx.documents.commit = overtaken  # type: ignore[method-assign]
    answers.append(send(api, project))
    assert answers[0]["task_ids"] == answers[1]["task_ids"]
    assert images(api, project) == NAMES
    assert assert_consistent(api.ctx, project)["total_predictions"] == COUNT


def test_nothing_is_added_to_a_project_that_is_deleted_meanwhile(api: Api, project: int):
    commit = api.ctx.documents.commit
    seen = 0

    def overtaken(writes: Any, checks: Any = ()) -> Any:
        nonlocal seen
        seen += 1
        if seen == 3:
            api.call("DELETE", f"/api/projects/{project}/", 204)
        return commit(writes, checks)

    api.ctx.documents.commit = overtaken  # type: ignore[method-assign]
    error = send(api, project, status=404)
    assert error["detail"] == "No Project matches the given query."
    assert api.count("tasks") > 0
    sweeping.sweep(api.ctx)
    assert [api.count(name) for name in ("tasks", "predictions", "trash")] == [0, 0, 0]


def test_an_edit_of_the_project_is_no_obstacle(api: Api, project: int):
    commit = api.ctx.documents.commit
    seen = 0

    def overtaken(writes: Any, checks: Any = ()) -> Any:
        nonlocal seen
        seen += 1
        if seen == 3:
            api.call("PATCH", f"/api/projects/{project}/", json={"title": "Another title"})
        return commit(writes, checks)

    api.ctx.documents.commit = overtaken  # type: ignore[method-assign]
    send(api, project)
    assert images(api, project) == NAMES
    assert_consistent(api.ctx, project)


@pytest.mark.parametrize("fault", ["lost", "vanished", "refused"])
def test_one_task_survives_the_faults_of_its_commit(api: Api, project: int, fault: Any):
    body = {"project": project, "data": {"image": "a"}, "predictions": [{"result": []}]}
    with faults(api.ctx, fault, fault):
        made = api.post("/api/tasks/", body, 201)["id"]
    assert images(api, project) == ["a"]
    headers = {"Idempotency-Key": "k"}
    keyed = {api.post("/api/tasks/", body, 201, headers=headers)["id"] for _ in range(3)}
    assert len(keyed | {made}) == 2
    error = api.post("/api/tasks/", {**body, "data": {"image": "b"}}, 400, headers=headers)
    assert list(error["validation_errors"]) == ["Idempotency-Key"]
    assert assert_consistent(api.ctx, project)["total_predictions"] == 2
