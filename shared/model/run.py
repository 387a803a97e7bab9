"""A run of a sync: the gate that admits its commits, the run itself, its lanes, and the permits that wake them."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from shared.model.chunk import NO_COUNTS, Counts

Trigger = Literal["api", "schedule", "event"]
Deletions = Literal["", "allowed", "refused"]
"""The verdict on deletions by policy, made when all of the bucket was seen; "" before."""
Outcome = Literal["", "completed", "completed_with_errors", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One per storage, tiny. Every commit of a sync checks it; only start, end, edits and deletion write it."""

    id: str
    storage: int
    project: int
    run: str = ""
    """The active run, "" for none."""
    run_seq: int = 0
    map: str
    location: str
    shape: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One sync. Running counts are not here: they are summed over the chunks, and written down when the run ends."""

    id: str
    storage: int
    project: int
    seq: int
    trigger: Trigger
    lanes: int
    attempts: int
    active: bool = True
    outcome: Outcome = ""
    time_queued: float
    time_in_progress: float = 0.0
    time_last_ping: float = 0.0
    time_ended: float = 0.0
    traceback: str = ""
    counts: Counts = NO_COUNTS
    reimport_deleted: bool = False
    """Makes anew what users deleted before it was started."""
    delete_gone: bool = False
    """Deletes the tasks of what is gone, however many they are."""
    deletions: Deletions = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One chain of messages of a run: at any time one ticket is current, and its message wakes a worker."""

    id: str
    run: str
    storage: int
    number: int
    ticket: int = 1
    confirmed: int = 0
    """The newest ticket whose message is known to have been queued."""
    idle: int = 0
    """Continuations in a row that found nothing to claim."""
    quiet_since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """A range that an event called dirty; has the id of the chunk it was set on."""

    id: str
    storage: int
    map: str
    dirty: bool
    ticket: int
    confirmed: int = 0
    after: str
    until: str | None
    since: float


def lane_id(run: str, number: int) -> str:
    """Id of a lane's document; hash first, so that ids spread."""
    return f"{_digest(run, str(number))}-{number}"


def lane_message(run: str, number: int, ticket: int) -> str:
    """Name of the message that carries a ticket."""
    return _digest("lane", run, str(number), str(ticket))


def hint_message(hint: str, ticket: int) -> str:
    """Name of the message that carries a hint's ticket."""
    return _digest("hint", hint, str(ticket))


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """What a message says: work on this storage, for a run's lane or for a hint. Never the address of work."""

    storage: int
    ticket: int
    run: str = ""
    lane: int = 0
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ends."""

    outcome: Outcome
    traceback: str = ""
    counts: Counts = NO_COUNTS
