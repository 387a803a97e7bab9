"""The outbox: the commit that causes an event also says, in a document of its own, whom it is still to be told."""

from collections.abc import Sequence

from shared.model.webhook import OutboxItem, Webhook
from shared.ports import Create
from shared.services.context import DELIVER_WEBHOOK, QUEUE_WEBHOOKS, Context
from shared.services.owed import Desk

MAX_IDS = 500
"""Of one item: as many as a batch of a sync makes tasks."""
DESK = Desk("webhook", QUEUE_WEBHOOKS, DELIVER_WEBHOOK, lambda ctx: ctx.outbox)
send, enqueue, wake_overdue = DESK.send, DESK.enqueue, DESK.wake_overdue


def subscribers(ctx: Context, project: int) -> list[Webhook]:
    """Webhooks that are told of the project's events: its own and those of all projects. At most twice `max_webhooks`.

    They are read before the commit that causes an event; one that is made in between may miss it.
    """
    found = [*ctx.webhooks.of(project), *ctx.webhooks.of(None)]
    return [stored.value for stored in found if stored.value.is_active]


def writes(ctx: Context, subscribers: Sequence[Webhook], action: str, project: int, ids: Sequence[int]) -> list[Create]:
    """Parts of the commit that causes the event: an item for each subscriber that wants it and each `MAX_IDS` ids.

    `ids`: of the tasks, annotations or the project that the event is about. Empty where nobody is to be told.
    """
    now = ctx.clock()
    made: list[Create] = []
    for webhook in subscribers:
        if not webhook.wants(action):
            continue
        for at in range(0, len(ids), MAX_IDS):
            item = OutboxItem(
                id=ctx.new_id(),
                webhook=webhook.id,
                project=project,
                action=action,
                ids=tuple(ids[at : at + MAX_IDS]),
                since=now,
                due=now,
            )
            made.append(ctx.outbox.create(item.id, item))
    return made
