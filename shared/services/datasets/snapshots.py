"""Snapshots of a dataset: found, listed, removed. They belong to the map: another bucket begins without any."""

from collections.abc import Iterator

from shared.errors import CommitRefusedError, CommitUnknownError, NotFoundError
from shared.log import logger
from shared.model.ledger import Entry
from shared.model.snapshot import Snapshot
from shared.model.storage import Storage
from shared.services.context import Context
from shared.services.trash import trash

RETRIES = 5


def of_storage(ctx: Context, storage: Storage) -> list[Snapshot]:
    """All snapshots of a dataset, newest first."""
    gate = ctx.gates.get(storage.id)
    return _of_map(ctx, gate.value.map) if gate else []


def _of_map(ctx: Context, storage_map: str) -> list[Snapshot]:
    found = [stored.value for stored in ctx.snapshots.of_map(storage_map, ctx.settings.max_snapshots + 1)]
    return sorted(found, key=lambda it: (it.created_at, it.id), reverse=True)


def find(ctx: Context, storage: Storage, number: int) -> Snapshot:
    """A snapshot of the dataset. Raises `NotFoundError`, also for one of another bucket that the storage had."""
    found, gate = ctx.snapshots.get(number), ctx.gates.get(storage.id)
    if found is None or gate is None or found.value.map != gate.value.map:
        raise unknown(storage, number)
    return found.value


def unknown(storage: Storage, number: int) -> NotFoundError:
    """What is said of an id that no snapshot of the dataset has."""
    return NotFoundError(f"Dataset storage {storage.id} has no snapshot {number}.")


def delete(ctx: Context, storage: Storage, number: int) -> None:
    """Removes a snapshot; the sweep then removes what no other one needs. Raises `NotFoundError`."""
    for tried in range(RETRIES):
        stored = ctx.snapshots.get(number)
        if stored is None and tried:
            return  # by the commit whose answer was lost
        gone = find(ctx, storage, number)
        if stored is None:
            continue
        try:
            ctx.documents.commit([stored.delete, trash(ctx, snapshot=(gone.map, gone.id, gone.parts))])
        except (CommitRefusedError, CommitUnknownError):
            continue
        logger.info("snapshot deleted", action="dataset.snapshot.delete", storage=storage.id, snapshot=number)
        return
    raise CommitRefusedError(f"snapshot {number} is being changed by others; try again")


def newest_pieces(ctx: Context, storage_map: str) -> frozenset[str]:
    """The fingerprints of the newest snapshot's pieces: nearly all that the next one will need."""
    for newest in _of_map(ctx, storage_map)[:1]:
        try:
            return frozenset(piece.fingerprint for piece in ctx.pieces.of(newest.id, newest.parts))
        except KeyError:
            break  # deleted in this moment
    return frozenset()


def read(ctx: Context, snapshot: Snapshot) -> Iterator[list[Entry]]:
    """The records of a snapshot in order, a piece at a time. Raises `NotFoundError` if it is deleted meanwhile."""
    try:
        for piece in ctx.pieces.of(snapshot.id, snapshot.parts):
            yield from ctx.pieces.entries(snapshot.map, [piece.fingerprint])
    except KeyError:
        raise gone(snapshot) from None


def gone(snapshot: Snapshot) -> NotFoundError:
    """What is said of a snapshot that was deleted while it was read."""
    return NotFoundError(f"Snapshot {snapshot.id} was deleted.")
