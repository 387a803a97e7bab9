"""Requests about annotations that are repeated, sent twice at once, or whose commits lose their answers."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.services.labelling import annotating
from tests.api.client import Api
from tests.labelling import assert_consistent, faults

BODY = {"result": [{"value": {"choices": ["cat"]}}], "lead_time": 1.5}


class World:
    """A project with two tasks, and a clock that is moved by hand."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.now = api.ctx.clock()
        api.ctx.clock = lambda: self.now
        self.project = api.project()
        items = [{"image": "a"}, {"image": "b"}]
        answer = api.post(f"/api/projects/{self.project}/import?return_task_ids=true", items, 201)
        self.task, self.other = answer["task_ids"]

    def annotate(self, key: str = "", task: int = 0, api: Api | None = None, **fields: Any) -> int:
        headers = {"Idempotency-Key": key} if key else {}
        path = f"/api/tasks/{task or self.task}/annotations/"
        return int((api or self.api).post(path, {**BODY, **fields}, 201, headers=headers)["id"])

    def totals(self) -> tuple[int, int]:
        sums = assert_consistent(self.api.ctx, self.project)
        return sums["total_annotations"], sums["cancelled_annotations"]


@pytest.fixture
def world(api: Api) -> World:
    return World(api)


def test_the_same_within_a_minute_is_the_same(world: World):
    first = world.annotate()
    world.now += 59
    assert world.annotate() == first
    assert world.totals() == (1, 0)
    world.now += 2
    second = world.annotate()
    assert second > first
    assert world.annotate() == second
    assert world.totals() == (2, 0)


def test_anything_else_is_another(world: World, api: Api):
    member = api.as_user(world.project)
    made = {
        world.annotate(),
        world.annotate(lead_time=2.5),
        world.annotate(result=[]),
        world.annotate(task=world.other),
        world.annotate(api=member),
        world.annotate(key="k"),
        world.annotate(was_cancelled=True),
    }
    assert len(made) == 7
    assert world.totals() == (6, 1)


def test_a_key_is_good_for_as_long_as_the_annotation_lives(world: World, api: Api):
    first = world.annotate(key="one")
    world.now += 86_400
    assert world.annotate(key="one") == first
    assert world.annotate(key="two") != first
    assert world.annotate(key="one", api=api.as_user(world.project)) != first
    assert world.totals() == (3, 0)
    api.call("DELETE", f"/api/annotations/{first}/", 204)
    assert world.annotate(key="one") != first
    assert world.totals() == (3, 0)


def test_a_long_key_is_refused(world: World, api: Api):
    error = api.post(f"/api/tasks/{world.task}/annotations/", BODY, 400, headers={"Idempotency-Key": "k" * 201})
    assert list(error["validation_errors"]) == ["Idempotency-Key"]


@pytest.mark.parametrize("key", ["", "k"])
def test_two_at_the_same_time_are_one(world: World, key: str):
    with ThreadPoolExecutor(8) as threads:
        made = {one.result() for one in [threads.submit(world.annotate, key) for _ in range(16)]}
    assert len(made) == 1
    assert world.totals() == (1, 0)


def test_different_ones_at_the_same_time_are_all_kept(world: World):
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda n: world.annotate(lead_time=n, was_cancelled=n % 3 == 0), range(1, 13)))
    assert len(set(made)) == 12
    assert world.totals() == (8, 4)


@pytest.mark.parametrize(
    "script", [["lost"], ["vanished"], ["refused"], ["refused", "lost"], ["lost", "refused"], ["vanished"] * 5]
)
def test_no_fault_of_a_commit_is_seen(world: World, api: Api, script: Any):
    with faults(api.ctx, *script):
        made = world.annotate()
    assert world.totals() == (1, 0)
    with faults(api.ctx, *script):
        shown = api.call("PATCH", f"/api/annotations/{made}/", json={"was_cancelled": True})
    assert (shown["id"], shown["was_cancelled"]) == (made, True)
    assert world.totals() == (0, 1)
    assert annotating.get(api.ctx, made).version == 2
    with faults(api.ctx, *script):
        api.call("DELETE", f"/api/annotations/{made}/", 204)
    assert world.totals() == (0, 0)
    api.call("DELETE", f"/api/annotations/{made}/", 404)


@pytest.mark.parametrize("script", [["lost"], ["vanished"], ["refused"], ["refused", "lost"]])
def test_nor_by_many_at_once(world: World, api: Api, script: Any):
    tasks = [world.task, world.other]
    with faults(api.ctx, *script):
        made = [one["id"] for one in api.post("/api/annotations/bulk", {"tasks": tasks, **BODY}, 201)]
    assert len(set(made)) == 2
    assert world.totals() == (2, 0)
    with faults(api.ctx, *script):
        answer = api.post("/api/annotations/bulk-delete", {"project": world.project, "ids": made})
    assert answer == {"deleted_count": 2}
    assert world.totals() == (0, 0)


def test_a_store_that_is_away_is_told_and_nothing_is_made(world: World, api: Api):
    with faults(api.ctx, "down"):
        answer = api.http.post(f"/api/tasks/{world.task}/annotations/", json=BODY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert world.totals() == (0, 0)


def test_endless_contention_is_told_as_busy(world: World, api: Api):
    with faults(api.ctx, *["refused"] * 100) as tried:
        api.post(f"/api/tasks/{world.task}/annotations/", BODY, 503)
    assert 2 < len(tried) < 100
    assert world.totals() == (0, 0)


def test_of_two_who_delete_one_finds_it_gone(world: World, api: Api):
    """Refused, since somebody was faster: that is no lost answer, so it is told as it is."""
    made = world.annotate()
    commit = api.ctx.documents.commit

    def overtaken(writes: Any, checks: Any = ()) -> Any:
        api.ctx.documents.commit = commit  # type: ignore[method-assign]
        api.call("DELETE", f"/api/annotations/{made}/", 204)
        return commit(writes, checks)

    api.ctx.documents.commit = overtaken  # type: ignore[method-assign]
    api.call("DELETE", f"/api/annotations/{made}/", 404)
    assert world.totals() == (0, 0)


def test_nothing_is_added_to_what_is_deleted_meanwhile(world: World, api: Api):
    commit = api.ctx.documents.commit

    def overtaken(writes: Any, checks: Any = ()) -> Any:
        api.ctx.documents.commit = commit  # type: ignore[method-assign]
        api.call("DELETE", f"/api/tasks/{world.task}/", 204)
        return commit(writes, checks)

    api.ctx.documents.commit = overtaken  # type: ignore[method-assign]
    error = api.post(f"/api/tasks/{world.task}/annotations/", BODY, 404)
    assert error["detail"] == "No Task matches the given query."
    assert world.totals() == (0, 0)


def test_only_what_was_made_lately_is_read_again(world: World, api: Api):
    """Two hundred annotations may take much memory: a new one does not read them all."""
    for hours in range(5):
        world.now += 3600
        world.annotate(lead_time=hours)
    read: list[int] = []
    get_many = api.ctx.documents.get_many

    def counted(refs: Any) -> Any:
        read.extend(1 for ref in refs if ref.collection == "annotations")
        return get_many(refs)

    world.now += 3600
    api.ctx.documents.get_many = counted  # type: ignore[method-assign]
    world.annotate(lead_time=9)
    assert len(read) <= 1
    assert world.annotate(lead_time=9)
    api.ctx.documents.get_many = get_many  # type: ignore[method-assign]
    assert world.totals() == (6, 0)
