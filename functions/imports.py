"""Tasks and predictions that come with a request."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from functions.access import OwnProject
from functions.dependencies import Caller, Ctx
from functions.errors import Json
from functions.requests import Flag, GivenJson, IdempotencyKey, PathNumber, number
from functions.routes import Route, request_body
from functions.schemas_imports import ImportedPredictionsOut, ImportIn, ImportOut, PredictionsIn, UploadOut
from shared.errors import InvalidInputError
from shared.model.times import moment
from shared.services.labelling import adding, predicting

router = APIRouter(prefix="/api/projects/{id}", tags=["Import"], route_class=Route)
FALSE = frozenset({"0", "false", "no", "off"})


@router.post("/import", status_code=201, response_model=ImportOut, openapi_extra=request_body(ImportIn))
def import_tasks(
    ctx: Ctx,
    user: Caller,
    project: OwnProject,
    given: GivenJson,
    key: IdempotencyKey = "",
    return_task_ids: Annotated[Flag, Query(description="Whether the answer names the tasks.")] = "",
    commit_to_project: Annotated[Flag, Query(description="False: only check, make nothing. True if not given.")] = "",
    preannotated_from_fields: Annotated[
        list[str] | None, Query(description="Keys of the tasks' data whose content is the result of a prediction.")
    ] = None,
) -> Json:
    """Make tasks of a JSON list. All are checked first; if one is not good none is made, and each fault is told.

    A task is an object with `data` (and annotations, predictions, meta), or its data alone. A request that broke off is
    gone on with when it is sent again.
    """
    items = given if isinstance(given, list) else [given]
    names = [name for text in preannotated_from_fields or () for name in text.split(",") if name]
    items = [_preannotated(item, names) for item in items] if names else items
    added = adding.add(
        ctx,
        project.id,
        items,
        user=user.id,
        idempotency_key=key,
        check_only=commit_to_project.lower() in FALSE,
    )
    upload = added.upload
    answer = {
        "task_count": upload.task_count,
        "annotation_count": upload.annotation_count,
        "prediction_count": upload.prediction_count,
        "duration": round(max(0.0, upload.ended - upload.since), 6),
        "file_upload_ids": [],
        "could_be_tasks_list": False,
        "found_formats": [],
        "data_columns": [],
    }
    if upload.id:
        answer["import"] = upload.id
    if return_task_ids.lower() in {"1", "true"}:
        answer["task_ids"] = added.numbers
    return Json(answer, 201)


def _preannotated(item: Any, names: list[str]) -> Any:
    """The task with a prediction of each of these keys of its data, which then lacks them."""
    data = item.get("data", item) if isinstance(item, dict) else None
    if not isinstance(data, dict) or not all(name in data for name in names):
        raise InvalidInputError.of("preannotated_from_fields", f"Each task must have the keys {', '.join(names)}.")
    rest = {name: value for name, value in data.items() if name not in names}
    return {"data": rest, "predictions": [{"result": data[name]} for name in names]}


@router.get("/imports/{import_pk}", response_model=UploadOut)
def get_import(
    ctx: Ctx,
    project: OwnProject,
    import_pk: Annotated[PathNumber, Path(description="The `import` of the answer.")],
) -> Json:
    """How far an import of tasks is."""
    upload = adding.get_upload(ctx, project.id, number(import_pk))
    return Json(
        {
            "id": upload.id,
            "project": upload.project,
            "status": upload.state,
            "created_at": moment(upload.since),
            "updated_at": moment(upload.ended or upload.since),
            "finished_at": moment(upload.ended or None),
            "task_count": upload.task_count,
            "annotation_count": upload.annotation_count,
            "prediction_count": upload.prediction_count,
            "duration": int(max(0.0, upload.ended - upload.since)),
            "commit_to_project": True,
            "return_task_ids": False,
            "could_be_tasks_list": False,
            "preannotated_from_fields": None,
            "file_upload_ids": [],
            "found_formats": [],
            "data_columns": [],
            "tasks": None,
            "task_ids": [],
            "url": None,
            "error": None,
        }
    )


@router.post(
    "/import/predictions",
    status_code=201,
    response_model=ImportedPredictionsOut,
    openapi_extra=request_body(PredictionsIn),
)
def import_predictions(ctx: Ctx, user: Caller, project: OwnProject, given: GivenJson, key: IdempotencyKey = "") -> Json:
    """Save predictions of many tasks of a project: a list of objects with `task` and `result`.

    The same request again within a minute makes no second ones: one that broke off is gone on with.
    """
    if not isinstance(given, list):
        raise InvalidInputError.of("non_field_errors", "A list of predictions is required.")
    created = predicting.import_many(ctx, project.id, given, user=user.id, idempotency_key=key)
    return Json({"created": created}, 201)
