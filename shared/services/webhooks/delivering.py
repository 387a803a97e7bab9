"""Delivers one item of the outbox: posts it, and then says in documents how that went.

At least once: two deliveries of an item may both post, and one that dies between the answer and its commit posts
again. Only a commit ends an item or moves it on, so none is forgotten. The queue is told nothing of a receiver's
failures, since it would slow all receivers down: the next attempt is a message of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from shared import __version__
from shared.errors import CommitRefusedError, CommitUnknownError, CredentialsError, ReceiverError
from shared.log import logger
from shared.model.owed import Permit, pause
from shared.model.webhook import OutboxItem, Webhook
from shared.ports import Delete, Write
from shared.records.collection import Stored
from shared.services.context import Context
from shared.services.webhooks import outbox, webhooks

RETRIES = 20
MAX_ERROR = 1000
AGENT = {"User-Agent": f"Sluice/{__version__}"}


class Payload(NamedTuple):
    """What is told of an item, beside its action. `told`: how many of its ids, from the first on."""

    fields: Mapping[str, Any]
    told: int


Build = Callable[[Context, OutboxItem], Payload | None]
"""Makes the payload of what is there now; None: nothing of it is. May tell less than all of the ids, not none."""


class Failure(NamedTuple):
    """Why a receiver did not take it; `final`: and never will."""

    reason: str
    final: bool = False


def deliver(ctx: Context, permit: Permit, build: Build) -> None:
    """Makes one attempt to deliver the item that a message is about. Idempotent but for the post itself."""
    for _ in range(RETRIES):
        stored = ctx.outbox.get(permit.item)
        if stored is None:
            return  # delivered, or never committed
        item = stored.value
        if item.ticket != permit.ticket:
            outbox.DESK.wake(ctx, item)
            return
        webhook = ctx.webhooks.get(item.webhook)
        if webhook is None or not webhook.value.wants(item.action):
            _end(ctx, stored)
            return
        payload = build(ctx, item) if webhook.value.send_payload else Payload({}, len(item.ids))
        if payload is None:
            _end(ctx, stored)
            return
        if payload.told < len(item.ids) and not (stored := _split(ctx, stored, payload.told)):
            continue
        failure = _post(ctx, webhook.value, stored.value, {"action": item.action, **payload.fields})
        if failure is None:
            _end(ctx, stored)
            _well(ctx, webhook)
        else:
            _failed(ctx, stored, failure)
        return
    raise CommitRefusedError(f"item {permit.item} of the outbox is being changed by others")


def _split(ctx: Context, stored: Stored[OutboxItem], told: int) -> Stored[OutboxItem] | None:
    """Makes an item of its own of the ids that are not told now. None: somebody else changed the item."""
    item = replace(stored.value, ids=stored.value.ids[:told])
    rest = replace(stored.value, id=ctx.new_id(), ids=stored.value.ids[told:], ticket=1, failures=0, due=ctx.clock())
    made = ctx.outbox.create(rest.id, rest)
    try:
        revision = ctx.documents.commit([ctx.outbox.update(stored, item), made])[0]
    except (CommitRefusedError, CommitUnknownError):
        return None
    outbox.send(ctx, [made])
    return Stored(item, revision, stored.ref)


def _post(ctx: Context, webhook: Webhook, item: OutboxItem, told: Mapping[str, Any]) -> Failure | None:
    try:
        where = webhooks.address(ctx, webhook)
        ours = {
            "Content-Type": "application/json",
            "X-Sluice-Delivery": item.id,
            "X-Sluice-Attempt": str(item.failures + 1),
        }
        status = ctx.receivers.post(where.url, {**AGENT, **where.headers, **ours}, orjson.dumps(told))
    except (ReceiverError, CredentialsError) as error:
        return Failure(error.message)
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if status == HTTPStatus.GONE:
        return Failure("The receiver answered 410 (Gone): it wants to be told no more.", final=True)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Failure(f"The receiver answered {status}, a redirect, which is not followed: give the final address.")
    return Failure(f"The receiver answered {status}, where 2xx is expected.")


def _end(ctx: Context, stored: Stored[OutboxItem]) -> None:
    """Removes an item, whoever else has changed it."""
    for _ in range(RETRIES):
        try:
            ctx.documents.commit([Delete(stored.ref, None)])
        except CommitUnknownError:
            continue
        return
    raise CommitUnknownError(f"item {stored.value.id} of the outbox could not be removed")


def _well(ctx: Context, webhook: Stored[Webhook]) -> None:
    """Notes on the webhook that it works. If it is being edited, the next delivery will."""
    logger.info("webhook delivered", action="webhook.deliver", webhook=webhook.value.id)
    if not webhook.value.consecutive_failures:
        return
    try:
        ctx.documents.commit([ctx.webhooks.update(webhook, replace(webhook.value, consecutive_failures=0))])
    except (CommitRefusedError, CommitUnknownError):
        logger.debug("webhook moved on", action="webhook.well", webhook=webhook.value.id)


def _failed(ctx: Context, stored: Stored[OutboxItem], failure: Failure) -> None:
    """Takes the next attempt, or gives the item up."""
    for _ in range(RETRIES):
        item = stored.value
        failures = item.failures + 1
        about = {"webhook": item.webhook, "item": item.id, "attempt": failures, "reason": failure.reason}
        over = failure.final or failures >= ctx.settings.webhook_max_attempts
        wait = pause(failures)
        moved = replace(item, failures=failures, ticket=item.ticket + 1, due=ctx.clock() + wait)
        try:
            ctx.documents.commit(_given_up(ctx, stored, failure) if over else [ctx.outbox.update(stored, moved)])
        except (CommitRefusedError, CommitUnknownError):
            current = ctx.outbox.get(item.id)
            if current is None:
                return  # another delivery was luckier, or gave it up
            if current.value.ticket != item.ticket:
                outbox.DESK.wake(ctx, current.value)
                return
            stored = current
            continue
        if over:
            logger.error("webhook given up", action="webhook.give_up", **about)
        else:
            logger.warning("webhook failed", action="webhook.failed", **about)
            outbox.enqueue(ctx, item.id, moved.ticket, delay=wait)
        return
    raise CommitRefusedError(f"item {stored.value.id} of the outbox is being changed by others")


def _given_up(ctx: Context, stored: Stored[OutboxItem], failure: Failure) -> list[Write]:
    """The writes that drop an item and say so on its webhook."""
    webhook = ctx.webhooks.get(stored.value.webhook)
    if webhook is None:
        return [stored.delete]
    noted = replace(
        webhook.value,
        consecutive_failures=webhook.value.consecutive_failures + 1,
        last_error=failure.reason[:MAX_ERROR],
    )
    return [stored.delete, ctx.webhooks.update(webhook, noted)]
