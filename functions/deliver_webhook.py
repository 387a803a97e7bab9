"""`deliver_webhook`: called by the task queue to post one item of the outbox.

A function of its own because it calls addresses that users chose: it needs no right but those on documents and queue.
"""

from collections.abc import Mapping

import functions_framework.aio
import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from functions import webhook_payloads
from functions.callers import refusal
from functions.runtime import context
from shared.log import logger
from shared.model.webhook import WebhookPermit
from shared.services.context import Context
from shared.services.delivering import deliver


def handle(ctx: Context, headers: Mapping[str, str], body: bytes) -> int:
    """Makes one attempt, and returns the HTTP status for the queue: a receiver's failure is acknowledged too."""
    name = headers.get("X-CloudTasks-TaskName", "")
    permit = parse(body)
    if permit is None:
        # Repeating can't mend it.
        logger.error("message names no item", action="webhook.malformed", message=name, size=len(body))
        return 200
    try:
        deliver(ctx, permit, webhook_payloads.build)
    except Exception as error:  # noqa: BLE001  whatever it is, the queue tries again
        logger.error("delivery failed", action="webhook.error", message=name, item=permit.item, exc_info=error)
        return 500
    return 200


def parse(body: bytes) -> WebhookPermit | None:
    """The permit that a message holds, or None."""
    try:
        permit = WebhookPermit(**orjson.loads(body))
    except (TypeError, ValueError):
        return None
    return permit if isinstance(permit.item, str) and permit.item and type(permit.ticket) is int else None


@functions_framework.aio.http
async def deliver_webhook(request: Request) -> Response:
    """The HTTP target."""
    if refused := await refusal(request, "deliver_webhook"):
        return refused
    body = await request.body()
    status = await run_in_threadpool(handle, context(), request.headers, body)
    return Response(status_code=status)
