"""What routes are given: the context of the process, and who calls."""

from typing import Annotated

from fastapi import Depends, Request

from shared.errors import AuthenticationError
from shared.model.user import User
from shared.services import paging
from shared.services.accounts.tokens import user_of, user_of_access, user_of_legacy
from shared.services.context import Context
from shared.services.labelling import selecting, tasks


def context(request: Request) -> Context:
    """The context that the app was created with; built at the first request that needs it."""
    ctx: Context = request.app.state.get_ctx()
    return ctx


Ctx = Annotated[Context, Depends(context)]


def authenticated(ctx: Ctx, request: Request) -> User:
    """Who calls, by any of the ways in `documentation.SECURITY`. Raises `AuthenticationError`."""
    authorization, api_key = (request.headers.get(name, "") for name in ("Authorization", "X-API-Key"))
    kind, _, token = authorization.strip().partition(" ")
    known = {"token": user_of_legacy, "bearer": user_of_access}.get(kind.lower())
    if known is None:
        if api_key:
            return user_of(ctx, api_key.strip())
        if not authorization:
            raise AuthenticationError
        raise AuthenticationError("Authenticate with the header `Authorization: Token <your token>`.")
    if not token.strip():
        raise AuthenticationError("Invalid token header. No credentials provided.")
    return known(ctx, token.strip())


Caller = Annotated[User, Depends(authenticated)]


def _project_pages(request: Request) -> paging.Pages:
    pages: paging.Pages = request.app.state.project_pages
    return pages


def _task_pages(request: Request) -> tasks.TaskPages:
    pages: tasks.TaskPages = request.app.state.task_pages
    return pages


def _selected_pages(request: Request) -> selecting.SelectedPages:
    pages: selecting.SelectedPages = request.app.state.selected_pages
    return pages


ProjectPages = Annotated[paging.Pages, Depends(_project_pages)]
TaskPages = Annotated[tasks.TaskPages, Depends(_task_pages)]
SelectedPages = Annotated[selecting.SelectedPages, Depends(_selected_pages)]
