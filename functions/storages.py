"""Import storages of every type."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from starlette.exceptions import HTTPException
from starlette.responses import Response

from functions.access import own_storage, visible_project
from functions.dependencies import Caller, Ctx
from functions.errors import Json
from functions.requests import Given, number
from functions.schemas import ERRORS, StorageOut, StorageType, request_body, storage_in
from functions.shapes import storage_shape
from shared.errors import InvalidInputError
from shared.model.providers import PROVIDERS, Provider
from shared.model.storage import Storage
from shared.services import registration, status
from shared.services.context import Context
from shared.services.views import storage_info

router = APIRouter(prefix="/api/storages", tags=["Storages"], responses=ERRORS)
Project = Annotated[str | None, Query(description="Id of the project.")]


def shown(ctx: Context, storage: Storage) -> dict[str, Any]:
    """A storage as the API shows it, with the state of its run under way."""
    return storage_shape(storage, storage_info(ctx, storage))


@router.get("", response_model=list[StorageOut])
def list_all(ctx: Ctx, user: Caller, project: Project = None) -> Json:
    """All import storages of a project; none for a project that is not there."""
    found = registration.of_project(ctx, number(project)) if user.may_see(number(project)) else []
    return Json([shown(ctx, storage) for storage in found])


@router.get("/types", response_model=list[StorageType])
def list_types(_user: Caller) -> Json:
    """The storage types there are."""
    return Json([{"name": provider.type, "title": provider.title} for provider in PROVIDERS.values()])


def _add_routes(provider: Provider) -> None:
    """The routes of one type. Each type has its own, so that /docs shows its fields."""
    base = f"/{provider.type}"
    body = request_body(storage_in(provider))
    name = provider.type
    own = own_storage(provider)

    @router.get(base, response_model=list[StorageOut], name=f"list_{name}", summary=f"List {provider.title}")
    def list_storages(ctx: Ctx, user: Caller, project: Project = None) -> Json:
        """The project's storages of this type."""
        if not project:
            raise InvalidInputError.of("non_field_errors", 'query parameter "project" is required')
        found = registration.of_project(ctx, visible_project(ctx, user, number(project)).id)
        return Json([shown(ctx, storage) for storage in found if storage.type == provider.type])

    @router.post(base, status_code=201, response_model=StorageOut, openapi_extra=body, name=f"create_{name}")
    def create_storage(ctx: Ctx, user: Caller, given: Given) -> Json:
        """Add a storage to a project, after a look into its bucket."""
        return Json(shown(ctx, registration.create(ctx, provider, given, user=user)), 201)

    @router.post(f"{base}/validate", openapi_extra=body, response_class=Response, name=f"validate_{name}")
    def validate_storage(ctx: Ctx, user: Caller, given: Given) -> Response:
        """Check settings and connection without saving anything.

        With `id`, credentials that are not given are those of that storage.
        """
        registration.validate(ctx, provider, given, user=user)
        return Response()

    @router.get(f"{base}/{{id}}", response_model=StorageOut, name=f"get_{name}")
    def get_storage(ctx: Ctx, storage: Annotated[Storage, Depends(own)]) -> Json:
        """One storage, with the state of its sync."""
        status.ensure_status(ctx, storage.id)
        return Json(shown(ctx, storage))

    @router.patch(f"{base}/{{id}}", response_model=StorageOut, openapi_extra=body, name=f"update_{name}")
    def update_storage(ctx: Ctx, storage: Annotated[Storage, Depends(own)], given: Given) -> Json:
        """Edit a storage: only the given fields change. A sync of what is no longer meant starts anew."""
        return Json(shown(ctx, registration.update(ctx, provider, storage.id, given, partial=True)))

    @router.put(f"{base}/{{id}}", response_model=StorageOut, openapi_extra=body, name=f"replace_{name}")
    def replace_storage(ctx: Ctx, storage: Annotated[Storage, Depends(own)], given: Given) -> Json:
        """Set all fields of a storage; credentials that are not given are kept."""
        return Json(shown(ctx, registration.update(ctx, provider, storage.id, given, partial=False)))

    @router.delete(f"{base}/{{id}}", status_code=204, response_class=Response, name=f"delete_{name}")
    def delete_storage(ctx: Ctx, storage: Annotated[Storage, Depends(own)]) -> Response:
        """Delete a storage; its tasks stay, its sync ends."""
        registration.delete(ctx, provider, storage.id)
        return Response(status_code=204)

    @router.post(f"{base}/{{id}}/sync", response_model=StorageOut, name=f"sync_{name}")
    def sync_storage(ctx: Ctx, storage: Annotated[Storage, Depends(own)]) -> Json:
        """Start a sync; one under way is left alone. Watch `status`; a storage that can't be synced answers 400."""
        return Json(shown(ctx, registration.sync(ctx, provider, storage.id)))


for _provider in PROVIDERS.values():
    _add_routes(_provider)


@router.api_route("/{type}", methods=["GET", "POST"], include_in_schema=False)
@router.api_route("/{type}/{id}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
@router.api_route("/{type}/{id}/sync", methods=["POST"], include_in_schema=False)
def unknown_type(_user: Caller, type: Annotated[str, Path()]) -> None:  # noqa: A002
    """Says which types there are."""
    registration.provider_of(type)
    raise HTTPException(405)  # the type's own routes come first, so only the method can be wrong
