"""Records of dataset storages that become tasks of projects."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from functions.access import Admin, admin, own_storage
from functions.dependencies import Ctx
from functions.errors import Json
from functions.requests import Given, PageSize, page_size
from functions.routes import request_body
from functions.schemas_additions import AdditionIn, AdditionOut
from shared.model.addition import Addition
from shared.model.provider import Provider
from shared.model.storage import Storage
from shared.model.times import moment
from shared.services.datasets import additions

SHOWN = 100


def add_additions(router: APIRouter, base: str, provider: Provider) -> None:
    """The routes that make tasks of the records of a type's storages."""
    own, kind = own_storage(provider, "dataset"), provider.type
    more: dict[str, Any] = {"tags": ["Dataset storages"], "dependencies": [Depends(admin)]}

    @router.post(
        f"{base}/{{id}}/records/add-to-project",
        status_code=201,
        response_model=AdditionOut,
        openapi_extra=request_body(AdditionIn),
        name=f"add_records_{kind}",
        **more,
    )
    def add_records(ctx: Ctx, user: Admin, storage: Annotated[Storage, Depends(own)], given: Given) -> Json:
        """Make tasks of records, in a project. Answers at once; the addition says how far it is.

        A record becomes one task of a project, however often it is added. A filter takes what it finds when it comes
        by: records that a sync adds behind that place are taken too.
        """
        return Json(addition_shape(additions.start(ctx, storage, given, user=user)), 201)

    @router.get(f"{base}/{{id}}/additions", response_model=list[AdditionOut], name=f"list_additions_{kind}", **more)
    def list_additions(ctx: Ctx, storage: Annotated[Storage, Depends(own)], size: PageSize = None) -> Json:
        """The newest additions of this dataset's records to projects, the newest first."""
        most = page_size(size, SHOWN, SHOWN)
        return Json([addition_shape(found) for found in additions.newest(ctx, storage, most)])

    @router.get(
        f"{base}/{{id}}/additions/{{addition}}", response_model=AdditionOut, name=f"get_addition_{kind}", **more
    )
    def get_addition(
        ctx: Ctx,
        storage: Annotated[Storage, Depends(own)],
        addition: Annotated[str, Path(description="Id of the addition.")],
    ) -> Json:
        """How far an addition is."""
        return Json(addition_shape(additions.find(ctx, storage, addition)))


def addition_shape(addition: Addition) -> dict[str, Any]:
    """An addition as the API shows it."""
    return {
        "id": addition.id,
        "dataset": addition.storage,
        "project": addition.project,
        "state": addition.state,
        "filter": None if addition.records else dict(addition.asked),
        "records": len(addition.records) or None,
        "reimport_deleted": addition.restore,
        "created_by": addition.user,
        "selected": addition.selected,
        "created": addition.created,
        "existed": addition.existed,
        "deleted": addition.deleted,
        "failed": addition.failed,
        "missing": addition.missing,
        "at": addition.after or None,
        "errors": list(addition.errors),
        "reason": addition.reason or None,
        "created_at": moment(addition.since),
        "started_at": moment(addition.started or None),
        "updated_at": moment(addition.updated),
        "finished_at": moment(addition.ended or None),
    }
