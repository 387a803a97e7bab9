"""Web pages of other origins that may use the API: those of the setting `cors_origins`, by default none."""

from collections.abc import Callable
from contextlib import suppress

from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import SchemaTooNewError
from shared.services.context import Context

SHOWN = ("Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Last-Modified", "Retry-After")
KEPT = 600
"""Seconds for which a browser remembers what it was allowed."""


class Cors:
    """Lets pages of the allowed origins in. The settings are read when the first page asks."""

    def __init__(self, app: ASGIApp, get_ctx: Callable[[], Context]) -> None:
        self._app, self._get_ctx = app, get_ctx
        self._made: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""
        asks = scope["type"] == "http" and any(name == b"origin" for name, _ in scope["headers"])
        if asks and self._made is None:
            with suppress(SchemaTooNewError):  # the application tells the caller
                self._made = await run_in_threadpool(self._make)
        await (self._made if asks and self._made else self._app)(scope, receive, send)

    def _make(self) -> ASGIApp:
        origins = [it.strip().rstrip("/") for it in self._get_ctx().settings.cors_origins.split(",") if it.strip()]
        if not origins:
            return self._app
        return CORSMiddleware(
            self._app,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=SHOWN,
            max_age=KEPT,
        )
