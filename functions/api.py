"""`api`: the REST API and its documentation."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from functions.app import create_app
from functions.runtime import context

application = create_app(context)


class Served(Response):
    """A response that the application gives: it is called as every response is, with the request's scope."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves the request."""
        await application(scope, receive, send)


@functions_framework.aio.http
async def api(_request: Request) -> Response:
    """The HTTP target."""
    return Served()
