"""`deliver_webhook`: called by the task queue to post one item of the outbox.

A function of its own because it calls addresses that users chose: it needs no right but those on documents and queue.
"""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions import webhook_payloads
from functions.queued import handler, owed, serve
from shared.model.owed import Permit
from shared.services.context import Context
from shared.services.webhooks import delivering


def deliver(ctx: Context, permit: Permit) -> None:
    """Makes one attempt; a receiver's failure is none of the queue's."""
    delivering.deliver(ctx, permit, webhook_payloads.build)


handle = handler("deliver_webhook", owed, deliver)


@functions_framework.aio.http
async def deliver_webhook(request: Request) -> Response:
    """The HTTP target."""
    return await serve(request, "deliver_webhook", handle)
