"""A chunk: a contiguous range of keys, the lease on it, and what the current run did there.

The chunks of a storage's map tile its whole key space: `(after, until]`, the first starts at "", the last ends at None.
"""

from dataclasses import dataclass
from typing import NamedTuple

START_BYTES = 600
"""How much of a sort key is indexed (as hex, so twice that): Firestore indexes 1,500 bytes of a string."""


class Counts(NamedTuple):
    """What a run did, per chunk and in sum. Objects: listed = excluded + imported + failed once a chunk is done."""

    listed: int = 0
    excluded: int = 0
    imported: int = 0
    failed: int = 0
    created: int = 0
    """Tasks made in this run."""
    updated: int = 0
    existed: int = 0
    """Tasks of listed objects that this run did not make. May be negative on one chunk; the sum over all is right."""
    bad_rows: int = 0
    gone: int = 0
    doomed: int = 0
    """Objects found gone whose tasks go with them, whether that was done already, is to be done, or was refused."""
    deleted: int = 0
    """Tasks deleted by policy."""


NO_COUNTS = Counts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Small and often read; the entries are in the ledger of the same id, which only a commit of both writes."""

    id: str
    storage: int
    map: str
    """The ledger this chunk is a part of: one per location a storage ever had. Never used again."""
    after: str
    until: str | None
    start: str
    """`start_index(sort_key(after))`, for finding chunks in order."""

    done_seq: int = 0
    """The newest run that finished this chunk; smaller than the gate's `run_seq` means open."""
    seen_seq: int = 0
    """The newest run that finished it but for deletions, which wait for the verdict; never less than `done_seq`."""
    unsettled: bool = False
    """A hint was taken and its range not yet synced."""

    owner: str = ""
    lease_until: float = 0.0
    epoch: int = 0
    last_commit: str = ""
    """(invocation, number) of the last write: how a worker recognises its own commit after a lost answer."""

    crashes: int = 0
    """Claims since the last progress or orderly release."""
    tries: int = 0
    """Transient faults since the last progress."""
    not_before: float = 0.0
    fault: str = ""
    trying: str = ""
    """The object a careful worker has begun; suspect if the worker never comes back."""

    run_seq: int = 0
    """The run the counts belong to."""
    counts: Counts = NO_COUNTS
    errors: tuple[str, ...] = ()
    """A few failures, for people."""

    def cut_off(self, id: str, until: str) -> "Chunk":  # noqa: A002  the field's own name
        """What becomes of the range up to `until` when this chunk keeps its tail: as open and as unsettled as this."""
        return Chunk(
            id=id,
            storage=self.storage,
            map=self.map,
            after=self.after,
            until=until,
            start=self.start,
            done_seq=self.done_seq,
            seen_seq=self.seen_seq,
            unsettled=self.unsettled,
            not_before=self.not_before,
        )

    def leased(self, now: float) -> bool:
        """Somebody works on it and was heard of in time."""
        return self.lease_until > now

    def claimable(self, now: float) -> bool:
        """Neither leased nor put off."""
        return not self.leased(now) and self.not_before <= now


def start_index(sort_key: bytes) -> str:
    """The indexed form of a sort key: equal order up to `START_BYTES`."""
    return sort_key[:START_BYTES].hex()


def backoff(tries: int, longest: float) -> float:
    """Seconds to wait after so many tries: 1, 2, 4, ... up to `longest`."""
    return min(longest, 2.0 ** min(tries - 1, 30))
