"""Removes what only a deleted snapshot needed, or one that nobody went on with."""

from dataclasses import replace

from shared.ports import Delete, Write
from shared.records.collection import Stored
from shared.services.context import Context

SLICE = 400
"""Documents removed in one commit."""


def thaw(ctx: Context, storage_map: str, snapshot: int, parts: int, limit: int) -> int:
    """Removes at most `limit` documents, and returns how many they were; fewer only when all is done.

    What any other list of the map names stays, those of snapshots under way included. A commit that names more comes
    with another revision of the `freezes` document, so it refuses a removal that did not see it. Reads all lists of
    the map until nothing is left to remove. Raises `CommitRefusedError` then: it is to be called again.
    """
    freeze = ctx.freezes.get(storage_map)
    refs = [ctx.pieces.list_ref(snapshot, part) for part in range(parts)]
    unneeded = ctx.pieces.fingerprints(refs)
    for other, pieces in ctx.pieces.named(storage_map) if unneeded else ():
        if other != snapshot:
            unneeded.difference_update(piece.fingerprint for piece in pieces)
        if not unneeded:
            break
    # The lists last: they say what is to be removed.
    todo = [*(ctx.pieces.ref(storage_map, it) for it in sorted(unneeded)), *refs]
    for start in range(0, min(len(todo), limit), SLICE):
        writes: list[Write] = [Delete(ref, None) for ref in todo[start : min(start + SLICE, limit)]]
        if freeze is None:  # the map itself is gone
            ctx.documents.commit(writes)
            continue
        turned = replace(freeze.value, turn=freeze.value.turn + 1)
        revision = ctx.documents.commit([ctx.freezes.update(freeze, turned), *writes])[0]
        freeze = Stored(turned, revision, freeze.ref)
    return min(len(todo), limit)
