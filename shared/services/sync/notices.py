"""From a notice to the storages that it concerns. Opens no bucket: what happened is found out by whoever lists.

A storage is concerned if it honours notifications, is of that bucket, and takes that key. Which bucket is meant is
told by its name and, where that is not enough, by where it is:

- GCS: names of buckets are the world's.
- S3: what Amazon itself signed concerns storages without an endpoint, or with one of Amazon's. A record that says
  where it comes from (MinIO) concerns the storages with that endpoint; if there are none, all with another's than
  Amazon's, since a server may go by several names. Any other concerns every bucket of the name.
- Azure: the account that the event names must be the storage's, by any of the spellings that settings have for it, or
  the storage's endpoint the account's.

Where that can't be known it is marked: a mark too many costs a listing.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from urllib.parse import urlsplit

from shared.errors import (
    CommitRefusedError,
    CommitUnknownError,
    DocumentsUnavailableError,
    NotFoundError,
    QueueUnavailableError,
    SluiceError,
)
from shared.log import logger
from shared.model.notices import AMAZON, Notice
from shared.model.sidecars import is_sidecar, touched
from shared.model.storage import IDENTITY, Scope, Storage, bucket_id, identity_fingerprint
from shared.services.context import Context
from shared.services.sync import event_notes, hints, runs

BUSY = (DocumentsUnavailableError, QueueUnavailableError, CommitRefusedError, CommitUnknownError)
AMAZONS = (".amazonaws.com", ".amazonaws.com.cn")


def honour(ctx: Context, notices: Sequence[Notice]) -> int:
    """Marks dirty what the notices are about, in every storage that they concern; how many concerned any.

    A storage that was never synced at its place is synced whole: its status says so. Costs a read for each bucket,
    three and a mark for each storage and chunk. Idempotent. What fails for one storage keeps no other from its mark;
    then the last of these errors is raised (one of `BUSY`), so that the sender tells again.
    """
    concerned: set[Notice] = set()
    failed: SluiceError | None = None
    for (store, bucket), group in groupby(sorted(notices, key=_bucket), _bucket):
        of_bucket = list(dict.fromkeys(group))
        listening = ctx.storages.listening_to(bucket_id(store, bucket))  # type: ignore[arg-type]
        for storage, mine in _wanted(ctx, listening, of_bucket):
            concerned.update(mine)
            try:
                _mark(ctx, storage, mine)
            except BUSY as error:
                failed = error
                logger.warning("not marked", action="notice.busy", storage=storage.id, reason=str(error))
    if failed is not None:
        raise failed
    return sum(notice in concerned for notice in notices)


def _bucket(notice: Notice) -> tuple[str, str]:
    return notice.store, notice.bucket


def _wanted(
    ctx: Context, storages: Sequence[Storage], notices: Sequence[Notice]
) -> Iterator[tuple[Storage, list[Notice]]]:
    """Each storage that is concerned, with what concerns it."""
    at: dict[tuple[str, str], set[int]] = {}
    for notice in notices:
        if _place(notice) not in at:
            at[_place(notice)] = {storage.id for storage in _concerned(ctx, storages, notice)}
    for storage in storages:
        scope = Scope.of(storage)
        if mine := [notice for notice in notices if storage.id in at[_place(notice)] and scope.concerns(notice.key)]:
            yield storage, mine


def _place(notice: Notice) -> tuple[str, str]:
    return notice.place, notice.account


def _mark(ctx: Context, storage: Storage, notices: Sequence[Notice]) -> None:
    gate = ctx.gates.get(storage.id)
    if gate is None:
        return
    if storage.status == "initialized" and not gate.value.run:
        try:
            runs.start_run(ctx, storage.id, "event")
        except NotFoundError:
            return  # it was deleted meanwhile
    else:
        hints.mark_all(ctx, gate.value, storage.provider.sort_key, dirty_keys(storage, [it.key for it in notices]))
    event_notes.note_events(ctx, gate.value, len(notices))


def dirty_keys(storage: Storage, keys: Iterable[str]) -> list[str]:
    """Keys whose ranges are dirty where something happened at `keys`: with a sidecar those of the objects beside it."""
    dirty: list[str] = []
    for key in keys:
        sidecar = storage.has_sidecars and is_sidecar(key)
        dirty += touched(key, storage.provider.sort_key) if sidecar else [key]
    return dirty


def _concerned(ctx: Context, storages: Sequence[Storage], notice: Notice) -> list[Storage]:
    """The storages, all of that bucket's name, whose bucket is meant."""
    if notice.store == "azure":
        return [storage for storage in storages if _is_account(ctx, storage, notice)]
    if notice.store != "s3" or not notice.place:
        return list(storages)
    if notice.place == AMAZON:
        return [storage for storage in storages if _is_amazons(storage)]
    exactly = [it for it in storages if _address(it.config.get("s3_endpoint")) == _address(notice.place)]
    return exactly or [storage for storage in storages if not _is_amazons(storage)]


def _is_amazons(storage: Storage) -> bool:
    endpoint = storage.config.get("s3_endpoint")
    return not endpoint or (urlsplit(endpoint).hostname or "").endswith(AMAZONS)


def _is_account(ctx: Context, storage: Storage, notice: Notice) -> bool:
    if not notice.account:
        return True
    named = storage.config.get("account_name")  # no secret to those that applications read
    if named:
        return str(named).lower() == notice.account
    endpoint = storage.config.get("azure_endpoint")
    if endpoint and notice.place and _address(endpoint) == _address(notice.place):
        return True
    identity = storage.config.get(IDENTITY)
    if identity == identity_fingerprint(""):
        return not endpoint and ctx.settings.azure_blob_account_name.lower() == notice.account
    return identity in _spellings(notice)


def _spellings(notice: Notice) -> set[str]:
    """Fingerprints of what secrets may hold of the account: its name, a connection string with an address or both."""
    place = notice.place.partition("://")[2]
    addresses = [f"{scheme}://{place}{end}" for scheme in ("https", "http") for end in ("", "/")] if place else []
    pairs = [f"{name} {address}" for address in addresses for name in (notice.account, address)]
    return {identity_fingerprint(text) for text in (notice.account, *pairs)}


def _address(url: str | None) -> str:
    return (url or "").strip().rstrip("/").lower()
