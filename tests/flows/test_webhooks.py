"""Webhooks end to end, on both platforms: what happens is posted, whoever dies in between."""

import pytest

from shared.services import sweeping
from shared.services.context import QUEUE_WEBHOOKS
from shared.services.webhooks import outbox

pytestmark = pytest.mark.timeout(120)


def webhook(api, receiver, project=None, **fields):
    body = {"url": f"{receiver.url}/hook?key=1", "project": project, **fields}
    return api._ok(api.http.post("/api/webhooks/", json=body))


def test_what_happens_to_projects_and_tasks_is_posted(api, stack, receiver, tmp_path):
    actions = ["PROJECT_CREATED", "PROJECT_UPDATED", "PROJECT_DELETED", "TASKS_DELETED"]
    webhook(api, receiver, headers={"X-Key": "of all"}, send_for_all_actions=False, actions=actions)
    project = api.project("before")
    created = receiver.next()
    assert ("/hook?key=1", "of all") == (created.path, created.headers["X-Key"])
    assert ("PROJECT_CREATED", project) == (created.json["action"], created.json["project"]["id"])
    webhook(api, receiver, project, headers={"X-Key": "own"}, send_for_all_actions=False, actions=["TASKS_DELETED"])
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").touch()
    storage = api.storage(project, path=str(tmp_path / "files"), use_blob_urls=True)
    api.sync(storage)
    api.wait(storage)
    task = api.tasks(project)[0]["id"]

    api.http.patch(f"/api/projects/{project}", json={"title": "after"})
    updated = receiver.next().json
    api.http.delete(f"/api/tasks/{task}")
    deleted = {post.headers["X-Key"]: post.json for post in (receiver.next(), receiver.next())}
    api.http.delete(f"/api/projects/{project}")
    gone = receiver.next().json

    assert ("PROJECT_UPDATED", "after") == (updated["action"], updated["project"]["title"])
    assert 1 == updated["project"]["task_number"]
    assert 1 == updated["project"]["created_by"]
    assert {"own", "of all"} == set(deleted)
    for payload in deleted.values():
        assert ("TASKS_DELETED", [{"id": task}]) == (payload["action"], payload["tasks"])
        assert project == payload["project"]["id"]
    assert {"action": "PROJECT_DELETED", "project": {"id": project}} == gone
    assert [] == receiver.posts
    assert 1 == len(api._ok(api.http.get("/api/webhooks/")))  # the project's own went with it


def test_a_receiver_that_failed_is_told_again(api, stack, receiver):
    answers = iter([500, 200])
    receiver.answer = lambda _post: next(answers)
    webhook(api, receiver)

    api.project()

    first, second = receiver.next(), receiver.next()
    assert ("1", "2") == (first.headers["X-Sluice-Attempt"], second.headers["X-Sluice-Attempt"])
    assert first.headers["X-Sluice-Delivery"] == second.headers["X-Sluice-Delivery"]
    assert first.json == second.json


@pytest.mark.parametrize("lost", ["never enqueued", "purged"])
def test_what_no_message_is_known_of_is_delivered_by_the_sweep(api, stack, receiver, lost):
    """The process dies after the commit that caused the event; or somebody empties the queue."""
    ctx = stack.ctx
    webhook(api, receiver, send_for_all_actions=False, actions=["TASKS_DELETED"])
    project = api.project()
    ctx.queue.pause(QUEUE_WEBHOOKS)
    told = outbox.writes(ctx, outbox.subscribers(ctx, project), "TASKS_DELETED", project, [7])
    ctx.documents.commit(told)
    if lost == "purged":
        outbox.send(ctx, told)
        ctx.queue.purge(QUEUE_WEBHOOKS)
    ctx.queue.resume(QUEUE_WEBHOOKS)
    later = ctx.clock() + ctx.settings.rewake_seconds + 1
    ctx.clock = lambda: later

    sweeping.sweep(ctx)

    assert [{"id": 7}] == receiver.next().json["tasks"]
    outbox.send(ctx, told)  # the sender was only slow: its message has an old ticket by now
    webhook(api, receiver, project, headers={"X-Last": "1"})
    api.http.patch(f"/api/projects/{project}", json={"title": "the next one"})
    assert "X-Last" in receiver.next().headers
    assert [] == receiver.posts


def test_a_sweep_leaves_alone_what_the_queue_still_knows(api, stack, receiver):
    ctx = stack.ctx
    webhook(api, receiver)
    ctx.queue.pause(QUEUE_WEBHOOKS)
    api.project()
    later = ctx.clock() + ctx.settings.rewake_seconds + 1
    ctx.clock = lambda: later

    assert 0 == outbox.wake_overdue(ctx, 10)

    waiting = ctx.outbox.overdue(later + 1, 10)
    assert [(1, later)] == [(item.value.ticket, item.value.due) for item in waiting]
    assert [] == receiver.posts
    ctx.queue.resume(QUEUE_WEBHOOKS)
    assert "PROJECT_CREATED" == receiver.next().json["action"]
