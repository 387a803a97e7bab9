"""`sync_chunk`: called by the task queue with a permit to work on a storage."""

from collections.abc import Mapping

import functions_framework.aio
import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from functions.callers import refusal
from functions.runtime import context
from shared.log import logger
from shared.model.run import Permit
from shared.services.context import Context
from shared.services.syncing import run_permit


def handle(ctx: Context, headers: Mapping[str, str], body: bytes) -> int:
    """Works on a permit, and returns the HTTP status for the queue: 2xx acknowledges, anything else repeats."""
    name = headers.get("X-CloudTasks-TaskName", "")
    permit = parse(body)
    if permit is None:
        # Repeating can't mend it.
        logger.error("message is no permit", action="permit.malformed", message=name, size=len(body))
        return 200
    try:
        run_permit(ctx, permit)
    except Exception as error:  # noqa: BLE001  whatever it is, the queue tries again
        logger.error("permit failed", action="permit.error", message=name, storage=permit.storage, exc_info=error)
        return 500
    return 200


def parse(body: bytes) -> Permit | None:
    """The permit that a message holds, or None."""
    try:
        fields = orjson.loads(body)
        permit = Permit(**fields)
    except (TypeError, ValueError):
        return None
    numbers = (permit.storage, permit.ticket, permit.lane)
    texts = (permit.run, permit.hint)
    valid = all(type(n) is int for n in numbers) and all(isinstance(t, str) for t in texts) and any(texts)
    return permit if valid else None


@functions_framework.aio.http
async def sync_chunk(request: Request) -> Response:
    """The HTTP target."""
    if refused := await refusal(request, "sync_chunk"):
        return refused
    body = await request.body()
    status = await run_in_threadpool(handle, context(), request.headers, body)
    return Response(status_code=status)
