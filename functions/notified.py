"""What the functions that buckets notify have in common: a bounded body, and an answer that a sender understands."""

from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from functions.callers import CallerRefusedError
from functions.errors import RETRY_AFTER, Json, error_answer
from functions.requests import bounded_body
from functions.runtime import context
from shared.errors import SchemaTooNewError
from shared.log import logger
from shared.model.notices import Found, MalformedError
from shared.services.context import Context
from shared.services.sync import notices

Answer = Callable[[Request, Context], Awaitable[Response]]


async def served(request: Request, function: str, answer: Answer) -> Response:
    """Answers as the function does, with the context of this process; 503 where that is not for its documents."""
    try:
        ctx = context()
    except SchemaTooNewError as error:
        logger.warning("notification refused", action="notice.refused", function=function, status=503)
        return error_answer(503, error.message, headers={"Retry-After": RETRY_AFTER})
    return await answer(request, ctx)


async def answered(request: Request, ctx: Context, function: str, work: Callable[[bytes], Response]) -> Response:
    """Does `work` with the body, on a thread. A refusal is logged with its reason, never with what was sent."""
    try:
        body = await bounded_body(request, ctx.settings.notice_bytes)
        return await run_in_threadpool(work, body)
    except HTTPException as error:
        return error_answer(error.status_code, str(error.detail))
    except ClientDisconnect:
        return error_answer(400, "The request ended before its body did.")
    except CallerRefusedError as error:
        logger.warning(
            "notification refused",
            action="notice.refused",
            function=function,
            status=error.status,
            reason=str(error),
        )
        return error_answer(error.status, "The notification is refused; the server's log says why.")
    except MalformedError as error:
        return malformed(function, [str(error)])
    except notices.BUSY as error:
        logger.warning("busy", action="notice.busy", function=function, error=type(error).__name__, reason=str(error))
        text = "A service that Sluice depends on does not answer, or is too busy. Send it again in a moment."
        return error_answer(503, text, headers={"Retry-After": RETRY_AFTER})
    except Exception as error:  # noqa: BLE001  the sender tries again
        logger.error("notification failed", action="notice.error", function=function, exc_info=error)
        return error_answer(500, "The server met an unexpected error; its log has more.")


def honoured(ctx: Context, function: str, found: Found) -> Response:
    """Marks what was found, and says what came of it. Good events of a request count, whatever the others are."""
    if found.hopeless:
        return malformed(function, found.problems)
    told = notices.honour(ctx, found.notices) if found.notices else 0
    if found.malformed:
        logger.warning("notifications malformed", action="notice.malformed", function=function, count=found.malformed)
    counts = {"honoured": told, "ignored": found.ignored + len(found.notices) - told, "malformed": found.malformed}
    return Json(counts | ({"problems": found.problems} if found.problems else {}))


def malformed(function: str, problems: list[str]) -> Response:
    """The answer to what can't be read."""
    logger.warning("notification malformed", action="notice.malformed", function=function, reason=problems[0])
    return error_answer(400, "Validation error", fields={"non_field_errors": problems})


def refused_method(request: Request, allowed: str) -> Response:
    """The answer to a method that there is not."""
    return error_answer(405, f'Method "{request.method}" not allowed.', headers={"Allow": allowed})
