"""What differs between two snapshots, in the order of keys; pieces that both have are not read.

Both are walked by their records, so it does not matter where pieces of the one and of the other end.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from shared.model.ledger import Entry
from shared.model.snapshot import Piece, Snapshot, same
from shared.services.context import Context
from shared.services.datasets.snapshots import gone

SortKey = Callable[[str], bytes]


class Change(NamedTuple):
    """A key whose record differs; None where the snapshot has none of it."""

    key: str
    before: Entry | None
    after: Entry | None


class Changes(NamedTuple):
    """Some changes, and the key up to which all was compared; None: there are no more."""

    found: list[Change]
    after: str | None


def compare(ctx: Context, old: Snapshot, new: Snapshot, sort_key: SortKey, *, after: str, size: int) -> Changes:
    """The first `size` changes behind a key, from one snapshot of a map to another.

    Fewer if `records_seconds` are over. Raises `NotFoundError` if one is deleted meanwhile.
    """
    found: list[Change] = []
    if old.root == new.root:
        return Changes(found, None)
    walk = _Walk(ctx, (old, new), sort_key, after)
    for change in walk:
        if len(found) == size:
            return Changes(found, found[-1].key)
        found.append(change)
    return Changes(found, walk.place if walk.stopped else None)


class _Walk:
    """All changes behind a key. Holds a piece of each snapshot."""

    def __init__(self, ctx: Context, both: Sequence[Snapshot], sort_key: SortKey, after: str) -> None:
        self._ctx = ctx
        self._sides = [_Side(ctx, snapshot, sort_key, after) for snapshot in both]
        self._deadline = ctx.clock() + ctx.settings.records_seconds
        self._began = after
        self.place = after
        """All up to this key was compared."""
        self.stopped = False
        """Whether time ran out."""

    def __iter__(self) -> Iterator[Change]:
        old, new = self._sides
        while (low := min((side.head for side in self._sides if side.head is not None), default=None)) is not None:
            if old.waiting and new.waiting and old.waiting.fingerprint == new.waiting.fingerprint:
                old.skip()
                new.skip()
                continue
            least = [side for side in self._sides if side.head == low]
            if closed := [side for side in least if side.waiting]:
                if self.place != self._began and self._ctx.out_of_time(self._deadline):
                    self.stopped = True
                    return
                self._open(closed)
                continue
            before, after = (side.take() if side in least else None for side in self._sides)
            self.place = before.key if before else after.key if after else ""
            if before is None or after is None or not same(before, after):
                yield Change(self.place, before, after)

    def _open(self, sides: "list[_Side]") -> None:
        """Reads the pieces that these sides are at."""
        named = [side.waiting.fingerprint for side in sides if side.waiting]
        try:
            found = self._ctx.pieces.entries(sides[0].snapshot.map, named)
        except KeyError:
            raise gone(sides[0].snapshot) from None
        for side, entries in zip(sides, found, strict=True):
            side.open(entries)


class _Side:
    """One snapshot, at some record behind a key, or before a piece that was not read."""

    def __init__(self, ctx: Context, snapshot: Snapshot, sort_key: SortKey, after: str) -> None:
        self.snapshot = snapshot
        self._sort_key = sort_key
        self._low = sort_key(after) if after else b""
        self._coming = self._pieces(ctx)
        self._entries: list[tuple[bytes, Entry]] = []
        """Of the piece that was read; the next one is the last."""
        self.waiting: Piece | None = None
        """The piece that it is before, if that was not read."""
        self.skip()

    def _pieces(self, ctx: Context) -> Iterator[Piece]:
        """The pieces that may have records behind the key."""
        last: Piece | None = None
        try:
            for piece in ctx.pieces.of(self.snapshot.id, self.snapshot.parts):
                if last is not None and self._sort_key(piece.first) > self._low:
                    yield last
                last = piece
        except KeyError:
            raise gone(self.snapshot) from None
        if last is not None:
            yield last

    @property
    def head(self) -> bytes | None:
        """Where it is; None at the end."""
        if self._entries:
            return self._entries[-1][0]
        return self._sort_key(self.waiting.first) if self.waiting else None

    def skip(self) -> None:
        """On to the next piece."""
        self.waiting = next(self._coming, None)

    def open(self, entries: list[Entry]) -> None:
        """Into the piece that it is before; `entries` are its records."""
        placed = [(self._sort_key(entry.key), entry) for entry in reversed(entries)]
        self._entries = [it for it in placed if it[0] > self._low]
        self.waiting = None
        if not self._entries:
            self.skip()

    def take(self) -> Entry:
        """The record that it is at; on to the next."""
        entry = self._entries.pop()[1]
        if not self._entries:
            self.skip()
        return entry
