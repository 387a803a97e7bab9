"""Snapshots of dataset storages: taken, listed, compared, written out, removed."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import WithJsonSchema
from starlette.responses import Response, StreamingResponse

from functions.access import admin, own_storage
from functions.dependencies import Ctx
from functions.errors import Json
from functions.requests import Given, Number, Once, PageSize, PathNumber, number, page_size
from functions.routes import request_body
from functions.schemas_snapshots import ChangesOut, SnapshotIn, SnapshotOut
from functions.shapes import change_shape, snapshot_shape
from shared.errors import InvalidInputError, NotFoundError, StoreError
from shared.model.dataset_record import cursor, key_of
from shared.model.provider import Provider
from shared.model.snapshot import title_of
from shared.model.storage import Storage
from shared.services.datasets import comparing, freezing, manifests, snapshots
from shared.services.storages import connecting

JSONL, PARQUET = "application/x-ndjson", "application/vnd.apache.parquet"
FORMATS = {"jsonl": (manifests.lines, JSONL), "parquet": (manifests.parquet, PARQUET)}
EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "All records, in the order of their keys: `id`, `key`, `uri`, `size`, `version`, "
        "`content_type`, `width` and `height`.",
        "content": {
            JSONL: {"schema": {"type": "string"}},
            PARQUET: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
After = Annotated[
    Annotated[str | None, WithJsonSchema({"type": "string"})], Query(description="`next` of the part before.")
]
Format = Annotated[
    Annotated[str, WithJsonSchema({"type": "string", "enum": list(FORMATS)})],
    Query(description="A JSON object a line, or a Parquet file with the same columns."),
]
SnapshotNumber = Annotated[PathNumber, Path(description="Id of the snapshot.")]


def add_snapshots(router: APIRouter, base: str, provider: Provider) -> None:
    """The routes for snapshots of a type's storages."""
    own, kind = own_storage(provider, "dataset"), provider.type
    every, one = f"{base}/{{id}}/snapshots", f"{base}/{{id}}/snapshots/{{snapshot}}"
    more: dict[str, Any] = {"tags": ["Dataset storages"], "dependencies": [Depends(admin)]}

    @router.post(
        every,
        status_code=201,
        response_model=SnapshotOut,
        openapi_extra=request_body(SnapshotIn),
        name=f"create_snapshot_{kind}",
        **more,
    )
    def create_snapshot(ctx: Ctx, storage: Annotated[Storage, Depends(own)], given: Given, once: Once) -> Json:
        """Freeze the records as they are. What takes long answers 503 and goes on with the same request again.

        Within a minute after that, the same `title` is the same snapshot; another one has to wait.
        """
        taken = freezing.take(ctx, storage, title=title_of(given.get("title")), once=once)
        return Json(snapshot_shape(taken), 201)

    @router.get(every, response_model=list[SnapshotOut], name=f"list_snapshots_{kind}", **more)
    def list_snapshots(ctx: Ctx, storage: Annotated[Storage, Depends(own)]) -> Json:
        """All snapshots, newest first. Another bucket begins without any."""
        return Json([snapshot_shape(it) for it in snapshots.of_storage(ctx, storage)])

    @router.get(one, response_model=SnapshotOut, name=f"get_snapshot_{kind}", **more)
    def get_snapshot(ctx: Ctx, storage: Annotated[Storage, Depends(own)], snapshot: SnapshotNumber) -> Json:
        """One snapshot."""
        return Json(snapshot_shape(snapshots.find(ctx, storage, number(snapshot))))

    @router.delete(one, status_code=204, response_class=Response, name=f"delete_snapshot_{kind}", **more)
    def delete_snapshot(ctx: Ctx, storage: Annotated[Storage, Depends(own)], snapshot: SnapshotNumber) -> Response:
        """Delete a snapshot. What no other one needs goes with it, a little later."""
        snapshots.delete(ctx, storage, number(snapshot))
        return Response(status_code=204)

    @router.get(f"{one}/diff", response_model=ChangesOut, name=f"compare_snapshots_{kind}", **more)
    def compare_snapshots(
        ctx: Ctx,
        storage: Annotated[Storage, Depends(own)],
        snapshot: SnapshotNumber,
        to: Annotated[Number, Query(description="Id of the snapshot to compare with, mostly a newer one.")] = None,
        after: After = None,
        size: PageSize = None,
    ) -> Json:
        """What was added, changed and removed from one snapshot to another, in the order of keys.

        A part may be short, or empty, and have a `next`: each request compares for a few seconds only.
        """
        old = snapshots.find(ctx, storage, number(snapshot))
        try:
            new = snapshots.find(ctx, storage, number(to))
        except NotFoundError:
            raise InvalidInputError.of("to", "Name another snapshot of this dataset by its id.") from None
        most = page_size(size, ctx.settings.page_size, ctx.settings.max_page_size)
        sort_key = storage.provider.sort_key
        found = comparing.compare(ctx, old, new, sort_key, after=key_of(after or ""), size=most)
        following = None if found.after is None else cursor(found.after)
        return Json({"changes": [change_shape(it) for it in found.found], "next": following})

    @router.get(f"{one}/manifest", response_class=Response, responses=EXPORTED, name=f"export_snapshot_{kind}", **more)
    def export_snapshot(
        ctx: Ctx,
        storage: Annotated[Storage, Depends(own)],
        snapshot: SnapshotNumber,
        format: Format = "jsonl",  # noqa: A002  the API's name
    ) -> Response:
        """All records of a snapshot as a file, whatever became of the objects since."""
        if format not in FORMATS:
            raise InvalidInputError.of("format", f"There are {' and '.join(FORMATS)}.")
        found = snapshots.find(ctx, storage, number(snapshot))
        try:
            store = ctx.open_store(storage)
        except StoreError as error:
            raise connecting.refusal(ctx, storage, error) from None
        write, media_type = FORMATS[format]
        headers = {"Content-Disposition": f'attachment; filename="snapshot-{found.id}.{format}"'}
        return StreamingResponse(write(ctx, found, store), headers=headers, media_type=media_type)
