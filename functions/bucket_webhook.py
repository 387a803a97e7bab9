"""`bucket_webhook`: called from other clouds with what happened in a bucket of S3 or Azure.

S3 by SNS (signed messages, or raw ones) and by API destinations of EventBridge; Azure by Event Grid, in either schema.
A signed message of SNS is proved by itself, everything else by a secret or a token.
"""

import re
from functools import cache
from http import HTTPStatus
from typing import Any

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions import senders, sns
from functions.callers import CallerRefusedError
from functions.errors import Json, error_answer
from functions.notified import answered, honoured, refused_method, served
from shared.log import logger
from shared.model.notices import AMAZON, Found, MalformedError, Notice, amazon, azure, load, read
from shared.model.notices import sns as messages
from shared.services.context import Context

NAME = "bucket_webhook"
ALLOWED = "POST, OPTIONS"
_ORIGIN = re.compile(r"[A-Za-z0-9.-]{1,253}")


async def answer(request: Request, ctx: Context) -> Response:
    """Authenticates, matches, marks dirty: a few reads of documents, and a write for each part of a bucket."""
    if request.method == "OPTIONS":
        return _consent(request, ctx)
    if request.method != "POST":
        return refused_method(request, ALLOWED)
    return await answered(request, ctx, NAME, lambda body: _told(request, ctx, body))


def _consent(request: Request, ctx: Context) -> Response:
    """CloudEvents' handshake: whoever asks may send, to whom it was said how to prove who they are."""
    origin = request.headers.get("webhook-request-origin", "")
    if not _ORIGIN.fullmatch(origin):
        return error_answer(400, "The header WebHook-Request-Origin names no host.", headers={"Allow": ALLOWED})
    try:
        # Event Grid brings its token with events alone, and the secret, being a part of the address, always.
        if not (ctx.settings.entra_audience and ctx.settings.entra_issuers):
            senders.admit(ctx.settings, request.headers, request.query_params)
    except CallerRefusedError as error:
        logger.warning("handshake refused", action="notice.refused", function=NAME, reason=str(error))
        return error_answer(error.status, "The notification is refused; the server's log says why.")
    return Response(
        headers={"Allow": ALLOWED, "WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"},
    )


def _told(request: Request, ctx: Context, body: bytes) -> Response:
    """What comes of a body. Raises `CallerRefusedError`, `MalformedError`."""
    value, problem = None, None
    try:
        value = load(body)
    except MalformedError as error:
        problem = error
    if messages.is_envelope(value):
        return _by_sns(ctx, value)
    senders.admit(ctx.settings, request.headers, request.query_params)
    if problem:
        raise problem
    events = value if isinstance(value, list) else [value]
    for event in events:
        if azure.is_event(event) and azure.kind_of(event) == azure.VALIDATION:
            return _validated(event)
    return honoured(ctx, NAME, read([part for event in events for part in amazon.events(event)], _notices))


def _by_sns(ctx: Context, message: dict[str, Any]) -> Response:
    host = sns.admit(ctx.settings, message, _certificates(), ctx.clock())
    if message["Type"] == messages.CONFIRM:
        sns.confirm(ctx.settings, message, sns.fetch)
        logger.info("subscription confirmed", action="notice.confirmed", topic=message["TopicArn"])
        return Response(status_code=HTTPStatus.OK)
    if message["Type"] == messages.UNSUBSCRIBED:
        return Response(status_code=HTTPStatus.OK)  # somebody wanted that
    place = AMAZON if host == AMAZON else ""
    found = load(message["Message"])
    if not amazon.is_record(found):
        return honoured(ctx, NAME, Found(ignored=1))
    return honoured(ctx, NAME, read(amazon.events(found), lambda event: amazon.notices(event, place)))


def _notices(event: Any) -> list[Notice]:
    if azure.is_event(event):
        return azure.notices(event)
    if amazon.is_record(event) or (isinstance(event, dict) and "s3" in event):
        return amazon.notices(event, "")
    raise MalformedError("it is in no form that is known")


def _validated(event: dict[str, Any]) -> Response:
    """Event Grid's own handshake: its code comes back."""
    data = event.get("data")
    code = data.get("validationCode") if isinstance(data, dict) else None
    if not isinstance(code, str) or not code:
        raise MalformedError("data.validationCode is missing")
    return Json({"validationResponse": code})


@cache
def _certificates() -> sns.Certificates:
    return sns.Certificates(sns.fetch)


@functions_framework.aio.http
async def bucket_webhook(request: Request) -> Response:
    """The HTTP target."""
    return await served(request, NAME, answer)
