"""Deliveries of webhooks step by step: a clock to move, a queue that is stepped, a receiver to answer."""

import orjson
import pytest

from functions import webhook_payloads
from functions.runtime import deliver
from infra.local import local_settings
from shared import app
from shared.adapters.queues.inprocess import InProcessQueue
from shared.model.owed import Permit
from shared.records.tasks import Origin
from shared.records.tasks import create as new_task
from shared.services import projects
from shared.services.accounts import users
from shared.services.context import QUEUES
from shared.services.webhooks import delivering, outbox, webhooks
from tests.receiver import receiving

CANARY = "canary-0042-of-a-webhook"
CONFIG = '<View><Image name="i" value="$image"/></View>'


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


def reasons(log_lines):
    """Why deliveries failed, as the log has it."""
    logged = [orjson.loads(line) for line in log_lines.getvalue().splitlines()]
    return [line["reason"] for line in logged if "reason" in line]


def deliver_now(desk, item, ticket):
    delivering.deliver(desk.ctx, Permit(item, ticket), webhook_payloads.build)
