"""Tasks."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from functions.access import OwnProject, OwnTask, visible_project
from functions.dependencies import Caller, Ctx, SelectedPages, TaskPages
from functions.errors import Json
from functions.requests import Flag, Given, IdempotencyKey, Number, Page, PageSize, number, page_number, page_size
from functions.routes import Route, request_body
from functions.schemas import Detail, ErrorBody
from functions.schemas_tasks import NewTaskOut, TaskEdit, TaskIn, TaskOut, TaskPage
from functions.task_shapes import new_task_shape, task_shape
from shared.model.project import Project
from shared.model.selection import parse
from shared.model.user import User
from shared.ports import Document
from shared.services.accounts import users
from shared.services.context import Context
from shared.services.labelling import adding, task_edits, tasks
from shared.services.media.links import Links
from shared.services.storages import connecting

router = APIRouter(prefix="/api", tags=["Tasks"], route_class=Route)
NO_PROJECT = {"model": ErrorBody | Detail, "description": "No such project or page; without a project, `detail` alone."}


ResolveUri = Annotated[
    Flag, Query(description="Whether URIs of objects in `data` become addresses to load them by: true if not given.")
]


def shown(
    ctx: Context, user: User, project: Project, found: Sequence[Document], resolve_uri: str, *, task_only: bool = False
) -> list[dict[str, Any]]:
    """Tasks of one project as the API shows them, with what people and models said of them."""
    links = None if resolve_uri.lower() in {"0", "false"} else Links(ctx, project.id)
    parts = tasks.parts(ctx, found)
    makers = (one.completed_by for part in parts.values() for one in part.annotations if one.completed_by)
    people = users.named(ctx, makers, user, project=project.id)
    now = ctx.clock()
    return [
        task_shape(task, project, parts[task.ref.id], people, now, task_only=task_only, links=links) for task in found
    ]


@router.get("/tasks", response_model=TaskPage, responses={404: NO_PROJECT})
def list_tasks(
    ctx: Ctx,
    user: Caller,
    pages: TaskPages,
    selected_pages: SelectedPages,
    project: Annotated[Number, Query(description="Id of the project.")] = None,
    page: Page = None,
    size: PageSize = None,
    fields: Annotated[
        str, Query(description="`all`, or `task_only` without annotations and predictions.")
    ] = "task_only",
    query: Annotated[
        str | None,
        Query(
            description='Filters and ordering as JSON: `{"filters": {"conjunction": "and", "items": [{"filter": '
            '"filter:tasks:total_annotations", "operator": "greater", "type": "Number", "value": 0}]}, "ordering": '
            '["-tasks:created_at"]}`. Columns: id, total_annotations, cancelled_annotations, total_predictions, '
            "created_at, updated_at, storage_filename, data.<key>."
        ),
    ] = None,
    selected: Annotated[
        str | None,
        Query(
            alias="selectedItems",
            description='As JSON: `{"all": true, "excluded": [1]}` or `{"all": false, "included": [1]}`.',
        ),
    ] = None,
    only_annotated: Annotated[Flag, Query(description="Whether to leave out tasks without annotations.")] = "",
    resolve_uri: ResolveUri = "",
) -> Json:
    """A project's tasks, in the order of their source (storage, key, row) or as `query` says.

    A page behind the end is 404. The totals are those of all tasks that the query selects.
    """
    if not project:
        return Json({"detail": "Neither project nor view id specified"}, 404)
    owner = visible_project(ctx, user, number(project))
    limit = page_size(size, ctx.settings.page_size, ctx.settings.max_page_size)
    annotated = only_annotated.lower() in {"1", "true"}
    if query or selected or annotated:
        selection = parse(query, selected, only_annotated=annotated)
        found, totals = selected_pages.read(ctx, owner, selection, page_number(page), limit)
    else:
        found, totals = pages.read(ctx, owner.id, page_number(page), limit)
    return Json(
        {
            "total_annotations": totals.annotations,
            "total_predictions": totals.predictions,
            "total": totals.tasks,
            "tasks": shown(ctx, user, owner, found, resolve_uri, task_only=fields != "all"),
        }
    )


@router.post("/tasks", status_code=201, response_model=NewTaskOut, openapi_extra=request_body(TaskIn))
def create_task(ctx: Ctx, user: Caller, given: Given, key: IdempotencyKey = "") -> Json:
    """Make a task. `data` needs the keys that the project's label config shows."""
    project = connecting.project_of(ctx, connecting.project_number(given), user=user).value
    task_edits.checked_data(given.get("data"), project, ctx.settings.max_row_bytes)  # its refusals name the field
    kept = ("data", "meta", "allow_skip", "annotations", "predictions")
    item = {name: given[name] for name in kept if given.get(name) is not None}
    added = adding.add_one(ctx, project.id, item, user=user.id, idempotency_key=key)
    return Json(new_task_shape(*tasks.get(ctx, added)), 201)


@router.get("/tasks/{id}", response_model=TaskOut)
def get_task(ctx: Ctx, user: Caller, task: OwnTask, resolve_uri: ResolveUri = "") -> Json:
    """One task, with annotations and predictions."""
    return Json(shown(ctx, user, task.project, [task.document], resolve_uri)[0])


@router.patch("/tasks/{id}", response_model=NewTaskOut, openapi_extra=request_body(TaskEdit))
def update_task(ctx: Ctx, task: OwnTask, given: Given) -> Json:
    """Edit a task's data, meta or allow_skip. From then on no sync rewrites it."""
    return Json(new_task_shape(task_edits.update(ctx, task.id, given), task.project))


@router.delete("/tasks/{id}", status_code=204, response_class=Response)
def delete_task(ctx: Ctx, task: OwnTask) -> Response:
    """Delete a task for good, with its annotations and predictions: later syncs don't bring it back."""
    task_edits.delete(ctx, task.id)
    return Response(status_code=204)


@router.delete("/projects/{id}/tasks", status_code=204, response_class=Response)
def delete_tasks(ctx: Ctx, project: OwnProject) -> Response:
    """Delete all tasks of a project for good. If they are too many for one request it answers 503: send it again."""
    task_edits.delete_all(ctx, project.id)
    return Response(status_code=204)
