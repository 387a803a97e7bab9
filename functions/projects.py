"""Projects."""

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from functions.access import Admin, OwnProject
from functions.dependencies import Caller, Ctx, ProjectPages
from functions.errors import Json
from functions.requests import Given, Page, PageSize, page_number, page_size
from functions.schemas import ERRORS, ProjectIn, ProjectOut, ProjectPage, request_body
from functions.shapes import project_shape
from shared.model.project import Project
from shared.model.user import User
from shared.services import projects, users
from shared.services.context import Context

router = APIRouter(prefix="/api/projects", tags=["Projects"], responses=ERRORS)
PAGE_SIZE, MAX_PAGE_SIZE = 30, 100


def shown(ctx: Context, user: User, *found: Project) -> list[dict[str, Any]]:
    """Projects as the API shows them, with their counters."""
    creators = users.named(ctx, (project.created_by for project in found), user)
    return [
        project_shape(project, creators.get(project.created_by), projects.counters(ctx, project)) for project in found
    ]


@router.get("", response_model=ProjectPage)
def list_projects(
    request: Request, ctx: Ctx, user: Caller, pages: ProjectPages, page: Page = None, size: PageSize = None
) -> Json:
    """The caller's projects, newest first. A page behind the end is 404."""
    at, limit = page_number(page), page_size(size, PAGE_SIZE, MAX_PAGE_SIZE)
    found, count = projects.page(ctx, pages, at, limit, user=user)
    base = ctx.settings.hostname.rstrip("/") or str(request.base_url).rstrip("/")

    def link(other: int) -> str:
        query = {"page": str(other)} | ({"page_size": str(limit)} if size else {})
        return f"{base}/api/projects/?{urlencode(query)}"

    return Json(
        {
            "count": count,
            "next": link(at + 1) if at * limit < count else None,
            "previous": link(at - 1) if at > 1 else None,
            "results": shown(ctx, user, *found),
        }
    )


@router.post("", status_code=201, response_model=ProjectOut, openapi_extra=request_body(ProjectIn))
def create_project(ctx: Ctx, user: Admin, given: Given) -> Json:
    """Make a project."""
    return Json(project_shape(projects.create(ctx, given, user=user.id), user, {}), 201)


@router.get("/{id}", response_model=ProjectOut)
def get_project(ctx: Ctx, user: Caller, project: OwnProject) -> Json:
    """One project, with its counters."""
    return Json(shown(ctx, user, project)[0])


@router.patch("/{id}", response_model=ProjectOut, openapi_extra=request_body(ProjectIn))
def update_project(ctx: Ctx, user: Caller, project: OwnProject, given: Given) -> Json:
    """Edit a project: only the given fields change."""
    return Json(shown(ctx, user, projects.update(ctx, project.id, given))[0])


@router.delete("/{id}", status_code=204, response_class=Response)
def delete_project(ctx: Ctx, _user: Admin, project: OwnProject) -> Response:
    """Delete a project with its storages and tasks; syncs under way end."""
    projects.delete(ctx, project.id)
    return Response(status_code=204)
