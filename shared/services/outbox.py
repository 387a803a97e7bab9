"""The outbox: the commit that causes an event also says, in a document of its own, whom it is still to be told.

A message only wakes the delivery of such an item. Who dies between the commit and the message leaves an item that is
overdue and that no message is known of; the sweep takes its next ticket, as a used name may be refused for ever.
"""

from collections.abc import Sequence
from dataclasses import replace

import orjson

from shared.errors import CommitRefusedError, CommitUnknownError, SluiceError
from shared.log import logger
from shared.model.webhook import OutboxItem, Webhook, item_message
from shared.ports import Create, Message
from shared.services.context import DELIVER_WEBHOOK, QUEUE_WEBHOOKS, Context

MAX_IDS = 500
"""Of one item: as many as a batch of a sync makes tasks."""


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


def send(ctx: Context, writes: Sequence[Create]) -> None:
    """Wakes the deliveries of items that were committed. Harmless for items that were not, or were sent already.

    Never fails: what happened has happened, and the sweep sends what the queue does not take now.
    """
    for write in writes:
        try:
            enqueue(ctx, write.ref.id, int(write.data["ticket"] or 1))  # type: ignore[arg-type]  # an integer
        except SluiceError as error:
            logger.warning("webhook waits for the sweep", action="webhook.send", item=write.ref.id, reason=str(error))


def enqueue(ctx: Context, item: str, ticket: int, *, delay: float = 0.0) -> None:
    """Makes sure that the message of the item's ticket was queued once. Raises `QueueUnavailableError`."""
    body = orjson.dumps({"item": item, "ticket": ticket})
    ctx.queue.enqueue(Message(QUEUE_WEBHOOKS, item_message(item, ticket), DELIVER_WEBHOOK, body, delay))


def wake_overdue(ctx: Context, limit: int) -> int:
    """Sends anew what has been due for a while and what no message is known of; returns how many that were.

    What only waits in the queue takes its place behind the others, so that every item is looked at in turn.
    """
    now = ctx.clock()
    woken = 0
    for stored in ctx.outbox.overdue(now - ctx.settings.rewake_seconds, limit):
        item = stored.value
        lost = ctx.queue.state(QUEUE_WEBHOOKS, item_message(item.id, item.ticket)).absent
        moved = replace(item, ticket=item.ticket + lost, due=now)
        try:
            ctx.documents.commit([ctx.outbox.update(stored, moved)])
        except (CommitRefusedError, CommitUnknownError):
            continue  # it was delivered, or somebody else woke it
        if lost:
            enqueue(ctx, item.id, moved.ticket)
            woken += 1
    return woken
