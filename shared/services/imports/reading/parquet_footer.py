"""A Parquet footer taken apart into bytes, so that a footer of a single row group can be put together again."""

from collections.abc import Iterator
from typing import NamedTuple

_TEXT = {0, 4, 19}
"""Converted types that are read as text: UTF8, ENUM, JSON."""
_LOGICAL_TEXT = {1, 4, 12}
"""Logical types that are read as text: STRING, ENUM, JSON."""
_UUID = 14
_BYTE_ARRAY = 6
_Field = tuple[int, int, int]


class Group(NamedTuple):
    """A row group: where it lies in the footer, its rows, and its bytes when unpacked."""

    start: int
    end: int
    rows: int
    size: int


class Footer:
    """The parts of a file's metadata (Thrift's compact protocol) that are needed here; the rest is passed on as is."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        fields, _ = struct(body, 0)
        self._schema, self._groups = fields[2][1:], fields[4][1:]
        self.uuids = set(self._uuids())
        self.groups = []
        self.columns = 1
        for start, end in items(body, self._groups[0]):
            parts, _ = struct(body, start)
            size, rows = (number(body, parts[name]) for name in (2, 3))
            if rows < 0 or size < 0:
                raise ValueError("its footer is damaged")
            self.columns = max(1, _list(body, parts[1][1])[1])
            self.groups.append(Group(start, end, rows, size))

    def _uuids(self) -> Iterator[str]:
        """The names of UUIDs, at whatever depth: the reader makes them bytes."""
        for start, _ in items(self._body, self._schema[0]):
            fields, _ = struct(self._body, start)
            if 10 in fields and _UUID in struct(self._body, fields[10][1])[0]:
                yield text_at(self._body, fields[4])

    def only(self, group: Group, *, as_bytes: bool) -> bytes:
        """The end of a file that has one row group only. `as_bytes`: with binary for text, which is not checked."""
        body = self._body
        schema = b"".join(self._without_text()) if as_bytes else body[self._schema[0] : self._schema[1]]
        one = b"\x1c" + body[group.start : group.end]
        parts = (body[: self._schema[0]], schema, body[self._schema[1] : self._groups[0]], one, body[self._groups[1] :])
        footer = b"".join(parts)
        return footer + len(footer).to_bytes(4, "little") + b"PAR1"

    def _without_text(self) -> Iterator[bytes]:
        body = self._body
        elements = list(items(body, self._schema[0]))
        yield body[self._schema[0] : elements[0][0]]
        for start, end in elements:
            fields, _ = struct(body, start)
            if 1 not in fields or number(body, fields[1]) != _BYTE_ARRAY:
                yield body[start:end]
                continue
            text = 6 in fields and number(body, fields[6]) in _TEXT
            text = text or (10 in fields and not _LOGICAL_TEXT.isdisjoint(struct(body, fields[10][1])[0]))
            for name, (kind, begin, stop) in fields.items():
                if not text or name not in (6, 10):
                    yield bytes((kind, name << 1)) + body[begin:stop]  # The long form: the field's name in full.
            yield b"\0"


def page(body: bytes) -> tuple[int, int, int | None]:
    """Of a page's header: its own length, the length of the page behind it, and the page's checksum."""
    fields, end = struct(body, 0)
    checksum = number(body, fields[4]) & 0xFFFFFFFF if 4 in fields else None
    return end, number(body, fields[3]), checksum


def text_at(body: bytes, field: _Field) -> str:
    """The text of a field."""
    size, at = _varint(body, field[1])
    return body[at : at + size].decode()


def struct(body: bytes, at: int) -> tuple[dict[int, _Field], int]:
    """The fields of a struct, each as its kind, its first byte and the byte behind it; and the byte behind it all."""
    fields, name = {}, 0
    while head := body[at]:
        at += 1
        kind, delta = head & 15, head >> 4
        if delta:
            name += delta
        else:
            raw, at = _varint(body, at)
            name = raw >> 1 ^ -(raw & 1)
        end = at if kind in (1, 2) else skip(body, at, kind)
        fields[name] = (kind, at, end)
        at = end
    return fields, at + 1


def skip(body: bytes, at: int, kind: int) -> int:
    """The byte behind a value."""
    if kind in (4, 5, 6):
        while body[at] & 128:
            at += 1
        return at + 1
    if kind in (1, 2, 3):
        at += 1
    elif kind == 7:
        at += 8
    elif kind == 8:
        size, at = _varint(body, at)
        at += size
    elif kind in (9, 10):
        of, count, at = _list(body, at)
        for _ in range(count):
            at = skip(body, at, of)
    elif kind == 12:
        at = struct(body, at)[1]
    else:
        raise ValueError("its footer is damaged")
    if at > len(body):
        raise ValueError("its footer is damaged")
    return at


def _list(body: bytes, at: int) -> tuple[int, int, int]:
    """The kind of a list's items, how many there are, and where the first is."""
    head, at = body[at], at + 1
    count = head >> 4
    if count == 15:
        count, at = _varint(body, at)
    return head & 15, count, at


def items(body: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Of a list's items, each one's first byte and the byte behind it."""
    kind, count, at = _list(body, at)
    for _ in range(count):
        end = skip(body, at, kind)
        yield at, end
        at = end


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("its footer is damaged")


def number(body: bytes, field: _Field) -> int:
    """The integer of a field."""
    raw, _ = _varint(body, field[1])
    return raw >> 1 ^ -(raw & 1)
