"""Storages of every type and direction: import storages, below `export` the targets, below `dataset` the datasets."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.routing import Route as AnyRoute

from functions.access import admin, own_storage, visible_project
from functions.additions import add_additions
from functions.dataset_rows import add_rows
from functions.datasets import add_datasets
from functions.dependencies import Caller, Ctx
from functions.errors import Json
from functions.forms import form
from functions.requests import Given, Number, Once, number
from functions.routes import Route, request_body
from functions.schemas import ErrorBody, Message
from functions.schemas_storages import (
    FormRow,
    PreviewOut,
    StorageType,
    VerifiedOut,
    storage_in,
    storage_out,
    storages_out,
)
from functions.shapes import preview_shape, storage_shape
from functions.snapshots import add_snapshots
from shared.errors import InvalidInputError, StoreError
from shared.model.fields import DIRECTIONS, SOURCES, Direction
from shared.model.provider import Provider
from shared.model.providers import PROVIDERS
from shared.model.storage import Storage
from shared.services.context import Context
from shared.services.exports import verifying
from shared.services.storages import connecting, editing, previewing, registration
from shared.services.storages.views import storage_info
from shared.services.sync import status

router = APIRouter(prefix="/api/storages", route_class=Route)
Project = Annotated[Number, Query(description="Id of the project.")]
EVERY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
NOT_SYNCHRONIZABLE = {
    "model": ErrorBody | Message,
    "description": "It can't be synced: what is wrong with it, or that it is not `synchronizable` (`message`).",
}
TITLES: dict[Direction, str] = {
    "import": "Import storages",
    "export": "Export storages",
    "dataset": "Dataset storages",
}
BASES: dict[Direction, str] = {"import": "", "export": "/export", "dataset": "/dataset"}
NAMED: dict[Direction, str] = {"import": "", "export": "export_", "dataset": "dataset_"}
GUARDS: dict[Direction, list[Any]] = {"import": [], "export": [], "dataset": [Depends(admin)]}
"""Who may call at all: datasets are of no project, so nobody but admins has a part in them."""


def shown(ctx: Context, storage: Storage) -> dict[str, Any]:
    """A storage as the API shows it, with the state of its run under way."""
    return storage_shape(storage, storage_info(ctx, storage))


def _add_common(direction: Direction) -> None:
    """The routes that are not of one type."""
    base, named = BASES[direction], NAMED[direction]
    tags: Any = [TITLES[direction]]
    providers = [provider for provider in PROVIDERS.values() if direction in provider.directions]
    every = partial(storages_out, providers, direction)

    if direction != "dataset":

        @router.get(base, response_model=every, name=f"list_all_{named}storages", tags=tags)
        def list_all(ctx: Ctx, user: Caller, project: Project = None) -> Json:
            """All storages of a project, of every type; none for a project that is not there."""
            found = registration.of_project(ctx, number(project), direction) if user.may_see(number(project)) else []
            return Json([shown(ctx, storage) for storage in found])

    @router.get(f"{base}/types", response_model=list[StorageType], name=f"list_{named}types", tags=tags)
    def list_types(_user: Caller) -> Json:
        """The storage types that Label Studio lists. Those that only authenticate in another way are there too."""
        listed = [provider for provider in providers if provider.listed]
        return Json([{"name": provider.type, "title": provider.title} for provider in listed])


def _import_wishes(
    reimport_deleted: Annotated[
        bool, Query(description="Make anew the tasks that users deleted before, of the objects as they are now.")
    ] = False,
    delete_gone: Annotated[
        bool,
        Query(description="With `on_deleted` delete_unannotated: delete the tasks of all that is gone, however many."),
    ] = False,
) -> dict[str, bool]:
    """What the sync of an import storage may be asked for."""
    return {"reimport_deleted": reimport_deleted, "delete_gone": delete_gone}


def _no_wishes() -> dict[str, bool]:
    """The sync of any other does all there is to do."""
    return {}


def _add_routes(provider: Provider, direction: Direction) -> None:
    """The routes of one type. Each type has its own, so that /docs shows its fields."""
    base, name = f"{BASES[direction]}/{provider.type}", f"{NAMED[direction]}{provider.type}"
    out = partial(storage_out, provider, direction)
    body, edit, check = (
        request_body(partial(storage_in, provider, direction, role)) for role in ("In", "Edit", "Check")
    )
    tags: Any = [TITLES[direction]]
    own, guard = own_storage(provider, direction), GUARDS[direction]
    wishes = _import_wishes if direction == "import" else _no_wishes

    @router.post(
        base,
        status_code=201,
        response_model=out,
        openapi_extra=body,
        name=f"create_{name}",
        tags=tags,
        dependencies=guard,
    )
    def create_storage(ctx: Ctx, user: Caller, given: Given, once: Once) -> Json:
        """Add a storage, after a look into its bucket. A target starts a full sync."""
        return Json(shown(ctx, registration.create(ctx, provider, given, direction, user=user, once=once)), 201)

    @router.get(f"{base}/form", response_model=list[FormRow], name=f"form_{name}", tags=tags)
    def storage_form(_user: Caller) -> Json:
        """The settings of this type as a form: rows of fields with labels, help and defaults."""
        return Json(form(provider, direction))

    @router.post(
        f"{base}/validate",
        openapi_extra=check,
        response_class=Response,
        responses={404: {}},
        name=f"validate_{name}",
        tags=tags,
        dependencies=guard,
    )
    def validate_storage(ctx: Ctx, user: Caller, given: Given) -> Response:
        """Check settings and connection without saving anything.

        With `id`, credentials that are not given are those of that storage.
        """
        registration.validate(ctx, provider, given, direction, user=user)
        return Response()

    @router.get(f"{base}/{{id}}", response_model=out, name=f"get_{name}", tags=tags, dependencies=guard)
    def get_storage(ctx: Ctx, storage: Annotated[Storage, Depends(own)]) -> Json:
        """One storage, with the state of its sync."""
        status.ensure_status(ctx, storage.id)
        return Json(shown(ctx, storage))

    @router.patch(
        f"{base}/{{id}}", response_model=out, openapi_extra=edit, name=f"update_{name}", tags=tags, dependencies=guard
    )
    def update_storage(ctx: Ctx, storage: Annotated[Storage, Depends(own)], given: Given) -> Json:
        """Edit a storage: only the given fields change. A sync of what is no longer meant starts anew."""
        edited = editing.update(ctx, provider, storage.id, given, partial=True, direction=direction)
        return Json(shown(ctx, edited))

    @router.put(
        f"{base}/{{id}}", response_model=out, openapi_extra=edit, name=f"replace_{name}", tags=tags, dependencies=guard
    )
    def replace_storage(ctx: Ctx, storage: Annotated[Storage, Depends(own)], given: Given) -> Json:
        """Set all fields of a storage; credentials that are not given are kept."""
        edited = editing.update(ctx, provider, storage.id, given, partial=False, direction=direction)
        return Json(shown(ctx, edited))

    @router.delete(
        f"{base}/{{id}}", status_code=204, response_class=Response, name=f"delete_{name}", tags=tags, dependencies=guard
    )
    def delete_storage(ctx: Ctx, storage: Annotated[Storage, Depends(own)]) -> Response:
        """Delete a storage; its tasks, or the objects it wrote, stay; its records go. Its sync ends."""
        registration.delete(ctx, provider, storage.id, direction)
        return Response(status_code=204)

    @router.post(
        f"{base}/{{id}}/sync",
        response_model=out,
        responses={400: NOT_SYNCHRONIZABLE},
        name=f"sync_{name}",
        tags=tags,
        dependencies=guard,
    )
    def sync_storage(
        ctx: Ctx, storage: Annotated[Storage, Depends(own)], asked: Annotated[dict[str, bool], Depends(wishes)]
    ) -> Json:
        """Start a sync; one under way is left alone. Watch `status`; a storage that can't be synced answers 400."""
        return Json(shown(ctx, registration.sync(ctx, provider, storage.id, direction, **asked)))


def _add_list(provider: Provider, direction: Direction) -> None:
    """The list of a type's storages."""
    base, name = f"{BASES[direction]}/{provider.type}", f"list_{NAMED[direction]}{provider.type}"
    listed, tags = partial(storages_out, [provider], direction), TITLES[direction]

    @router.get(base, response_model=listed, name=name, tags=[tags])
    def list_storages(ctx: Ctx, user: Caller, project: Project = None) -> Json:
        """The project's storages of this type."""
        if not project:
            raise InvalidInputError.of("non_field_errors", 'query parameter "project" is required')
        found = registration.of_project(ctx, visible_project(ctx, user, number(project)).id, direction)
        return Json([shown(ctx, storage) for storage in found if storage.type == provider.type])


def _add_preview(provider: Provider, direction: Direction) -> None:
    """The route that shows what a sync would take."""
    body = request_body(partial(storage_in, provider, direction, "Preview"))
    tags: Any = [TITLES[direction]]

    @router.post(
        f"{BASES[direction]}/{provider.type}/files",
        response_model=PreviewOut,
        openapi_extra=body,
        responses={404: {}},
        name=f"files_{NAMED[direction]}{provider.type}",
        tags=tags,
        dependencies=GUARDS[direction],
    )
    def storage_files(ctx: Ctx, user: Caller, given: Given) -> Json:
        """Show the first objects that a sync of these settings would take, without saving anything.

        With `id`, what is not given is taken from that storage. A last entry without a key says that the limit was
        reached, one with a sentence for a key that time ran out.
        """
        limit = previewing.limit_of(ctx, given)
        draft = registration.draft_of(ctx, provider, given, direction, user=user)
        return Json(preview_shape(previewing.preview(ctx, draft, limit)))


def _add_verification(provider: Provider) -> None:
    """The route that reads a target again."""
    own, tags = own_storage(provider, "export"), [TITLES["export"]]

    @router.get(
        f"/export/{provider.type}/{{id}}/verify",
        response_model=VerifiedOut,
        name=f"verify_export_{provider.type}",
        tags=tags,  # type: ignore[arg-type]
    )
    def verify_storage(
        ctx: Ctx,
        storage: Annotated[Storage, Depends(own)],
        after: Annotated[str, Query(description="`next` of the part before.")] = "",
    ) -> Json:
        """Read objects of a target again and compare them with what was written, part by part. Writes nothing."""
        try:
            return Json(verifying.verify(ctx, storage, after=after)._asdict())
        except StoreError as error:
            raise connecting.refusal(ctx, storage, error) from None


for _provider in PROVIDERS.values():
    if "dataset" in _provider.directions:
        add_snapshots(router, f"{BASES['dataset']}/{_provider.type}", _provider)
for _direction in DIRECTIONS:
    _add_common(_direction)
    for _provider in PROVIDERS.values():
        if _direction in _provider.directions:
            if _direction != "dataset":
                _add_list(_provider, _direction)
            _add_routes(_provider, _direction)
for _provider in PROVIDERS.values():
    for _direction in SOURCES:
        if _direction in _provider.directions:
            _add_preview(_provider, _direction)
    _add_verification(_provider)
add_datasets(router, BASES["dataset"])
for _provider in PROVIDERS.values():
    if "dataset" in _provider.directions:
        add_additions(router, f"{BASES['dataset']}/{_provider.type}", _provider)
        add_rows(router, f"{BASES['dataset']}/{_provider.type}", _provider)


# The lowest of these is tried first.
@router.api_route("/{type}", methods=EVERY_METHOD, include_in_schema=False)
@router.api_route("/{type}/{rest:path}", methods=EVERY_METHOD, include_in_schema=False)
@router.api_route("/export/{type}", methods=EVERY_METHOD, include_in_schema=False)
@router.api_route("/export/{type}/{rest:path}", methods=EVERY_METHOD, include_in_schema=False)
@router.api_route("/dataset/{type}", methods=EVERY_METHOD, include_in_schema=False)
@router.api_route("/dataset/{type}/{rest:path}", methods=EVERY_METHOD, include_in_schema=False)
def unknown_type(request: Request, _user: Caller, type: Annotated[str, Path()]) -> None:  # noqa: A002
    """Says which types there are. Of a type that there is, the method is wrong, or what comes behind it."""
    if type not in {"types", "export", "dataset"}:
        of_datasets = request.scope["path"].startswith(f"{router.prefix}/dataset/")
        registration.provider_of(type, "dataset" if of_datasets else "import")
    partly = [it for it in router.routes if isinstance(it, AnyRoute) and it.matches(request.scope)[0] is Match.PARTIAL]
    if not partly:
        raise HTTPException(404)
    allowed = sorted({method for route in partly for method in route.methods or ()})
    raise HTTPException(405, headers={"Allow": ", ".join(allowed)})
