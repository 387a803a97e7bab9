"""Where webhooks may go, and that what is secret of them goes nowhere else."""

import orjson
import pytest

from functions import deliver_webhook
from shared.adapters.receivers import HttpReceivers
from shared.errors import InvalidInputError
from shared.services.secrets import Vault
from shared.services.webhooks import webhooks
from tests.flows.webhook_desk import CANARY, reasons


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
