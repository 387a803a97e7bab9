"""Projects."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from functions.dependencies import Caller, Ctx, ProjectPages
from functions.errors import Json
from functions.requests import Given, Id, Page, PageSize, number, page_number, page_size
from functions.schemas import ERRORS, ProjectIn, ProjectOut, ProjectPage, request_body
from functions.shapes import project_shape
from shared.services import projects

router = APIRouter(prefix="/api/projects", tags=["Projects"], responses=ERRORS)
PAGE_SIZE, MAX_PAGE_SIZE = 30, 100


@router.get("", response_model=ProjectPage)
def list_projects(
    request: Request, ctx: Ctx, user: Caller, pages: ProjectPages, page: Page = None, size: PageSize = None
) -> Json:
    """Projects, newest first. A page behind the end is 404."""
    at, limit = page_number(page), page_size(size, PAGE_SIZE, MAX_PAGE_SIZE)
    found, count = projects.page(ctx, pages, at, limit)
    base = ctx.settings.hostname.rstrip("/") or str(request.base_url).rstrip("/")

    def link(other: int) -> str:
        query = {"page": str(other)} | ({"page_size": str(limit)} if size else {})
        return f"{base}/api/projects/?{urlencode(query)}"

    return Json(
        {
            "count": count,
            "next": link(at + 1) if at * limit < count else None,
            "previous": link(at - 1) if at > 1 else None,
            "results": [project_shape(project, user, projects.counters(ctx, project)) for project in found],
        }
    )


@router.post("", status_code=201, response_model=ProjectOut, openapi_extra=request_body(ProjectIn))
def create_project(ctx: Ctx, user: Caller, given: Given) -> Json:
    """Make a project."""
    return Json(project_shape(projects.create(ctx, given, user=user.id), user, {}), 201)


@router.get("/{id}", response_model=ProjectOut)
def get_project(ctx: Ctx, user: Caller, id: Id) -> Json:  # noqa: A002  the API's name
    """One project, with its counters."""
    project = projects.get(ctx, number(id))
    return Json(project_shape(project, user, projects.counters(ctx, project)))


@router.patch("/{id}", response_model=ProjectOut, openapi_extra=request_body(ProjectIn))
def update_project(ctx: Ctx, user: Caller, id: Id, given: Given) -> Json:  # noqa: A002
    """Edit a project: only the given fields change."""
    project = projects.update(ctx, number(id), given)
    return Json(project_shape(project, user, projects.counters(ctx, project)))


@router.delete("/{id}", status_code=204, response_class=Response)
def delete_project(ctx: Ctx, _user: Caller, id: Id) -> Response:  # noqa: A002
    """Delete a project with its storages and tasks; syncs under way end."""
    projects.delete(ctx, number(id))
    return Response(status_code=204)
