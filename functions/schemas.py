"""The shapes of requests and answers for the documentation at /docs. Requests are checked by `shared.model`."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ErrorBody(BaseModel):
    """Every error but one (see sync)."""

    id: str
    status_code: int
    version: str
    detail: str
    exc_info: None = None
    validation_errors: dict[str, list[str]] | None = None


class ProjectIn(BaseModel):
    """Fields of a project; all are optional."""

    title: str | None = Field(None, description="3 to 50 characters.")
    description: str | None = None
    label_config: str | None = Field(None, description='XML. Its first `value="$name"` names the data of blob tasks.')
    expert_instruction: str | None = None
    show_instruction: bool | None = None
    color: str | None = None
    maximum_annotations: int | None = None


class ProjectOut(BaseModel):
    """A project; there are more fields, as in Label Studio."""

    model_config = ConfigDict(extra="allow")
    id: int
    title: str
    description: str
    label_config: str
    created_at: str
    task_number: int | None
    finished_task_number: int | None
    total_annotations_number: int | None
    total_predictions_number: int | None


class ProjectPage(BaseModel):
    """A page of projects."""

    count: int
    next: str | None
    previous: str | None
    results: list[ProjectOut]


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
