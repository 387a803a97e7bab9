"""The API as an ASGI application."""

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from functions import (
    annotations,
    errors,
    imports,
    media,
    predictions,
    projects,
    server,
    storages,
    tasks,
    tokens,
    users,
    webhooks,
)
from functions.cors import Cors
from shared import __version__
from shared.services.context import Context
from shared.services.labelling.selecting import SelectedPages
from shared.services.labelling.tasks import TaskPages
from shared.services.media.signing import SignedUrls
from shared.services.paging import Pages

MODULES = (
    *(projects, imports, storages, tasks, annotations, predictions, media),
    *(webhooks, tokens, users, server),
)
DESCRIPTION = """Connects buckets to data-labelling projects. Works with Label Studio's SDK.

Authenticate with the header `Authorization: Token <your token>`, or with `Authorization: Bearer <access token>`, for
which POST /api/token/refresh exchanges a refresh token. Paths may end in a slash or not."""


def create_app(get_ctx: Callable[[], Context]) -> FastAPI:
    """The application; `get_ctx` is called at each request, so a context may be built at the first."""
    app = FastAPI(title="Sluice", version=__version__, description=DESCRIPTION, redirect_slashes=False)
    app.state.get_ctx = get_ctx
    app.state.project_pages, app.state.task_pages, app.state.selected_pages = Pages(), TaskPages(), SelectedPages()
    app.state.signed_urls = SignedUrls()
    for module in MODULES:
        app.router.routes.extend(module.router.routes)  # as they are: including makes each of them once more
    app.add_middleware(Slashes)
    errors.install(app)
    app.add_middleware(Cors, get_ctx=get_ctx)
    app.openapi = partial(_document, app)  # type: ignore[method-assign]
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    """The document at /openapi.json, made at its first request."""
    if app.openapi_schema is None:
        from functions.documentation import openapi  # not every process shows it

        app.openapi_schema = openapi(app)
    return app.openapi_schema


class Slashes:
    """Takes a slash off the end of the path: both forms are served, nobody is redirected (a POST would become GET)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request."""
        if scope["type"] == "http" and scope["path"] != "/" and scope["path"].endswith("/"):
            scope = {**scope, "path": scope["path"][:-1]}
        await self._app(scope, receive, send)
