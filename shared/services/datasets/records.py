"""Reads a dataset's records off its chunks' ledgers, in the order of keys: pages, counts, and one by its id.

A request holds one decoded ledger at a time, stops as soon as it has enough, and works for `records_seconds` at most;
then it says up to which key it came. A cursor is a key, so cuts and syncs in between lose nothing and show nothing
twice.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.errors import NotFoundError, TryAgainError
from shared.model import ledger as ledgers
from shared.model.chunk import Chunk
from shared.model.dataset_record import RecordFilter, record_id
from shared.model.ledger import Entry
from shared.model.storage import Storage
from shared.records.collection import Stored
from shared.services.context import Context
from shared.services.sync.hints import covering

PAGE = 64
"""Chunks looked at in one query, at most: four at first, then twice as many each time."""
RETRIES = 20
"""Times in a row that a walk begins again before its place has moved."""
BATCH = 8
"""Ledgers read at once, still packed, at most: one at first, then twice as many each time."""


class Page(NamedTuple):
    """Records found, and the key up to which all was looked at; None: there are no more."""

    entries: list[Entry]
    after: str | None


class Counted(NamedTuple):
    """How many were found, and the key up to which all was looked at; None: that is all."""

    number: int
    after: str | None


class Part(NamedTuple):
    """The records of one chunk that lie behind where the walk began; `until` is where the chunk ends."""

    entries: list[Entry]
    until: str | None


def page(ctx: Context, storage: Storage, wanted: RecordFilter, *, after: str, size: int) -> Page:
    """The first `size` wanted records behind a key, in the bucket's order; fewer if time is up, with a key then too."""
    deadline = ctx.clock() + ctx.settings.records_seconds
    sort_key = storage.provider.sort_key
    found: list[Entry] = []
    for entries, until in _Walk(ctx, storage, wanted.prefix, after):
        found += sorted(filter(wanted.takes, entries), key=lambda entry: sort_key(entry.key))
        if len(found) > size or (len(found) == size and until is not None):
            return Page(found[:size], found[size - 1].key)
        if until is not None and ctx.clock() >= deadline:
            return Page(found, until)
    return Page(found, None)


def count(ctx: Context, storage: Storage, wanted: RecordFilter, *, after: str) -> Counted:
    """How many wanted records lie behind a key; those of a part of them if time is up."""
    deadline = ctx.clock() + ctx.settings.records_seconds
    found = 0
    for entries, until in _Walk(ctx, storage, wanted.prefix, after):
        found += sum(map(wanted.takes, entries))
        if until is not None and ctx.clock() >= deadline:
            return Counted(found, until)
    return Counted(found, None)


def parts(ctx: Context, storage: Storage, after: str) -> Iterator[Part]:
    """All records behind a key, a chunk's at a time, each as its ledger is when it comes to it."""
    return iter(_Walk(ctx, storage, "", after))


def one(ctx: Context, storage: Storage, number: int) -> Entry:
    """The record with an id. Looks through the keys of all, as nothing else says where it is.

    Raises `NotFoundError`, `TryAgainError` if it was not among those that there was time for.
    """
    deadline = ctx.clock() + ctx.settings.records_seconds
    gate = ctx.gates.get(storage.id)
    if gate is not None:
        for entries, until in _Walk(ctx, storage, "", ""):
            for entry in entries:
                if record_id(gate.value.map, entry.key) == number:
                    return entry
            if until is not None and ctx.clock() >= deadline:
                raise TryAgainError(
                    "There are too many records to find one by its id in time: list them by the prefix of its key, or "
                    "raise SLUICE_RECORDS_SECONDS."
                )
    raise NotFoundError(f"No record of dataset storage {storage.id} has the id {number}.")


class _MovedError(Exception):
    """Chunks are not what they were a moment ago."""


class _Walk:
    """The parts of a dataset that lie behind a key and may have keys with a prefix, one after the other.

    A chunk may be cut between a look at it and the read of its ledger, which then holds the tail alone. So chunks are
    looked at once more after their ledgers were read; where one was cut, the walk begins again at its place.
    """

    def __init__(self, ctx: Context, storage: Storage, prefix: str, after: str) -> None:
        self._ctx = ctx
        self._sort_key = storage.provider.sort_key
        gate = ctx.gates.get(storage.id)
        self._map = gate.value.map if gate else ""
        self._prefix = self._sort_key(prefix) if prefix else b""
        self._first = prefix
        self._at = after
        """All up to this key was delivered."""
        self._batch = 1

    def __iter__(self) -> Iterator[Part]:
        """The parts; of the last one `until` is None. Raises `TryAgainError` where it is cut faster than it is read."""
        tries = 0
        while tries < RETRIES:
            try:
                for chunks in self._batches():
                    for part in self._parts(chunks):
                        yield part
                        if part.until is None:
                            return
                        self._at, tries = part.until, 0
            except _MovedError:
                tries += 1
            else:
                return
        raise TryAgainError("The records are being moved by a sync: send the request again.")

    def _batches(self) -> Iterator[list[Chunk]]:
        """Chunks that reach behind the place and may have the prefix, in order, a few at a time."""
        waiting: list[Chunk] = []
        edge: str | None = None
        for chunk in self._chunks():
            if edge is not None and chunk.after != edge:
                raise _MovedError  # one was cut off behind us, where many keys begin alike
            edge = chunk.until
            if self._before(chunk):
                continue
            if chunk.after and self._is_beyond(self._sort_key(chunk.after)):
                break
            waiting.append(chunk)
            if len(waiting) >= self._batch:
                self._batch = min(BATCH, 2 * self._batch)
                yield waiting
                waiting = []
        if waiting:
            yield waiting

    def _chunks(self) -> Iterator[Chunk]:
        """From the chunk that holds the place on, in the order of their ranges, also where long keys begin alike."""
        place = self._at if self._low() > self._prefix else self._first
        first = covering(self._ctx, self._map, self._sort_key, place) if place else None
        start, cursor = first.start if first else "", None
        alike: list[Chunk] = []
        limit = 4
        while True:
            where = (("map", "==", self._map), ("start", ">=", start))
            found: Sequence[Stored[Chunk]] = self._ctx.chunks.find(*where, order=("start",), after=cursor, limit=limit)
            for stored in found:
                if alike and alike[0].start != stored.value.start:
                    yield from self._in_order(alike)
                    alike = []
                alike.append(stored.value)
            if len(found) < limit:
                yield from self._in_order(alike)
                return
            cursor = (found[-1].value.start, found[-1].value.id)
            limit = min(PAGE, 2 * limit)

    def _in_order(self, chunks: list[Chunk]) -> list[Chunk]:
        return sorted(chunks, key=lambda chunk: self._sort_key(chunk.after) if chunk.after else b"")

    def _parts(self, chunks: list[Chunk]) -> Iterator[Part]:
        """The records of chunks. Raises `_MovedError` where one was cut meanwhile."""
        ctx = self._ctx
        blobs = ctx.documents.get_many([ctx.ledgers.ref(chunk.id) for chunk in chunks])
        now = ctx.chunks.get_many([chunk.id for chunk in chunks])
        for chunk, blob, current in zip(chunks, blobs, now, strict=True):
            if current is not None and current.value.after != chunk.after:
                raise _MovedError
            low = self._low()
            inside = not low or (chunk.after and self._sort_key(chunk.after) >= low)
            entries = ledgers.decode(blob.data["blob"]).values() if blob else ()
            records = [it for it in entries if it.state != "failed" and (inside or self._sort_key(it.key) > low)]
            last = chunk.until is None or self._is_beyond(self._sort_key(chunk.until))
            yield Part(records, None if last else chunk.until)

    def _before(self, chunk: Chunk) -> bool:
        """Whether the chunk ends before anything that is asked for."""
        if chunk.until is None:
            return False
        end = self._sort_key(chunk.until)
        return end <= self._low() or end < self._prefix

    def _is_beyond(self, key: bytes) -> bool:
        """Whether nothing behind the key has the prefix."""
        return key > self._prefix and not key.startswith(self._prefix)

    def _low(self) -> bytes:
        return self._sort_key(self._at) if self._at else b""
