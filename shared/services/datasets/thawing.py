"""Removes what only a deleted snapshot needed, or one that nobody went on with."""

from dataclasses import replace

from shared.ports import Delete, Write
from shared.records.collection import Stored
from shared.services.context import Context


def thaw(ctx: Context, storage_map: str, snapshot: int, parts: int, limit: int) -> int:
    """Removes about `limit` documents, and returns how many they were; fewer only when all is done.

    What any other list of the map names stays, those of snapshots under way included. Whoever names more writes the
    `freezes` document, so a removal that did not see it is refused: then this raises `CommitRefusedError`, and is to
    be called again. Reads all lists of the map until nothing is left to remove. A part of the list goes in one commit
    with its pieces: what is left says what is left to do.
    """
    freeze = ctx.freezes.get(storage_map)
    lists = ctx.pieces.lists_of(snapshot, parts)
    unneeded = {it for _, fingerprints in lists for it in fingerprints}
    for other, pieces in ctx.pieces.named(storage_map) if unneeded else ():
        if other != snapshot:
            unneeded.difference_update(piece.fingerprint for piece in pieces)
        if not unneeded:
            break
    removed = 0
    for ref, fingerprints in lists:
        if removed >= limit:
            break
        gone = [ref, *(ctx.pieces.ref(storage_map, it) for it in fingerprints if it in unneeded)]
        writes: list[Write] = [Delete(it, None) for it in gone]
        if freeze is None:  # the map itself is gone
            ctx.documents.commit(writes)
        else:
            turned = replace(freeze.value, turn=freeze.value.turn + 1)
            revision = ctx.documents.commit([ctx.freezes.update(freeze, turned), *writes])[0]
            freeze = Stored(turned, revision, freeze.ref)
        removed += len(gone)
    return removed
