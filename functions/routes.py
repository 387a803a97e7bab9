"""Routes whose bodies and answers are documented, and checked by nobody here: `shared.model` checks what comes in."""

from collections.abc import Callable
from typing import Any

from fastapi.datastructures import DefaultPlaceholder
from fastapi.routing import APIRoute


class Route(APIRoute):
    """A route that keeps its models for the document at /openapi.json, which is made when somebody asks for it.

    FastAPI makes validators of a route's models when it is defined, for which every new process would wait.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        response_model: Any = None,
        openapi_extra: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.answer = None if isinstance(response_model, DefaultPlaceholder) else response_model
        """A type that pydantic knows, or what makes a JSON schema; None: no body."""
        self.body = (openapi_extra or {}).get("requestBody")
        """The same of the request's body; None: there is none."""
        super().__init__(path, endpoint, response_model=None, **options)


def request_body(shape: Any) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its body itself; the shape is what `Route.body` may be."""
    return {"requestBody": shape}
