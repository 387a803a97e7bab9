"""`sweep`: called by a timer every minute."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions.queued import handler, serve
from shared.services import sweeping

handle = handler("sweep", lambda _body: True, lambda ctx, _permit: sweeping.sweep(ctx))


@functions_framework.aio.http
async def sweep(request: Request) -> Response:
    """The HTTP target."""
    return await serve(request, "sweep", handle)
