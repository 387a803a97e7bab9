"""`sync_chunk`: called by the task queue with a permit to work on a storage."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions.queued import fields, handler, serve
from shared.model.run import Permit
from shared.services.sync import syncing

_KNOWN = frozenset(Permit.__dataclass_fields__)


def parse(body: bytes) -> Permit | None:
    """The permit that a message holds, or None. What another release added to it is left aside."""
    try:
        permit = Permit(**{name: value for name, value in fields(body).items() if name in _KNOWN})
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
