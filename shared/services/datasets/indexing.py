"""One chunk of a dataset's sync: the chunk's new ledger is all there is to make.

A record is an entry of the ledger. What is not listed any more leaves it, as does what the settings no longer want:
the ledger is the pure function of bucket and settings.
"""

from shared.errors import StoreUnavailableError
from shared.model import media_types
from shared.model.chunk import Counts
from shared.model.ledger import MAX_TEXT, Entry, Ledger, ObjectInfo
from shared.model.storage import Storage
from shared.services.context import Context
from shared.services.datasets.image_sizes import Sizes
from shared.services.sync.holding import Holding
from shared.services.sync.listing import list_range, refuse_deadly
from shared.services.sync.walking import Pending, Walk

MAX_ERRORS = 20
MAX_TYPES = 64
"""Types of one chunk that are kept as the store tells them; for more, the keys have to do."""


class IndexSync:
    """Syncs one held chunk of a dataset."""

    def __init__(self, ctx: Context, holding: Holding, storage: Storage, walk: Walk, deadline: float) -> None:
        self.ctx = ctx
        self.holding = holding
        self.storage = storage
        self.walk = walk
        self.deadline = deadline

    def run(self) -> None:
        """Syncs the chunk. Raises `ChunkLostError`, or the `StoreError` that stopped it."""
        refuse_deadly(self.ctx, self.holding)
        pending = list_range(self.ctx, self.holding, self.walk, self.deadline)
        if pending is None:
            return
        ledger = _indexed(pending.wanted, self.holding.ledger)
        counts = self._counts(pending, ledger)
        if self.storage.has_image_sizes:
            sizes = Sizes(self.ctx, self.walk.store, self.deadline)
            try:
                finished = sizes.read_into(ledger)
            except StoreUnavailableError:
                if ledger != self.holding.ledger:  # else nothing was gained, and its tries are counted
                    self._commit(ledger, counts)
                raise
            if not finished:
                self._commit(ledger, counts, lease_until=0.0)
                return
        seq = self.holding.gate.value.run_seq
        self._commit(ledger, counts, done_seq=seq, seen_seq=seq, unsettled=False, lease_until=0.0)

    def _counts(self, pending: Pending, ledger: Ledger) -> Counts:
        """What the run did in this chunk once the ledger is committed."""
        known, before = records(self.holding.ledger), self.holding.chunk.counts
        found = records(ledger)
        changed = [key for key, entry in found.items() if key in known and known[key].version != entry.version]
        return Counts(
            listed=pending.listed,
            excluded=pending.listed - len(ledger),
            imported=len(found),
            failed=len(ledger) - len(found),
            created=before.created + sum(key not in known for key in found),
            updated=before.updated + len(changed),
            gone=before.gone + sum(key not in found and self.walk.scope.wants(key) for key in known),
        )

    def _commit(self, ledger: Ledger, counts: Counts, **changes: object) -> None:
        changed = ledger if ledger != self.holding.ledger else None
        errors = [line for entry in ledger.values() if entry.reason for line in entry.explain()][:MAX_ERRORS]
        self.holding.progress([], changed, counts, errors=tuple(line[:400] for line in errors), **changes)


def records(ledger: Ledger) -> Ledger:
    """The entries that are records: not those of objects that can never be read."""
    return {key: entry for key, entry in ledger.items() if entry.state != "failed"}


def _indexed(listed: list[ObjectInfo], known: Ledger) -> Ledger:
    """The ledger of what was listed; what was read of an object holds for its version."""
    ledger: Ledger = {}
    types: set[str] = set()
    for info in listed:
        if info.problem:
            reason = info.problem[:MAX_TEXT]
            ledger[info.key] = Entry(info.key, info.version, info.size, info.modified, "failed", reason=reason)
            continue
        kind = media_types.of_record(info.key, info.content_type)
        if kind not in types and len(types) >= MAX_TYPES:
            kind = ""
        types.add(kind)
        entry = Entry(info.key, info.version, info.size, info.modified, content_type=kind)
        was = known.get(info.key)
        if was is not None and was.version == info.version:
            entry = entry._replace(width=was.width, height=was.height)
        ledger[info.key] = entry
    return ledger
