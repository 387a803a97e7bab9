"""What dataset storages have of their own: lists that are of no project, and records."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import WithJsonSchema

from functions.access import admin, own_storage
from functions.dependencies import Ctx
from functions.errors import Json
from functions.requests import PageSize, PathNumber, number, page_size
from functions.schemas_storages import CountedOut, RecordOut, RecordsOut, storages_out
from functions.shapes import record_shape, storage_shape
from shared.errors import StoreError
from shared.model.dataset_record import RecordFilter, cursor, key_of, record_id
from shared.model.ledger import Entry
from shared.model.provider import Provider
from shared.model.providers import PROVIDERS
from shared.model.storage import Storage
from shared.services.context import Context
from shared.services.datasets import records
from shared.services.storages import connecting, registration
from shared.services.storages.views import storage_info

Text = Annotated[str | None, WithJsonSchema({"type": "string"})]
Least = Annotated[str | None, WithJsonSchema({"type": "integer", "minimum": 0})]
When = Annotated[str | None, WithJsonSchema({"type": "string", "format": "date-time"})]


def asked_for(
    prefix: Annotated[Text, Query(description="What keys start with, literally.")] = None,
    glob: Annotated[
        Text, Query(description="What keys look like below the storage's prefix, as in `glob_filter`: **/*.jpg.")
    ] = None,
    min_size: Annotated[Least, Query(description="Bytes at least.")] = None,
    max_size: Annotated[Least, Query(description="Bytes at most.")] = None,
    modified_after: Annotated[When, Query(description="Modified at this time or later.")] = None,
    modified_before: Annotated[When, Query(description="Modified before this time.")] = None,
    content_type: Annotated[Text, Query(description="A content type, or all of a kind: image/*.")] = None,
    min_width: Annotated[Least, Query(description="Pixels at least; of images whose size is known.")] = None,
    max_width: Annotated[Least, Query(description="Pixels at most; of images whose size is known.")] = None,
    min_height: Annotated[Least, Query(description="Pixels at least; of images whose size is known.")] = None,
    max_height: Annotated[Least, Query(description="Pixels at most; of images whose size is known.")] = None,
) -> dict[str, str | None]:
    """The filters of a request, as they were given."""
    return {
        "prefix": prefix,
        "glob": glob,
        "min_size": min_size,
        "max_size": max_size,
        "modified_after": modified_after,
        "modified_before": modified_before,
        "content_type": content_type,
        "min_width": min_width,
        "max_width": max_width,
        "min_height": min_height,
        "max_height": max_height,
    }


Asked = Annotated[dict[str, str | None], Depends(asked_for)]
After = Annotated[Text, Query(description="`next` of the part before.")]


GUARDED: dict[str, Any] = {"tags": ["Dataset storages"], "dependencies": [Depends(admin)]}


def add_datasets(router: APIRouter, base: str) -> None:
    """The routes below `base`, of all types that datasets have."""
    providers = [provider for provider in PROVIDERS.values() if "dataset" in provider.directions]
    _add_list(router, base, "all_dataset_storages", providers)
    for provider in providers:
        _add_list(router, f"{base}/{provider.type}", f"dataset_{provider.type}", [provider])
        _add_records(router, f"{base}/{provider.type}", provider)


def _add_list(router: APIRouter, path: str, name: str, providers: Sequence[Provider]) -> None:
    """The list of all storages of these types."""
    types = {provider.type for provider in providers}

    @router.get(path, response_model=partial(storages_out, providers, "dataset"), name=f"list_{name}", **GUARDED)
    def list_datasets(ctx: Ctx) -> Json:
        """All dataset storages, of this type if the path names one."""
        found = [storage for storage in registration.of_project(ctx, 0, "dataset") if storage.type in types]
        return Json([storage_shape(storage, storage_info(ctx, storage)) for storage in found])


def _add_records(router: APIRouter, base: str, provider: Provider) -> None:
    """The routes that read the records of a type's storages."""
    own, kind = own_storage(provider, "dataset"), provider.type

    @router.get(f"{base}/{{id}}/records", response_model=RecordsOut, name=f"list_records_{kind}", **GUARDED)
    def list_records(
        ctx: Ctx,
        storage: Annotated[Storage, Depends(own)],
        asked: Asked,
        after: After = None,
        size: PageSize = None,
    ) -> Json:
        """Records in the order of their keys, those that all filters take.

        A part may be short, or empty, and have a `next`: each request looks for a few seconds only.
        """
        wanted = RecordFilter.of(asked, storage_prefix=storage.prefix)
        most = page_size(size, ctx.settings.page_size, ctx.settings.max_page_size)
        found = records.page(ctx, storage, wanted, after=key_of(after or ""), size=most)
        return Json({"records": shown(ctx, storage, found.entries), "next": next_of(found.after)})

    @router.get(f"{base}/{{id}}/records/count", response_model=CountedOut, name=f"count_records_{kind}", **GUARDED)
    def count_records(ctx: Ctx, storage: Annotated[Storage, Depends(own)], asked: Asked, after: After = None) -> Json:
        """How many records all filters take."""
        wanted = RecordFilter.of(asked, storage_prefix=storage.prefix)
        found = records.count(ctx, storage, wanted, after=key_of(after or ""))
        return Json({"count": found.number, "next": next_of(found.after)})

    @router.get(f"{base}/{{id}}/records/{{record}}", response_model=RecordOut, name=f"get_record_{kind}", **GUARDED)
    def get_record(
        ctx: Ctx,
        storage: Annotated[Storage, Depends(own)],
        record: Annotated[PathNumber, Path(description="Id of the record.")],
    ) -> Json:
        """One record. Nothing says where it is but its key, so all are looked through."""
        return Json(shown(ctx, storage, [records.one(ctx, storage, number(record))])[0])


def shown(ctx: Context, storage: Storage, entries: list[Entry]) -> list[dict[str, Any]]:
    """Records as the API shows them."""
    gate = ctx.gates.get(storage.id)
    storage_map = gate.value.map if gate else ""
    try:
        store = ctx.open_store(storage)
    except StoreError as error:
        raise connecting.refusal(ctx, storage, error) from None
    return [
        record_shape(entry, number=record_id(storage_map, entry.key), uri=store.uri(entry.key)) for entry in entries
    ]


def next_of(key: str | None) -> str | None:
    """The cursor of a key; None for none."""
    return None if key is None else cursor(key)
