"""A snapshot of a dataset: its records in the order of their keys, cut into pieces that are named by their content.

Where a piece ends is told by the keys alone, so a snapshot and its root do not depend on how the ledgers were cut.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from shared.errors import InvalidInputError
from shared.model import ledger as ledgers
from shared.model.ledger import Entry
from shared.model.values import text

MEAN = 512
"""Records of a piece on average: one key of so many ends one."""
MAX_RECORDS = 2500
MAX_BYTES = 320 * 1024
"""Of the keys of one piece. What reaches either limit is cut there; of 100 pieces of short keys less than one does."""
MAX_TITLE = 256
EMPTY_ROOT = hashlib.blake2b(digest_size=32).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A whole one; nothing of it ever changes."""

    id: int
    storage: int
    map: str
    title: str
    begun_at: float
    """When the first record was read."""
    created_at: float
    """When the last one was; each record is what the dataset had at some moment in between."""
    records: int
    size: int
    """Bytes of all objects together."""
    root: str
    """Equal for equal records: keys, versions, sizes, types and dimensions."""
    parts: int
    """Documents that list its pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """The one document of a map that every commit to its frozen pieces writes; and the snapshot under way, if any."""

    id: str
    """The map."""
    map: str
    storage: int
    turn: int = 0
    """Counts the commits."""
    snapshot: int = 0
    """The one under way; 0: none."""
    title: str = ""
    begun_at: float = 0.0
    touched: float = 0.0
    after: bytes = b""
    """The key up to which all is frozen."""
    parts: int = 0
    records: int = 0
    size: int = 0
    root: str = ""


class Piece(NamedTuple):
    """A range of a snapshot's records: its first key, what names its content, and how many they are."""

    first: str
    fingerprint: str
    records: int


class Frozen(NamedTuple):
    """The records of a piece."""

    piece: Piece
    entries: Sequence[Entry]
    size: int
    """Bytes of their objects together."""

    @property
    def last(self) -> str:
        """Its last key."""
        return self.entries[-1].key


def title_of(value: Any) -> str:
    """The title that a request gives. Raises `InvalidInputError`."""
    try:
        return text(value, MAX_TITLE).strip()
    except ValueError as error:
        raise InvalidInputError.of("title", str(error)) from None


def frozen(entry: Entry) -> Entry:
    """What a snapshot keeps of a record. Not when it was modified: that may change and the content not."""
    return Entry(
        entry.key,
        entry.version,
        entry.size,
        content_type=entry.content_type,
        width=entry.width or None,
        height=entry.height or None,
    )


def same(one: Entry, other: Entry) -> bool:
    """Whether two records of a key are equal, as fingerprints see them."""
    return _content(one) == _content(other)


def _content(entry: Entry) -> list[object]:
    return [entry.key, entry.version, entry.size, entry.content_type, entry.width or None, entry.height or None]


def fingerprint(entries: Iterable[Entry]) -> str:
    """Names records by what they are, however they are stored; they are in the order of their keys."""
    digest = hashlib.blake2b(digest_size=20)
    for entry in entries:
        digest.update(orjson.dumps(_content(entry), option=orjson.OPT_APPEND_NEWLINE))
    return digest.hexdigest()


def root_of(before: str, piece: Piece) -> str:
    """The root of a snapshot that goes on with a piece; that of nothing is `EMPTY_ROOT`."""
    return hashlib.blake2b(f"{before}\n{piece.fingerprint}".encode(), digest_size=32).hexdigest()


def is_end(key: str) -> bool:
    """Whether a piece ends with this key."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest()) % MEAN == 0


class Cutter:
    """Cuts records into pieces. Holds the records of one piece."""

    def __init__(self, sort_key: Callable[[str], bytes]) -> None:
        self._sort_key = sort_key
        self._waiting: list[Entry] = []
        self._keys = 0

    def add(self, entries: Iterable[Entry]) -> Iterator[Frozen]:
        """The pieces that end among these records; all of them lie behind those before, in any order."""
        for entry in sorted(entries, key=lambda it: self._sort_key(it.key)):
            self._waiting.append(frozen(entry))
            self._keys += len(entry.key.encode())
            if is_end(entry.key) or len(self._waiting) >= MAX_RECORDS or self._keys >= MAX_BYTES:
                yield self._cut()

    @property
    def is_empty(self) -> bool:
        """Whether all records are in pieces."""
        return not self._waiting

    def rest(self) -> Iterator[Frozen]:
        """The last piece, if there is one."""
        if self._waiting:
            yield self._cut()

    def _cut(self) -> Frozen:
        entries, self._waiting, self._keys = self._waiting, [], 0
        piece = Piece(entries[0].key, fingerprint(entries), len(entries))
        return Frozen(piece, entries, sum(entry.size for entry in entries))


def pack(entries: Sequence[Entry]) -> bytes:
    """The blob of a piece."""
    return ledgers.encode({entry.key: entry for entry in entries})


def unpack(blob: bytes) -> list[Entry]:
    """The records of a piece's blob, in order."""
    return list(ledgers.decode(blob).values())


def pack_pieces(pieces: Sequence[Piece]) -> bytes:
    """A part of a snapshot's list of pieces."""
    return zlib.compress(orjson.dumps([list(piece) for piece in pieces]), 1)


def unpack_pieces(blob: bytes) -> list[Piece]:
    """The pieces of a part."""
    return [Piece(*piece) for piece in orjson.loads(zlib.decompress(blob))]
