"""One delivery and what becomes of it, on both document stores, with a clock to move and a queue that is stepped."""

import threading
from contextlib import suppress
from dataclasses import replace

import orjson
import pytest

from functions import deliver_webhook, webhook_payloads
from functions.runtime import deliver
from infra.local import local_settings
from shared import app
from shared.adapters.queues.inprocess import InProcessQueue
from shared.adapters.receivers import HttpReceivers
from shared.errors import InvalidInputError
from shared.model.webhook import WebhookPermit
from shared.ports import Update
from shared.records.tasks import Origin, ref
from shared.records.tasks import create as new_task
from shared.services import annotating, delivering, outbox, projects, users, webhooks
from shared.services.context import QUEUES
from shared.services.secrets import Vault
from tests.api.client import words
from tests.receiver import receiving

CANARY = "canary-0042-of-a-webhook"
CONFIG = '<View><Image name="i" value="$image"/></View>'
TASK = """id data meta created_at updated_at is_labeled allow_skip overlap inner_id total_annotations
    cancelled_annotations total_predictions precomputed_agreement comment_count unresolved_comment_count
    last_comment_updated_at project updated_by file_upload comment_authors"""


ANNOTATION = """id result was_cancelled ground_truth created_at updated_at draft_created_at lead_time prediction
    result_count unique_id import_id last_action bulk_created task project completed_by updated_by parent_prediction
    parent_annotation last_created_by"""


class Desk:
    """A context whose queue delivers only when it is told to, and what tests do with it."""

    def __init__(self, ctx, queue, receiver, moment):
        self.ctx, self.queue, self.receiver, self.moment = ctx, queue, receiver, moment
        self.admin = users.first(ctx)
        self.project = projects.create(ctx, {"title": "project", "label_config": CONFIG}, user=1).id

    def webhook(self, **fields):
        given = {"url": f"{self.receiver.url}/{CANARY}", "project": self.project, **fields}
        return webhooks.create(self.ctx, given, user=self.admin)

    def happen(self, action="TASKS_DELETED", ids=(7,), *, send=True):
        """An event, committed, and its messages unless the process dies before; the items it left."""
        told = outbox.writes(self.ctx, outbox.subscribers(self.ctx, self.project), action, self.project, ids)
        self.ctx.documents.commit(told)
        if send:
            outbox.send(self.ctx, told)
        return [write.ref.id for write in told]

    def work(self):
        """Delivers what is due; how many messages that were."""
        steps = 0
        while self.queue.step():
            steps += 1
        return steps

    def pass_time(self, seconds):
        self.moment[0] += seconds

    def stored(self, webhook):
        return self.ctx.webhooks.get(webhook.id).value

    def items(self):
        return [stored.value for stored in self.ctx.outbox.overdue(1e12, 100)]

    def tasks(self, numbers, data=b'{"a":1}'):
        made = [
            write
            for number in numbers
            for write in new_task(
                number,
                project=self.project,
                storage=1,
                origin=Origin("m", str(number), None),
                version="v",
                now=0.0,
                data=data,
            ).writes
        ]
        self.ctx.documents.commit(made)


@pytest.fixture
def receiver():
    with receiving() as one:
        yield one


@pytest.fixture
def desk(tmp_path, store, receiver):
    moment = [1_800_000_000.0]
    settings = local_settings(tmp_path / "data", tmp_path, webhook_timeout=5.0)
    queue = InProcessQueue(
        ":memory:", queues=QUEUES, deliver=lambda delivery: deliver(ctx, delivery), clock=lambda: moment[0]
    )
    ctx = app.build(settings, deliver, documents=store, queue=queue)
    ctx.clock = lambda: moment[0]
    yield Desk(ctx, queue, receiver, moment)
    app.close(ctx)


def test_back_off_doubles_until_the_event_is_given_up(desk):
    webhook = desk.webhook()
    desk.receiver.answer = lambda _post: 503
    desk.happen()

    waits = []
    while desk.items():
        before = desk.moment[0]
        assert 1 == desk.work()
        if due := desk.queue.next_due():
            waits.append(due - before)
            desk.pass_time(waits[-1] - 0.01)
            assert 0 == desk.work()  # not a moment earlier
            desk.pass_time(0.01)

    assert [2.0**n for n in range(9)] == pytest.approx(waits)
    assert 10 == len(desk.receiver.posts)
    stored = desk.stored(webhook)
    assert (1, "The receiver answered 503, where 2xx is expected.") == (stored.consecutive_failures, stored.last_error)

    desk.receiver.answer = lambda _post: 204
    desk.happen()
    desk.work()
    assert 0 == desk.stored(webhook).consecutive_failures
    assert [] == desk.items()


def test_no_wait_is_longer_than_ten_minutes(desk):
    desk.ctx.settings = replace(desk.ctx.settings, webhook_max_attempts=99)
    desk.webhook()
    desk.receiver.answer = lambda _post: 500
    desk.happen()
    waits = []
    for _ in range(13):
        desk.work()
        waits.append(desk.items()[0].due - desk.moment[0])
        desk.pass_time(waits[-1])

    assert [256, 512, 600, 600, 600] == waits[8:]


def reasons(log_lines):
    """Why deliveries failed, as the log has it."""
    logged = [orjson.loads(line) for line in log_lines.getvalue().splitlines()]
    return [line["reason"] for line in logged if "reason" in line]


def deliver_now(desk, item, ticket):
    delivering.deliver(desk.ctx, WebhookPermit(item, ticket), webhook_payloads.build)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (404, "answered 404"),
        ((302, {"Location": "/elsewhere"}), "answered 302, a redirect"),
        ((307, {"Location": "/elsewhere"}), "answered 307, a redirect"),
    ],
)
def test_what_is_not_2xx_is_tried_again(desk, log_lines, answer, says):
    """A redirect is not followed either: nothing else arrives."""
    webhook = desk.webhook()
    desk.receiver.answer = lambda _post: answer
    desk.happen()
    desk.work()

    assert [f"/{CANARY}"] == [post.path for post in desk.receiver.posts]
    assert [(1, 2)] == [(item.failures, item.ticket) for item in desk.items()]
    [reason] = reasons(log_lines)
    assert says in reason
    assert 0 == desk.stored(webhook).consecutive_failures


def test_gone_stops_at_once(desk):
    webhook = desk.webhook()
    desk.receiver.answer = lambda _post: 410
    desk.happen()
    desk.work()

    assert [] == desk.items()
    assert 1 == len(desk.receiver.posts)
    assert 1 == desk.stored(webhook).consecutive_failures
    assert "410" in desk.stored(webhook).last_error


def test_nobody_answers(desk, log_lines):
    with receiving() as other:
        url = other.url
    desk.webhook(url=f"{url}/{CANARY}")
    desk.happen()
    desk.work()

    assert [1] == [item.failures for item in desk.items()]
    assert ["Nothing answers at " + url.removeprefix("http://") + "."] == reasons(log_lines)


def test_a_receiver_that_is_too_slow(desk, log_lines):
    desk.ctx.receivers = HttpReceivers(allow_private=True, timeout=0.2)
    desk.webhook()
    free = threading.Event()
    desk.receiver.answer = lambda _post: (free.wait(30), 200)[1]
    desk.happen()
    desk.work()
    free.set()

    assert [1] == [item.failures for item in desk.items()]
    assert [f"{desk.receiver.url[7:]} did not answer within 0.2 s."] == reasons(log_lines)


def test_the_same_message_twice_posts_once(desk):
    desk.webhook()
    [item] = desk.happen()
    desk.work()
    deliver_now(desk, item, 1)
    assert 1 == len(desk.receiver.posts)


def test_a_repeated_message_of_an_attempt_that_failed_only_wakes_the_next(desk):
    """The process died between taking the next ticket and enqueuing its message."""
    desk.webhook()
    desk.receiver.answer = lambda _post: 500
    [item] = desk.happen(send=False)
    refuse = InProcessQueue(":memory:", queues=QUEUES, deliver=lambda _delivery: 200)
    queue, desk.ctx.queue = desk.ctx.queue, refuse
    refuse.close()
    with suppress(Exception):
        deliver_now(desk, item, 1)
    desk.ctx.queue = queue
    assert [2] == [stored.ticket for stored in desk.items()]

    deliver_now(desk, item, 1)

    assert 1 == len(desk.receiver.posts)
    assert desk.moment[0] + 1 == desk.queue.next_due()


@pytest.mark.parametrize("status", [200, 500, 410])
def test_two_at_once_post_both_and_agree(desk, status):
    webhook = desk.webhook()
    both = threading.Barrier(2, timeout=30)

    def answer(_post):
        both.wait()
        return status

    desk.receiver.answer = answer
    [item] = desk.happen(send=False)
    threads = [threading.Thread(target=deliver_now, args=(desk, item, 1)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    posts = desk.receiver.posts
    assert [item] * 2 == [post.headers["X-Sluice-Delivery"] for post in posts]
    assert ([(1, 2)] if status == 500 else []) == [(left.failures, left.ticket) for left in desk.items()]
    assert (status == 410) == desk.stored(webhook).consecutive_failures


@pytest.mark.parametrize("how", ["deleted", "inactive", "other actions"])
def test_who_does_not_want_it_any_more_is_not_told(desk, how):
    webhook = desk.webhook()
    desk.happen()
    if how == "deleted":
        webhooks.delete(desk.ctx, webhook.id)
    elif how == "inactive":
        webhooks.update(desk.ctx, webhook.id, {"is_active": False}, partial=True)
    else:
        fields = {"send_for_all_actions": False, "actions": ["PROJECT_UPDATED"]}
        webhooks.update(desk.ctx, webhook.id, fields, partial=True)
    desk.work()

    assert [] == desk.receiver.posts
    assert [] == desk.items()


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


def test_a_private_address_is_refused_again_at_delivery(desk, log_lines):
    """The name meant a public address when the webhook was made; now it means the metadata server."""
    answers = {"hooks.example.org": ["93.184.216.34"]}
    desk.ctx.receivers = HttpReceivers(allow_private=False, timeout=5, resolve=lambda host, _port: answers[host])
    webhook = desk.webhook(url=f"http://hooks.example.org/{CANARY}")
    desk.happen()
    answers["hooks.example.org"] = ["169.254.169.254"]
    desk.work()

    assert [1] == [item.failures for item in desk.items()]
    assert reasons(log_lines)[0].startswith("hooks.example.org:80 is not a public address")
    assert desk.stored(webhook).is_active


def test_headers_and_addresses_leave_only_for_their_receiver(desk, log_lines, tmp_path):
    """Not in a log, a traceback, a document or a file; neither the headers' values nor what follows the host."""
    webhook = desk.webhook(headers={"Authorization": f"Bearer {CANARY}", "User-Id": CANARY})
    answers = [200, 500, 302, 410]
    desk.receiver.answer = lambda _post: answers.pop(0) if answers else 200
    for _ in range(4):
        desk.happen()
        desk.work()
        desk.pass_time(5)
    desk.ctx.receivers = HttpReceivers(allow_private=True, timeout=5, resolve=_no_name)
    [item] = desk.happen()
    desk.work()
    desk.ctx.receivers = Broken()
    assert 500 == deliver_webhook.handle(desk.ctx, {}, orjson.dumps({"item": item, "ticket": 2}))

    sent = desk.receiver.posts
    assert {(f"/{CANARY}", f"Bearer {CANARY}")} == {(post.path, post.headers["Authorization"]) for post in sent}
    logged = log_lines.getvalue()
    assert "webhook.give_up" in logged
    assert "RuntimeError: boom" in logged
    stored = desk.ctx.documents.get(desk.ctx.webhooks.ref(webhook.id)).data
    assert CANARY not in logged + str(stored) + repr(webhook) + str(desk.items())
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes()
    assert CANARY == webhooks.address(desk.ctx, desk.stored(webhook)).headers["User-Id"]


class Broken(HttpReceivers):
    """A defect in the middle of a post."""

    def __init__(self):
        super().__init__(allow_private=True, timeout=5)

    def post(self, url, headers, body):
        raise RuntimeError("boom")


def _no_name(_host, _port):
    raise OSError("no such name")


def test_a_key_that_was_lost_is_said_and_mended_by_entering_both_again(desk, log_lines):
    webhook = desk.webhook()
    desk.ctx.vault = Vault.throwaway()
    desk.happen()
    desk.work()
    assert "can't be read with this server's key" in reasons(log_lines)[0]

    with pytest.raises(InvalidInputError) as refused:
        webhooks.update(desk.ctx, webhook.id, {"url": desk.receiver.url}, partial=True)
    assert {"url", "headers"} == set(refused.value.fields)
    fields = {"url": desk.receiver.url, "headers": {"A": "b"}}
    webhooks.update(desk.ctx, webhook.id, fields, partial=True)
    desk.pass_time(1)
    desk.work()
    assert "b" == desk.receiver.next().headers["A"]


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"[]", b"{}", b'{"item": 1, "ticket": 1}', b'{"item": "x"}', b'{"item": "", "ticket": 1}'],
)
def test_poison_is_acknowledged(desk, body):
    assert 200 == deliver_webhook.handle(desk.ctx, {}, body)


def test_an_item_that_is_not_there_is_acknowledged(desk):
    assert 200 == deliver_webhook.handle(desk.ctx, {}, b'{"item": "x", "ticket": 1}')
