"""`sync_chunk`: called by the task queue with a permit to work on a storage."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions.queued import fields, handler, serve
from shared.model.run import Permit
from shared.services.sync import syncing


def parse(body: bytes) -> Permit | None:
    """The permit that a message holds, or None."""
    try:
        permit = Permit(**fields(body))
    except TypeError:
        return None
    numbers = (permit.storage, permit.ticket, permit.lane)
    texts = (permit.run, permit.hint)
    valid = all(type(n) is int for n in numbers) and all(isinstance(t, str) for t in texts) and any(texts)
    return permit if valid else None


handle = handler("sync_chunk", parse, lambda ctx, permit: syncing.run_permit(ctx, permit))


@functions_framework.aio.http
async def sync_chunk(request: Request) -> Response:
    """The HTTP target."""
    return await serve(request, "sync_chunk", handle)
