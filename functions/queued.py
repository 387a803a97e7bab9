"""What all functions that the queue calls have in common: who may call, what a message must be, how it is answered."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from functions.callers import refusal
from functions.runtime import Handle, context
from shared.errors import SchemaTooNewError
from shared.log import logger
from shared.model.owed import Permit
from shared.services.context import Context


async def serve(request: Request, function: str, handle: Handle) -> Response:
    """Answers the queue (or the timer), and nobody else."""
    try:
        ctx = context()
    except SchemaTooNewError:
        return Response(status_code=503)  # asked again, it is perhaps of a release that can
    if refused := await refusal(request, function):
        return refused
    body = await request.body()
    return Response(status_code=await run_in_threadpool(handle, ctx, request.headers, body))


def handler(function: str, parse: Callable[[bytes], Any], work: Callable[[Context, Any], None]) -> Handle:
    """Does `work` with what `parse` finds in a message. A message in which it finds nothing (None) is acknowledged."""

    def handle(ctx: Context, headers: Mapping[str, str], body: bytes) -> int:
        message = headers.get("X-CloudTasks-TaskName", "")
        permit = parse(body)
        if permit is None:
            # Repeating can't mend it.
            logger.error("message is no permit", action=f"{function}.malformed", message=message, size=len(body))
            return 200
        try:
            work(ctx, permit)
        except SchemaTooNewError as error:
            logger.error("this release is too old for the documents", action="schema.refused", reason=str(error))
            return 503
        except Exception as error:  # noqa: BLE001  whatever it is, the queue tries again
            logger.error("message failed", action=f"{function}.error", message=message, permit=permit, exc_info=error)
            return 500
        return 200

    return handle


def owed(body: bytes) -> Permit | None:
    """The permit of a message about something that is owed, or None."""
    found = fields(body)
    item, ticket = found.get("item"), found.get("ticket")
    return Permit(item, ticket) if isinstance(item, str) and item and type(ticket) is int else None


def fields(body: bytes) -> dict[str, Any]:
    """The fields of a message; empty if it is no JSON object."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
