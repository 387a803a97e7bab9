"""`add_records`: called by the task queue to make tasks of a dataset's records."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions.queued import handler, owed, serve
from shared.services.datasets import adding

handle = handler("add_records", owed, adding.work)


@functions_framework.aio.http
async def add_records(request: Request) -> Response:
    """The HTTP target."""
    return await serve(request, "add_records", handle)
