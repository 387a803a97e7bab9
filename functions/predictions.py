"""Predictions."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from functions.access import OwnPrediction, visible_project
from functions.dependencies import Caller, Ctx
from functions.errors import Json
from functions.requests import Given, IdempotencyKey, Number, number
from functions.routes import Route, request_body
from functions.schemas_tasks import PredictionIn, PredictionOut
from functions.task_shapes import prediction_shape
from shared.errors import InvalidInputError, NotFoundError
from shared.model.user import User
from shared.ports import Document
from shared.services.context import Context
from shared.services.labelling import predicting, tasks

router = APIRouter(prefix="/api/predictions", tags=["Predictions"], route_class=Route)


@router.get("", response_model=list[PredictionOut])
def list_predictions(
    ctx: Ctx,
    user: Caller,
    task: Annotated[Number, Query(description="Id of a task.")] = None,
    project: Annotated[Number, Query(description="Id of a project: all its predictions.")] = None,
    task_project: Annotated[Number, Query(alias="task__project", description="The same as `project`.")] = None,
) -> Json:
    """The predictions of a task, or of a project. One of them must be named."""
    of_project = project or task_project
    if task:
        found = predicting.of_task(ctx, _task(ctx, user, number(task)))
        found = [one for one in found if not of_project or one.project == number(of_project)]
    elif of_project:
        found = predicting.of_project(ctx, visible_project(ctx, user, number(of_project)).id)
    else:
        raise InvalidInputError.of("non_field_errors", 'query parameter "task" or "project" is required')
    return Json(_shown(ctx, *found))


@router.post("", status_code=201, response_model=PredictionOut, openapi_extra=request_body(PredictionIn))
def create_prediction(ctx: Ctx, user: Caller, given: Given, key: IdempotencyKey = "") -> Json:
    """Save a prediction of a task. The same request again within a minute answers with the prediction that is there."""
    task = given.get("task")
    if task is None:
        raise InvalidInputError.of("task", "This field is required.")
    try:
        document = _task(ctx, user, number(str(task) if type(task) in (int, str) else ""))
    except NotFoundError:
        shown = str(task)[:30] if type(task) in (int, str) else ""
        raise InvalidInputError.of("task", f'Invalid pk "{shown}" - object does not exist.') from None
    made = predicting.create(ctx, int(document.ref.id), given, user=user.id, idempotency_key=key)
    return Json(_shown(ctx, made)[0], 201)


@router.get("/{id}", response_model=PredictionOut)
def get_prediction(ctx: Ctx, prediction: OwnPrediction) -> Json:
    """One prediction."""
    return Json(_shown(ctx, prediction)[0])


@router.patch("/{id}", response_model=PredictionOut, openapi_extra=request_body(PredictionIn))
def update_prediction(ctx: Ctx, prediction: OwnPrediction, given: Given) -> Json:
    """Edit a prediction: only the given fields change."""
    return Json(_shown(ctx, predicting.update(ctx, prediction.id, given))[0])


@router.delete("/{id}", status_code=204, response_class=Response)
def delete_prediction(ctx: Ctx, prediction: OwnPrediction) -> Response:
    """Delete a prediction."""
    predicting.delete(ctx, prediction.id)
    return Response(status_code=204)


def _task(ctx: Context, user: User, task: int) -> Document:
    document, project = tasks.get(ctx, task)
    if not user.may_see(project.id):
        raise NotFoundError(tasks.UNKNOWN)
    return document


def _shown(ctx: Context, *found: Any) -> list[dict[str, Any]]:
    now = ctx.clock()
    return [prediction_shape(prediction, now) for prediction in found]
