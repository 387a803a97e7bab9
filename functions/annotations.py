"""Annotations."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from functions.access import OwnAnnotation, OwnTask
from functions.dependencies import Caller, Ctx
from functions.errors import Json
from functions.requests import Flag, Given, IdempotencyKey
from functions.routes import Route, request_body
from functions.schemas_tasks import AnnotationIn, AnnotationOut, BulkDeletedOut, BulkDeleteIn, BulkIn, BulkOut
from functions.task_shapes import annotation_shape
from shared.errors import InvalidInputError
from shared.model.annotation import Annotation
from shared.model.selection import Selection
from shared.model.user import User
from shared.services.accounts import users
from shared.services.context import Context
from shared.services.labelling import annotating, selecting, tasks
from shared.services.storages import connecting

router = APIRouter(prefix="/api", tags=["Annotations"], route_class=Route)
MAX_BULK = 1000
ORDERS: dict[str, Callable[[Annotation], Any]] = {
    "id": lambda annotation: annotation.id,
    "created_at": lambda annotation: annotation.created_at,
    "updated_at": lambda annotation: annotation.updated_at,
}


def shown(ctx: Context, user: User, *found: Annotation) -> list[dict[str, Any]]:
    """Annotations of one project as the API shows them."""
    project = found[0].project if found else None
    people = users.named(ctx, (one.completed_by for one in found if one.completed_by), user, project=project)
    now = ctx.clock()
    return [annotation_shape(annotation, people, now) for annotation in found]


@router.get("/tasks/{id}/annotations", response_model=list[AnnotationOut])
def list_annotations(
    ctx: Ctx,
    user: Caller,
    task: OwnTask,
    ordering: Annotated[str, Query(description="id, created_at or updated_at; with a `-` in front: descending.")] = "",
) -> Json:
    """The task's annotations, oldest first, without the cancelled ones."""
    found = [one for one in annotating.of_task(ctx, task.document) if not one.was_cancelled]
    if ordering:
        key = ORDERS.get(ordering.removeprefix("-"))
        if key is None:
            raise InvalidInputError.of("ordering", f"Order by one of {', '.join(ORDERS)}.")
        found.sort(key=key, reverse=ordering.startswith("-"))
    return Json(shown(ctx, user, *found))


@router.post(
    "/tasks/{id}/annotations", status_code=201, response_model=AnnotationOut, openapi_extra=request_body(AnnotationIn)
)
def create_annotation(
    ctx: Ctx,
    user: Caller,
    task: OwnTask,
    given: Given,
    key: IdempotencyKey = "",
    was_cancelled: Annotated[Flag, Query(description="Whether the person skipped the task.")] = "",
) -> Json:
    """Save an annotation. The same request again within a minute answers with the annotation that is there."""
    cancelled = was_cancelled.lower() in {"1", "true"}
    made = annotating.create(ctx, task.id, given, user=user.id, idempotency_key=key, cancelled=cancelled)
    return Json(shown(ctx, user, made)[0], 201)


@router.post("/annotations/bulk", status_code=201, response_model=list[BulkOut], openapi_extra=request_body(BulkIn))
def create_annotations(ctx: Ctx, user: Caller, given: Given) -> Json:
    """Save the same annotation for many tasks: `tasks`, or those of `project` that `selected_items` says."""
    numbers = _tasks_of(ctx, user, given)
    kept = {name: value for name, value in given.items() if name not in {"task", "tasks", "selected_items", "project"}}
    return Json([{"id": made.id} for made in annotating.create_many(ctx, numbers, kept, user=user.id)], 201)


def _tasks_of(ctx: Context, user: User, given: dict[str, Any]) -> list[int]:
    numbers = given.get("tasks")
    if numbers is None and given.get("selected_items") is not None:
        project = connecting.project_of(ctx, connecting.project_number(given), user=user).value
        selection = Selection.chosen(given["selected_items"])
        numbers = selecting.select(ctx, project, selection).numbers
    elif numbers is None and given.get("task") is not None:
        numbers = [given["task"]]
    if not isinstance(numbers, list) or not all(type(one) is int for one in numbers):
        raise InvalidInputError.of("tasks", "A list of tasks is required.")
    if len(numbers) > MAX_BULK:
        raise InvalidInputError.of("tasks", f"At most {MAX_BULK} tasks at once; these are {len(numbers)}.")
    for number, project_of in zip(numbers, tasks.projects_of(ctx, numbers), strict=True):
        if project_of is None or not user.may_see(project_of):
            raise InvalidInputError.of("tasks", f'Invalid pk "{number}" - object does not exist.')
    return numbers


@router.post("/annotations/bulk-delete", response_model=BulkDeletedOut, openapi_extra=request_body(BulkDeleteIn))
def delete_annotations(ctx: Ctx, user: Caller, given: Given) -> Json:
    """Delete annotations of a project by their ids; those that are gone already don't count."""
    project = connecting.project_of(ctx, connecting.project_number(given), user=user).value
    numbers = given.get("ids")
    if not isinstance(numbers, list) or not all(type(one) is int for one in numbers) or len(numbers) > MAX_BULK:
        raise InvalidInputError.of("ids", f"A list of at most {MAX_BULK} numbers is required.")
    return Json({"deleted_count": annotating.delete_many(ctx, project.id, list(dict.fromkeys(numbers)))})


@router.get("/annotations/{id}", response_model=AnnotationOut)
def get_annotation(ctx: Ctx, user: Caller, annotation: OwnAnnotation) -> Json:
    """One annotation."""
    return Json(shown(ctx, user, annotation)[0])


@router.patch("/annotations/{id}", response_model=AnnotationOut, openapi_extra=request_body(AnnotationIn))
def update_annotation(ctx: Ctx, user: Caller, annotation: OwnAnnotation, given: Given) -> Json:
    """Edit an annotation: only the given fields change."""
    return Json(shown(ctx, user, annotating.update(ctx, annotation.id, given, user=user.id))[0])


@router.delete("/annotations/{id}", status_code=204, response_class=Response)
def delete_annotation(ctx: Ctx, annotation: OwnAnnotation) -> Response:
    """Delete an annotation."""
    annotating.delete(ctx, annotation.id)
    return Response(status_code=204)
