"""One delivery and what becomes of it, on both document stores."""

import threading
from contextlib import suppress
from dataclasses import replace

import orjson
import pytest

from functions import deliver_webhook, sweep
from shared.adapters.queues.inprocess import InProcessQueue
from shared.adapters.receivers import HttpReceivers
from shared.errors import SluiceError
from shared.ports import Query
from shared.services import projects, trash
from shared.services.context import QUEUES
from shared.services.webhooks import webhooks
from tests.flows.webhook_desk import CANARY, deliver_now, reasons
from tests.receiver import receiving


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


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"[]", b"{}", b'{"item": 1, "ticket": 1}', b'{"item": "x"}', b'{"item": "", "ticket": 1}'],
)
def test_poison_is_acknowledged(desk, body):
    assert 200 == deliver_webhook.handle(desk.ctx, {}, body)


def test_an_item_that_is_not_there_is_acknowledged(desk):
    assert 200 == deliver_webhook.handle(desk.ctx, {}, b'{"item": "x", "ticket": 1}')


def test_a_function_without_address_keeps_neither_the_event_nor_the_sweep(desk, log_lines):
    """What happened has happened; the sweep says what is missing, and goes on with its other work."""
    desk.webhook()
    queue, desk.ctx.queue = desk.ctx.queue, Unaddressed(desk.queue)
    projects.update(desk.ctx, desk.project, {"title": "another"})
    desk.ctx.documents.commit([trash.trash(desk.ctx, storages=[99])])
    desk.pass_time(60)

    assert 200 == sweep.handle(desk.ctx, {}, b"")

    assert ["webhook.send", "sweep.webhook"] == [
        line["action"] for line in map(orjson.loads, log_lines.getvalue().splitlines()) if "reason" in line
    ]
    assert [] == desk.ctx.documents.query(Query(collection=trash.COLLECTION, order=("since",)))
    desk.ctx.queue = queue
    desk.pass_time(60)
    sweep.handle(desk.ctx, {}, b"")
    desk.work()
    assert "another" == desk.receiver.next().json["project"]["title"]


class Unaddressed:
    """A queue that knows no URL of the function, as Cloud Tasks where the setting is missing."""

    def __init__(self, queue):
        self.state = queue.state

    def enqueue(self, message):
        raise SluiceError(f"The URL of the function {message.target!r} is not configured, so nothing can call it.")
