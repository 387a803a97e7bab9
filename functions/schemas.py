"""The shapes of requests and answers for the documentation at /docs. Requests are checked by `shared.model`."""

from typing import Any

from pydantic import BaseModel


class ErrorBody(BaseModel):
    """Every error but one (see sync)."""

    id: str
    status_code: int
    version: str
    detail: str
    exc_info: None = None
    validation_errors: dict[str, list[str]] | None = None


def request_body(model: type[BaseModel] | dict[str, Any]) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its body itself: a model or a JSON schema."""
    schema = model if isinstance(model, dict) else model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "The request is not valid; `validation_errors` names the fields."},
    401: {"model": ErrorBody, "description": "No token, or not a valid one."},
    403: {"model": ErrorBody, "description": "Only an admin may do this."},
    404: {"model": ErrorBody, "description": "There is no such thing."},
}
