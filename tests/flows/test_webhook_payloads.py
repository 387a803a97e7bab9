"""What webhooks are told: in Label Studio's shapes, of what is there when they are told, in posts of bounded size."""

from dataclasses import replace

import pytest

from shared.ports import Update
from shared.records.tasks import ref
from shared.services.labelling import annotating
from shared.services.webhooks import outbox
from tests.api.client import words

TASK = """id data meta created_at updated_at is_labeled allow_skip overlap inner_id total_annotations
    cancelled_annotations total_predictions precomputed_agreement comment_count unresolved_comment_count
    last_comment_updated_at project updated_by file_upload comment_authors"""


ANNOTATION = """id result was_cancelled ground_truth created_at updated_at draft_created_at lead_time prediction
    result_count unique_id import_id last_action bulk_created task project completed_by updated_by parent_prediction
    parent_annotation last_created_by"""


def test_without_payload_only_the_action_is_sent(desk):
    desk.webhook(send_payload=False)
    desk.happen(ids=range(1, 8))
    desk.work()
    assert [{"action": "TASKS_DELETED"}] == [post.json for post in desk.receiver.posts]


def test_tasks_are_told_as_they_are_now(desk):
    desk.webhook()
    desk.tasks([3, 1], data=b'{"$undefined$":"s3://b/k"}')
    desk.tasks([2], data=b'{"big":12345678901234567890123}')
    desk.happen("TASKS_CREATED", [3, 1, 4, 2])  # there never was a 4
    desk.ctx.documents.commit([Update(ref(1), {"deleted": True}, None)])
    desk.work()

    [post] = desk.receiver.posts
    assert ["action", "tasks", "project"] == list(post.json)
    first, second = post.json["tasks"]
    assert (3, {"image": "s3://b/k"}) == (first["id"], first["data"])
    assert (2, {"big": 12345678901234567890123}) == (second["id"], second["data"])
    assert set(words(TASK)) == set(first)
    assert (desk.project, "2027-01-15T08:00:00Z") == (post.json["project"]["id"], post.json["project"]["created_at"])


def annotated(desk, *tasks):
    desk.tasks(tasks)
    given = {"result": [{"id": "r"}], "lead_time": 2.5}
    return [annotating.create(desk.ctx, task, given, user=1).id for task in tasks]


@pytest.mark.parametrize("action", ["ANNOTATION_CREATED", "ANNOTATION_UPDATED"])
def test_an_annotation_is_told_with_its_task(desk, action):
    desk.webhook(send_for_all_actions=False, actions=[action])
    [annotation] = annotated(desk, 5)
    desk.happen(action, [annotation])
    desk.work()

    payload = desk.receiver.posts[-1].json
    assert ["action", "annotation", "task", "project"] == list(payload)
    assert (annotation, 5, 1) == (
        payload["annotation"]["id"],
        payload["task"]["id"],
        payload["task"]["total_annotations"],
    )
    assert ([{"id": "r"}], 1, 2.5) == tuple(
        payload["annotation"][name] for name in ("result", "result_count", "lead_time")
    )
    assert set(words(ANNOTATION)) == set(payload["annotation"])
    assert set(words(TASK)) == set(payload["task"])


def test_many_annotations_are_told_with_their_tasks_except_those_that_are_gone(desk):
    desk.webhook(send_for_all_actions=False, actions=["ANNOTATIONS_CREATED", "ANNOTATIONS_DELETED"])
    numbers = annotated(desk, 5, 6, 7)
    desk.happen("ANNOTATIONS_CREATED", numbers)
    annotating.delete(desk.ctx, numbers[1])
    desk.ctx.documents.commit([Update(ref(7), {"deleted": True}, None)])
    desk.happen("ANNOTATIONS_DELETED", [numbers[1]])
    desk.work()

    told = {post.json["action"]: post.json for post in desk.receiver.posts}
    created = told["ANNOTATIONS_CREATED"]
    assert ([numbers[0]], [5]) == tuple([one["id"] for one in created[key]] for key in ("annotation", "task"))
    assert [{"id": numbers[1]}] == told["ANNOTATIONS_DELETED"]["annotations"]


def test_nothing_is_told_of_tasks_that_are_all_gone(desk):
    desk.webhook()
    desk.happen("TASKS_CREATED", [1, 2])
    desk.work()
    assert ([], []) == (desk.receiver.posts, desk.items())


def test_many_ids_are_several_items_and_large_payloads_several_posts(desk):
    """Split by the commit that says so, so that no task is told twice for it."""
    desk.ctx.settings = replace(desk.ctx.settings, webhook_bytes=10_000)
    desk.webhook()
    numbers = list(range(1, 41))
    desk.tasks(numbers, data=b'{"text":"%s"}' % (b"x" * 3000))
    assert 2 == len(desk.happen("TASKS_DELETED", range(outbox.MAX_IDS + 1)))
    desk.work()
    assert {500, 1} == {len(post.json["tasks"]) for post in desk.receiver.posts}

    desk.happen("TASKS_CREATED", numbers)
    desk.work()

    posts = desk.receiver.posts
    told = [[task["id"] for task in post.json["tasks"]] for post in posts]
    assert numbers == sorted(number for numbers in told for number in numbers)
    assert max(map(len, told)) <= 3
    assert len(posts) == len({post.headers["X-Sluice-Delivery"] for post in posts})
    assert [] == desk.items()


def test_a_single_task_is_told_however_large(desk):
    desk.ctx.settings = replace(desk.ctx.settings, webhook_bytes=10)
    desk.webhook()
    desk.tasks([1, 2])
    desk.happen("TASKS_CREATED", [1, 2])
    desk.work()
    assert {1, 2} == {post.json["tasks"][0]["id"] for post in desk.receiver.posts}
