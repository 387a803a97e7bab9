"""`bucket_event`: called by a push subscription of Pub/Sub, or by Eventarc, with what happened in a GCS bucket."""

import functions_framework.aio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from functions import callers
from functions.notified import answered, honoured, refused_method, served
from shared.model.notices import google
from shared.services.context import Context


async def answer(request: Request, ctx: Context) -> Response:
    """Authenticates, matches, marks dirty. Pub/Sub delivers again whatever is not answered with 2xx."""
    if request.method != "POST":
        return refused_method(request, "POST")
    authorization = request.headers.get("authorization", "")
    status = await run_in_threadpool(callers.check, ctx.settings, callers.BUCKET_EVENT, authorization)
    if status:
        return Response(status_code=status)

    def work(body: bytes) -> Response:
        return honoured(ctx, callers.BUCKET_EVENT, google.parse(request.headers, body))

    return await answered(request, ctx, callers.BUCKET_EVENT, work)


@functions_framework.aio.http
async def bucket_event(request: Request) -> Response:
    """The HTTP target."""
    return await served(request, callers.BUCKET_EVENT, answer)
