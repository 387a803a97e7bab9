"""Rows of dataset storages' files: columns, and a preview that is filtered by them."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Query

from functions.access import admin, own_storage
from functions.dependencies import Ctx
from functions.errors import Json
from functions.requests import PageSize, PathNumber, number, page_size
from functions.schemas_rows import ColumnsOut, RowsOut
from shared.model.provider import Provider
from shared.model.storage import Storage
from shared.services.datasets import rows

Record = Annotated[PathNumber, Path(description="Id of the record: a .json, .jsonl, .ndjson or .parquet file.")]
Where = Annotated[
    list[str],
    Query(
        description='JSON: `{"label": "cat", "score": {">=": 0.5}}`. A column is compared with a value, or by '
        "operators: `==`, `!=`, `<`, `<=`, `>`, `>=`, `in` (a list), `contains` (a part of a text, an item of a list), "
        "`is_null`. All must hold, also those of several `where`. Fields of objects: `box.width`. What is null "
        "passes `is_null` and `== null` alone; a number never equals a text."
    ),
]
Picked = Annotated[str, Query(description="Show these columns alone: names with commas between.")]
After = Annotated[str, Query(description="`next` of the part before.")]


def add_rows(router: APIRouter, base: str, provider: Provider) -> None:
    """The routes that look into the files of a type's storages."""
    own, kind = own_storage(provider, "dataset"), provider.type
    more: dict[str, Any] = {"tags": ["Dataset storages"], "dependencies": [Depends(admin)]}
    path = f"{base}/{{id}}/records/{{record}}"

    @router.get(f"{path}/columns", response_model=ColumnsOut, name=f"list_columns_{kind}", **more)
    def list_columns(ctx: Ctx, storage: Annotated[Storage, Depends(own)], record: Record) -> Json:
        """Columns of a file of rows, with types: of Parquet as the file says, of JSON by its first rows."""
        found = rows.describe(ctx, storage, number(record))
        return Json(
            {
                "columns": [column._asdict() for column in found.columns.columns],
                "complete": found.columns.complete,
                "rows": found.rows,
                "sampled": found.sampled,
                "errors": [error._asdict() for error in found.errors],
            }
        )

    @router.get(f"{path}/rows", response_model=RowsOut, name=f"list_rows_{kind}", **more)
    def list_rows(
        ctx: Ctx,
        storage: Annotated[Storage, Depends(own)],
        record: Record,
        where: Where = [],  # noqa: B006  FastAPI copies it
        columns: Picked = "",
        after: After = "",
        size: PageSize = None,
    ) -> Json:
        """Rows of a file in its order, those that `where` takes, as the last sync found the file.

        A part may be short, or empty, and have a `next`: each request reads for a few seconds only.
        """
        most = page_size(size, ctx.settings.page_size, ctx.settings.max_page_size)
        which = number(record)
        found = rows.page(ctx, storage, which, where=where, columns=columns, after=after, size=most)
        return Json(
            {
                "rows": [
                    {"record": which, "row": row.row, "id": row.id, "data": orjson.Fragment(row.data)}
                    for row in found.rows
                ],
                "looked_at": found.looked_at,
                "unreadable": found.unreadable,
                "errors": [error._asdict() for error in found.errors],
                "next": found.next,
            }
        )
