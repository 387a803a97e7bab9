"""Runs through the whole stack, of import storages and datasets: twice at once, purged, paused, edited, deleted."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import orjson
import pytest

from functions import sync_chunk
from shared.model.run import lane_message
from shared.ports import MessageState
from shared.services import sweeping
from shared.services.context import QUEUE_RUNS
from tests.flows.conftest import TIMER

OBJECTS = 2_000
TICK = threading.Event()


@pytest.fixture(params=["import", "dataset"])
def storage(request, api, s3):
    s3.drop("bucket")
    s3.fill("bucket", OBJECTS, prefix="images/")
    return api.s3_storage(api.project(), s3.endpoint, direction=request.param)


def keys_of(api, storage):
    """What became of objects: tasks, or the records of a dataset."""
    if "project" in storage:
        return sorted(task["storage_filename"] for task in api.tasks(storage["project"]))
    return [record["key"] for record in api.records(storage)]


def test_two_syncs_at_once_are_one_run(api, s3, storage, stack):
    """Both calls answer 200, with the same run; no task is made twice."""
    stack.ctx.queue.pause(QUEUE_RUNS)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: api.sync(storage), range(8)))
    stack.ctx.queue.resume(QUEUE_RUNS)

    ended = api.wait(storage)

    assert {answers[0]["last_sync_job"]} == {answer["last_sync_job"] for answer in answers}
    assert {"queued"} == {answer["status"] for answer in answers}
    assert ("completed", OBJECTS) == (ended["status"], ended["last_sync_count"])
    assert s3.keys("bucket") == keys_of(api, storage)
    assert 1 == ended["meta"]["attempts"]


def test_the_same_message_twice_at_once(api, s3, storage, stack):
    """A permit that is delivered four times at the same time: one run, no duplicate, each delivery acknowledged."""
    ctx = stack.ctx
    ctx.queue.pause(QUEUE_RUNS)
    run = api.sync(storage)["last_sync_job"]
    body = orjson.dumps({"storage": storage["id"], "run": run, "lane": 0, "ticket": 1})

    with ThreadPoolExecutor(4) as threads:
        statuses = list(threads.map(lambda _: sync_chunk.handle(ctx, {}, body), range(4)))

    ctx.queue.resume(QUEUE_RUNS)
    ended = api.wait(storage)
    assert [200] * 4 == statuses
    assert ("completed", OBJECTS) == (ended["status"], ended["last_sync_count"])
    assert s3.keys("bucket") == keys_of(api, storage)


def advance(stack, seconds):
    """Moves the stack's clock."""
    stack.ctx.clock = lambda: time.time() + seconds


@pytest.mark.parametrize("stack", [{"slice_seconds": 0.0}], indirect=True)
def test_a_purged_queue_fails_the_run(api, s3, storage, stack):
    """Failed within one sweep after five heartbeats, saying why; a late worker changes nothing; then all heals."""
    ctx = stack.ctx
    s3.faults({"op": "list", "action": "delay", "ms": 30, "count": -1})
    run = api.sync(storage)["last_sync_job"]
    while not (api.read(storage)["last_sync_count"] or 0):
        TICK.wait(0.01)
    ctx.queue.pause(QUEUE_RUNS)
    _quiet(ctx, storage)
    ctx.queue.purge(QUEUE_RUNS)
    ctx.settings = replace(ctx.settings, slice_seconds=30.0)
    ctx.queue.resume(QUEUE_RUNS)
    s3.faults()
    advance(stack, 5 * TIMER + 1)

    sweeping.sweep(ctx)

    failed = api.read(storage)
    assert "failed" == failed["status"]
    assert "queue was purged" in failed["traceback"]
    before = keys_of(api, storage)
    assert len(before) < OBJECTS
    late = orjson.dumps({"storage": storage["id"], "run": run, "lane": 0, "ticket": 1})
    assert 200 == sync_chunk.handle(ctx, {}, late)
    assert before == keys_of(api, storage)
    api.sync(storage)
    ended = api.wait(storage)
    assert ("completed", OBJECTS - len(before)) == (ended["status"], ended["last_sync_count"])
    assert len(before) == ended["meta"].get("tasks_existed", len(before))
    assert s3.keys("bucket") == keys_of(api, storage)


def _quiet(ctx, storage):
    """Waits until no worker is at it: the queue is paused, so each ends with its slice, and every lane waits."""
    run = ctx.gates.get(storage["id"]).value.run
    while True:
        names = [lane_message(run, lane.value.number, lane.value.ticket) for lane in ctx.lanes.of_run(run)]
        if all(ctx.queue.state(QUEUE_RUNS, name) == MessageState(absent=False) for name in names):
            return
        TICK.wait(0.02)


def test_a_backlog_is_not_a_failure(api, s3, storage, stack):
    """A paused queue: queued it stays, however long."""
    stack.ctx.queue.pause(QUEUE_RUNS)
    api.sync(storage)
    advance(stack, 3600)

    sweeping.sweep(stack.ctx)

    assert "queued" == api.read(storage)["status"]
    stack.ctx.queue.resume(QUEUE_RUNS)
    assert "completed" == api.wait(storage)["status"]
    assert s3.keys("bucket") == keys_of(api, storage)


def test_settings_edited_during_a_run(api, s3, storage, stack):
    """The filter changes in mid-run: the tasks are those of the new filter; no old worker writes."""
    stack.ctx.queue.pause(QUEUE_RUNS)
    api.sync(storage)
    run = api.read(storage)["last_sync_job"]

    edited = api.http.patch(api.path(storage), json={"regex_filter": r".*7\.jpg"})

    assert 200 == edited.status_code
    late = orjson.dumps({"storage": storage["id"], "run": run, "lane": 0, "ticket": 1})
    assert 200 == sync_chunk.handle(stack.ctx, {}, late)
    assert [] == keys_of(api, storage)
    stack.ctx.queue.resume(QUEUE_RUNS)
    if api.read(storage)["status"] not in {"queued", "in_progress"}:
        api.sync(storage)
    ended = api.wait(storage)
    assert ("completed", OBJECTS // 10) == (ended["status"], ended["last_sync_count"])
    assert OBJECTS - OBJECTS // 10 == ended["meta"]["objects_excluded"]
    assert [key for key in s3.keys("bucket") if key.endswith("7.jpg")] == keys_of(api, storage)


def test_storage_deleted_during_a_run(api, s3, storage, stack):
    """Its messages find nothing; its tasks stay; its chunks go."""
    stack.ctx.queue.pause(QUEUE_RUNS)
    api.sync(storage)
    storage_map = stack.ctx.gates.get(storage["id"]).value.map

    assert 204 == api.http.delete(api.path(storage)).status_code

    stack.ctx.queue.resume(QUEUE_RUNS)
    sweeping.sweep(stack.ctx)
    assert [] == stack.ctx.chunks.in_order(storage_map, after=None, limit=10)
    assert "project" not in storage or [] == keys_of(api, storage)


@pytest.mark.parametrize("storage", ["import"], indirect=True)
def test_a_deleted_task_stays_deleted(api, s3, storage):
    """A task that a user deleted does not come back with the next sync."""
    api.sync(storage)
    api.wait(storage)
    gone = api.tasks(storage["project"])[5]
    assert 204 == api.http.delete(f"/api/tasks/{gone['id']}/").status_code

    api.sync(storage)

    ended = api.wait(storage)
    assert ("completed", 0) == (ended["status"], ended["last_sync_count"])
    assert OBJECTS - 1 == api.total(storage["project"])
