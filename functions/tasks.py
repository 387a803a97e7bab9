"""Tasks."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from functions.access import OwnTask, visible_project
from functions.dependencies import Caller, Ctx, TaskPages
from functions.errors import Json
from functions.requests import Page, PageSize, number, page_number, page_size
from functions.schemas import ERRORS, TaskOut, TaskPage
from functions.shapes import task_shape
from shared.services import tasks

router = APIRouter(prefix="/api/tasks", tags=["Tasks"], responses=ERRORS)


@router.get("", response_model=TaskPage)
def list_tasks(
    ctx: Ctx,
    user: Caller,
    pages: TaskPages,
    project: Annotated[str | None, Query(description="Id of the project.")] = None,
    page: Page = None,
    size: PageSize = None,
    fields: Annotated[
        str, Query(description="`all`, or `task_only` without annotations and predictions.")
    ] = "task_only",
) -> Json:
    """A project's tasks, in the order of their source. A page behind the end is 404."""
    if not project:
        return Json({"detail": "Neither project nor view id specified"}, 404)
    owner = visible_project(ctx, user, number(project))
    limit = page_size(size, ctx.settings.page_size, ctx.settings.max_page_size)
    found, totals = pages.read(ctx, owner.id, page_number(page), limit)
    return Json(
        {
            "total_annotations": totals.annotations,
            "total_predictions": totals.predictions,
            "total": totals.tasks,
            "tasks": [task_shape(document, owner, task_only=fields != "all") for document in found],
        }
    )


@router.get("/{id}", response_model=TaskOut)
def get_task(task: OwnTask) -> Json:
    """One task, with annotations and predictions."""
    return Json(task_shape(*task))


@router.delete("/{id}", status_code=204, response_class=Response)
def delete_task(ctx: Ctx, task: OwnTask) -> Response:
    """Delete a task for good: later syncs don't bring it back."""
    tasks.delete(ctx, task.id)
    return Response(status_code=204)
