"""`sweep`: called by a timer every minute."""

from collections.abc import Mapping

import functions_framework.aio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from functions.callers import refusal
from functions.runtime import context
from shared.log import logger
from shared.services import sweeping
from shared.services.context import Context


def handle(ctx: Context, _headers: Mapping[str, str], _body: bytes) -> int:
    """Sweeps once, and returns the HTTP status for the timer."""
    try:
        sweeping.sweep(ctx)
    except Exception as error:  # noqa: BLE001  whatever it is, the next minute tries again
        logger.error("sweep failed", action="sweep.error", exc_info=error)
        return 500
    return 200


@functions_framework.aio.http
async def sweep(request: Request) -> Response:
    """The HTTP target."""
    if refused := await refusal(request, "sweep"):
        return refused
    status = await run_in_threadpool(handle, context(), request.headers, b"")
    return Response(status_code=status)
