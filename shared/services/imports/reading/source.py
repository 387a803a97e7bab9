"""Where bytes come from: an object held in memory, or one read in blocks, and the window that readers move over it."""

import re
from typing import Protocol

from shared.errors import StoreUnavailableError
from shared.model.rows import Checkpoint
from shared.ports import ObjectStore

BLOCK = 1024 * 1024
_PEEK = 64 * 1024
_SPACE = re.compile(rb"[ \t\r\n]*+")


class ByteSource(Protocol):
    """One pinned version of one object."""

    @property
    def key(self) -> str:
        """The object's key; its extension is looked at."""

    @property
    def size(self) -> int:
        """Of this version, in bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes (never more than `BLOCK` is asked for); may be fewer, none only behind the end."""


def nothing_more(row: int, source: ByteSource) -> Checkpoint:
    """The checkpoint behind a row after which there is nothing: beyond the end, where an open array may yet fail."""
    return Checkpoint(row + 1, source.size + 1)


def read_span(source: ByteSource, offset: int, stop: int) -> bytes:
    """The bytes from `offset` up to `stop`, by blocks; fewer only at the source's end."""
    parts = []
    while offset < stop and (part := source.read(offset, min(stop - offset, BLOCK))):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


class WholeBytes:
    """An object in memory: the fast path for small ones."""

    __slots__ = ("body", "key", "size")

    def __init__(self, key: str, body: bytes) -> None:
        self.key = key
        self.body = body
        self.size = len(body)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the body."""
        return self.body[offset : offset + length]


class RangedSource:
    """An object in a store, fetched in blocks of at most `BLOCK`, of which only the last is remembered.

    Reading on where the last block ended fetches a whole block; a jump fetches what is asked for, 64 KiB at least.
    """

    def __init__(self, store: ObjectStore, key: str, version: str, size: int) -> None:
        self.key = key
        self.size = size
        self._store = store
        self._version = version
        self._base = 0
        self._block = b""

    def read(self, offset: int, length: int) -> bytes:
        """What the remembered block has of it, or a new one."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        skip = offset - self._base
        if not 0 <= skip < len(self._block):
            ahead = BLOCK if skip == len(self._block) else _PEEK
            self._block = b""  # Not two blocks at once.
            self._block = self.fetch(offset, min(max(length, ahead), self.size - offset))
            self._base, skip = offset, 0
            if not self._block:
                # A row can't tell the end of its file from a lost one, so it must not look like one.
                raise StoreUnavailableError(f"'{self.key}' ended after {offset} of {self.size} bytes")
        if skip == 0 and length >= len(self._block):
            return self._block
        return self._block[skip : skip + length]

    def fetch(self, offset: int, length: int) -> bytes:
        """Bytes of the store, for every block."""
        return self._store.read(self.key, self._version, offset=offset, length=length)


class Window:
    """The part of a source that a reader looks at: `data`, which begins at byte `base` of the object."""

    __slots__ = ("_source", "base", "data")

    def __init__(self, source: ByteSource, offset: int) -> None:
        self._source = source
        self.base = offset
        self.data = b""

    def slide(self, keep: int) -> bool:
        """Forgets the bytes before index `keep` and appends the next ones. False: at the end, and nothing changed."""
        more = self._source.read(self.base + len(self.data), BLOCK)
        if not more:
            return False
        self.data = self.data[keep:] + more if keep < len(self.data) else more
        self.base += keep
        return True

    def skip_space(self, index: int) -> int:
        """The index of the next byte that is no space, sliding as needed; `len(data)` if there is none."""
        while True:
            found = _SPACE.match(self.data, index)
            index = found.end() if found else index
            if index < len(self.data) or not self.slide(index):
                return index
            index = 0
