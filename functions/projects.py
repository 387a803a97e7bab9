"""Projects."""

from collections.abc import Collection
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from functions.access import Admin, OwnProject
from functions.dependencies import Caller, Ctx, ProjectPages
from functions.errors import Json
from functions.label_config import essentially_changed
from functions.project_filters import Listed, Listing
from functions.project_shapes import annotator_shape, counts_shape, project_shape
from functions.requests import Given
from functions.routes import Route, request_body
from functions.schemas_projects import (
    Annotator,
    ConfigCheck,
    CountsPage,
    DuplicateIn,
    LabelConfigIn,
    ProjectIn,
    ProjectNumber,
    ProjectOut,
    ProjectPage,
)
from shared.model.project import Project
from shared.model.user import User
from shared.services import project_lists, projects
from shared.services.accounts import users
from shared.services.context import Context
from shared.services.projects import COUNTERS

router = APIRouter(prefix="/api/projects", tags=["Projects"], route_class=Route)


def shown(ctx: Context, user: User, *found: Project, counters: Collection[str] = COUNTERS) -> list[dict[str, Any]]:
    """Projects as the API shows them, with their counters."""
    creators = users.named(ctx, (project.created_by for project in found), user)
    return [
        project_shape(project, creators.get(project.created_by), projects.counters(ctx, project, counters))
        for project in found
    ]


def _page(request: Request, ctx: Context, listing: Listed, count: int, results: list[dict[str, Any]]) -> Json:
    """A page with the links to its neighbours, which ask for the same."""
    base = ctx.settings.hostname.rstrip("/") or str(request.base_url).rstrip("/")
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "page"]

    def link(page: int) -> str:
        return f"{base}{request.url.path}/?{urlencode([('page', page), *query])}"

    at = listing.page
    return Json(
        {
            "count": count,
            "next": link(at + 1) if at * listing.size < count else None,
            "previous": link(at - 1) if at > 1 else None,
            "results": results,
        }
    )


@router.get("", response_model=ProjectPage)
def list_projects(request: Request, ctx: Ctx, user: Caller, pages: ProjectPages, listing: Listing) -> Json:
    """The caller's projects: pinned ones first, then the newest, if no order is given. A page behind the end is 404."""
    found, count = project_lists.page(ctx, pages, listing.page, listing.size, user=user, wanted=listing.wanted)
    return _page(request, ctx, listing, count, shown(ctx, user, *found, counters=listing.counters))


@router.get("/counts", response_model=CountsPage)
def list_counts(request: Request, ctx: Ctx, user: Caller, pages: ProjectPages, listing: Listing) -> Json:
    """The counters of projects alone; filters, order and pages as in the list of projects."""
    found, count = project_lists.page(ctx, pages, listing.page, listing.size, user=user, wanted=listing.wanted)
    results = [counts_shape(project, projects.counters(ctx, project, listing.counters)) for project in found]
    return _page(request, ctx, listing, count, results)


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


@router.put("/{id}", response_model=ProjectOut, openapi_extra=request_body(ProjectIn))
def replace_project(ctx: Ctx, user: Caller, project: OwnProject, given: Given) -> Json:
    """Set all fields of a project: those that are not given get their defaults."""
    return Json(shown(ctx, user, projects.update(ctx, project.id, given, partial=False))[0])


@router.delete("/{id}", status_code=204, response_class=Response)
def delete_project(ctx: Ctx, _user: Admin, project: OwnProject) -> Response:
    """Delete a project with its storages and tasks; syncs under way end."""
    projects.delete(ctx, project.id)
    return Response(status_code=204)


@router.get("/{id}/annotators", response_model=list[Annotator])
def list_unique_annotators(ctx: Ctx, _user: Caller, project: OwnProject) -> Json:
    """The users who annotated tasks of the project."""
    return Json([annotator_shape(user) for user in projects.annotators(ctx, project)])


@router.post("/{id}/validate", response_model=ConfigCheck, openapi_extra=request_body(LabelConfigIn))
def validate_label_config(_user: Caller, project: OwnProject, given: Given) -> Json:
    """Check a label config without saving it, and tell whether annotations made so far may not fit it."""
    config = projects.checked_config(given)
    return Json({"config_essential_data_has_changed": essentially_changed(project.label_config, config)})


@router.post("/{id}/duplicate", status_code=201, response_model=ProjectNumber, openapi_extra=request_body(DuplicateIn))
def duplicate_project(ctx: Ctx, user: Admin, project: OwnProject, given: Given) -> Json:
    """Make a project with the settings of this one: label config, instructions and the like, no tasks."""
    return Json({"id": projects.duplicate(ctx, project, given, user=user.id).id}, 201)
