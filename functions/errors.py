"""Errors as answers: Label Studio's error body, the right status, and nothing that is nobody's business."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import __version__
from shared.errors import (
    AuthenticationError,
    CommitRefusedError,
    CommitUnknownError,
    DocumentsUnavailableError,
    ForbiddenError,
    InvalidDocumentError,
    InvalidInputError,
    NotFoundError,
    NotSynchronizableError,
    QueueUnavailableError,
    SchemaTooNewError,
    SluiceError,
    StoreError,
    TryAgainError,
)
from shared.log import logger

RETRY_AFTER = "2"
_BUSY = (DocumentsUnavailableError, QueueUnavailableError, CommitRefusedError, CommitUnknownError)


class Json(Response):
    """A JSON answer; `orjson.Fragment` passes stored JSON through untouched."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes."""
        return orjson.dumps(content)


def error_answer(
    status: int,
    detail: str,
    *,
    fields: Mapping[str, Sequence[str]] | None = None,
    headers: Mapping[str, str] | None = None,
    error_id: str | None = None,
) -> Json:
    """Label Studio's error body. `fields` are there only if the request's content is at fault."""
    body: dict[str, Any] = {
        "id": error_id or str(uuid.uuid4()),
        "status_code": status,
        "version": __version__,
        "detail": detail,
        "exc_info": None,
    }
    if fields:
        body["validation_errors"] = {name: list(texts) for name, texts in fields.items()}
    return Json(body, status, dict(headers or {}))


def expected(error: SluiceError) -> Json | None:
    """The answer to an error that a caller can do something about; None for one of our own."""
    match error:
        case InvalidInputError():
            fields = error.fields or {"non_field_errors": [error.message]}
            return error_answer(400, "Validation error", fields=fields)
        case NotSynchronizableError():
            return Json({"message": error.message}, 400)
        case NotFoundError():
            return error_answer(404, error.message)
        case AuthenticationError():
            return error_answer(401, error.message, headers={"WWW-Authenticate": "Token"})
        case ForbiddenError():
            return error_answer(403, error.message)
        case TryAgainError():
            return error_answer(503, error.message, headers={"Retry-After": "0"})
        case SchemaTooNewError():
            return error_answer(503, error.message, headers={"Retry-After": RETRY_AFTER})
        case StoreError() | InvalidDocumentError():
            return error_answer(400, "Validation error", fields={"non_field_errors": [error.message]})
        case _ if isinstance(error, _BUSY):
            logger.warning("busy", action="request.busy", error=type(error).__name__, reason=str(error))
            text = "A service that Sluice depends on does not answer, or is too busy. Try again in a moment."
            return error_answer(503, text, headers={"Retry-After": RETRY_AFTER})
    return None


def unexpected(error: Exception, scope: Scope) -> Json:
    """The answer to a defect: an id to find it in the log by, and no word more."""
    error_id = str(uuid.uuid4())
    logger.error(
        "request failed",
        action="request.error",
        id=error_id,
        method=scope.get("method"),
        path=scope.get("path"),
        exc_info=error,
    )
    return error_answer(500, "The server met an unexpected error. Its log has more under this id.", error_id=error_id)


def install(app: FastAPI) -> None:
    """Registers the handlers."""

    def by_sluice(request: Request, error: Exception) -> Response:
        assert isinstance(error, SluiceError)  # noqa: S101  what it is registered for
        return expected(error) or unexpected(error, request.scope)

    def by_starlette(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        detail = {404: "Not found.", 405: f'Method "{request.method}" not allowed.'}.get(
            error.status_code, str(error.detail)
        )
        return error_answer(error.status_code, detail, headers=error.headers)

    def by_fastapi(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        fields = {str(e["loc"][-1]): [str(e["msg"])] for e in error.errors()}
        return error_answer(400, "Validation error", fields=fields)

    def by_disconnect(_request: Request, _error: Exception) -> Response:
        return error_answer(400, "The request ended before its body did.")

    app.add_exception_handler(SluiceError, by_sluice)
    app.add_exception_handler(HTTPException, by_starlette)
    app.add_exception_handler(RequestValidationError, by_fastapi)
    app.add_exception_handler(ClientDisconnect, by_disconnect)
    app.add_middleware(Guard)


class Guard:
    """Answers what nothing else caught, and lets nothing through to the server's own error page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001  the last resort
            if started and isinstance(error.__cause__, StoreError):
                # In the midst of a stream: the connection ends without what was promised, which tells the client.
                reason = str(error.__cause__)
                logger.warning("stream broke off", action="media.broken", path=scope.get("path"), reason=reason)
                return
            answer = unexpected(error, scope)
            if not started and scope["type"] == "http":
                await answer(scope, receive, send)
