"""`export_annotations`: called by the task queue to write the annotations that were just saved or deleted."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions.queued import handler, owed, serve
from shared.services.exports import dues

handle = handler("export_annotations", owed, dues.pay)


@functions_framework.aio.http
async def export_annotations(request: Request) -> Response:
    """The HTTP target."""
    return await serve(request, "export_annotations", handle)
