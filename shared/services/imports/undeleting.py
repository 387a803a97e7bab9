"""The way back for tasks that users deleted: a run that was asked to makes them anew, of the objects as they are."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice

from shared.errors import CommitRefusedError, StoreUnavailableError
from shared.model.ledger import Entry, ObjectInfo
from shared.model.run import Run
from shared.model.storage import Storage
from shared.ports import Delete, Document, Write
from shared.services.context import Context
from shared.services.sync.holding import Holding

MAX_DELETES = 400
"""Of one commit."""


def undelete(
    ctx: Context, holding: Holding, storage: Storage, run: Run, listing: Sequence[ObjectInfo], deadline: float
) -> bool:
    """Forgets the deletions of a chunk's listed objects, and has the ledger say that these begin again.

    Both in one commit, so that each deletion is forgotten once: what a user deletes after the run was started stays
    deleted. Objects that are not there stay as they are. False: out of time, with the lease released.
    """
    keys = {info.key for info in listing if not info.problem}
    found = ctx.tasks.tombstones(storage.project, storage.id, holding.chunk.map, keys, until=run.time_queued)
    while some := list(islice(found, MAX_DELETES)):
        try:
            _forget(holding, some)
        except CommitRefusedError:
            raise StoreUnavailableError("what users deleted is being removed by others") from None
        if ctx.out_of_time(deadline):
            holding.commit(lease_until=0.0, crashes=0, tries=0)
            return False
    return True


def _forget(holding: Holding, found: Sequence[Document]) -> None:
    numbers: dict[str, int] = defaultdict(int)
    for tombstone in found:
        numbers[tombstone.data["key"]] += 1
    ledger = dict(holding.ledger)
    for key, number in numbers.items():
        before = ledger.get(key) or Entry(key, "")
        # Without a version it differs from whatever is listed; `tombs` has its tasks compared with its rows.
        ledger[key] = Entry(key, "", before.size, before.modified, tasks=before.tasks, tombs=max(before.tombs, number))
    writes: list[Write] = [Delete(tombstone.ref, tombstone.revision) for tombstone in found]
    holding.commit(writes, ledger=ledger)
