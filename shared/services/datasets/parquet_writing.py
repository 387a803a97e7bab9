"""Writes Parquet in parts that are asked for: each row group is given away as soon as it is there.

The library for Parquet writes whole files, into something that it waits for.

Flat columns of texts and 64-bit integers; a page a column and row group, plain, packed with gzip.
https://parquet.apache.org/docs/file-format/
"""

import zlib
from collections.abc import Sequence
from itertools import compress
from typing import Any, Literal, NamedTuple

MAGIC = b"PAR1"
_INT64, _BYTE_ARRAY = 2, 6
_PLAIN, _RLE = 0, 3
_GZIP = 2
_UTF8 = 0
_DATA_PAGE = 0
_GZIP_HEADER = 16 + zlib.MAX_WBITS


class Column(NamedTuple):
    """A column; of one that is optional, values may be None."""

    name: str
    kind: Literal["text", "integer"]
    optional: bool = False

    @property
    def physical(self) -> int:
        """The format's number of its type."""
        return _BYTE_ARRAY if self.kind == "text" else _INT64


class File:
    """A file that is being written: its parts, in order, are what the methods return."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._size = 0
        self._rows = 0
        self._groups: list[bytes] = []

    def start(self) -> bytes:
        """The first bytes."""
        self._size = len(MAGIC)
        return MAGIC

    def group(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """A row group."""
        body = bytearray()
        chunks: list[bytes] = []
        total = 0
        for column, values in zip(self._columns, zip(*rows, strict=True), strict=True):
            offset = self._size + len(body)
            plain = _page(column, values)
            packed = _packed(plain)
            header = _struct(
                (1, _i32(_DATA_PAGE)),
                (2, _i32(len(plain))),
                (3, _i32(len(packed))),
                (5, _nested((1, _i32(len(values))), (2, _i32(_PLAIN)), (3, _i32(_RLE)), (4, _i32(_RLE)))),
            )
            body += header + packed
            unpacked, size = len(header) + len(plain), len(header) + len(packed)
            total += unpacked
            about = _nested(
                (1, _i32(column.physical)),
                (2, _list(_I32, [_varint(_zigzag(_PLAIN)), _varint(_zigzag(_RLE))])),
                (3, _list(_BINARY, [_sized(column.name.encode())])),
                (4, _i32(_GZIP)),
                (5, _i64(len(values))),
                (6, _i64(unpacked)),
                (7, _i64(size)),
                (9, _i64(offset)),
            )
            chunks.append(_struct((2, _i64(offset)), (3, about)))
        self._groups.append(_struct((1, _list(_STRUCT, chunks)), (2, _i64(total)), (3, _i64(len(rows)))))
        self._size += len(body)
        self._rows += len(rows)
        return bytes(body)

    def end(self) -> bytes:
        """The last bytes, which say what the file has."""
        root = _struct((4, _binary(b"schema")), (5, _i32(len(self._columns))))
        footer = _struct(
            (1, _i32(1)),
            (2, _list(_STRUCT, [root, *map(_element, self._columns)])),
            (3, _i64(self._rows)),
            (4, _list(_STRUCT, self._groups)),
            (6, _binary(b"sluice")),
        )
        return footer + len(footer).to_bytes(4, "little") + MAGIC


def _element(column: Column) -> bytes:
    fields = [(1, _i32(column.physical)), (3, _i32(int(column.optional))), (4, _binary(column.name.encode()))]
    return _struct(*fields, *([(6, _i32(_UTF8))] if column.kind == "text" else []))


def _page(column: Column, values: Sequence[Any]) -> bytes:
    levels = b""
    if column.optional:
        there = [value is not None for value in values]
        values = list(compress(values, there))
        levels = _levels(there)
    if column.kind == "integer":
        return levels + b"".join(value.to_bytes(8, "little", signed=True) for value in values)
    texts = [value.encode() for value in values]
    return levels + b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def _levels(there: Sequence[bool]) -> bytes:
    """Which values are there: a bit each, the lowest first, as one run of groups of eight."""
    groups = -(-len(there) // 8)
    bits = int("".join("1" if it else "0" for it in reversed(there)) or "0", 2).to_bytes(groups, "little")
    run = _varint(groups << 1 | 1) + bits
    return len(run).to_bytes(4, "little") + run


def _packed(body: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP_HEADER)
    return packer.compress(body) + packer.flush()


# Thrift's compact protocol.
_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12


class _Value(NamedTuple):
    kind: int
    body: bytes


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _zigzag(number: int) -> int:
    return number << 1


def _i32(number: int) -> _Value:
    return _Value(_I32, _varint(_zigzag(number)))


def _i64(number: int) -> _Value:
    return _Value(_I64, _varint(_zigzag(number)))


def _sized(body: bytes) -> bytes:
    return _varint(len(body)) + body


def _binary(body: bytes) -> _Value:
    return _Value(_BINARY, _sized(body))


def _list(kind: int, items: Sequence[bytes]) -> _Value:
    head = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + _varint(len(items))
    return _Value(_LIST, head + b"".join(items))


def _struct(*fields: tuple[int, _Value]) -> bytes:
    """Fields in the order of their numbers, which grow by 15 at most."""
    out, last = bytearray(), 0
    for number, value in fields:
        out.append(number - last << 4 | value.kind)
        out += value.body
        last = number
    return bytes(out) + b"\0"


def _nested(*fields: tuple[int, _Value]) -> _Value:
    return _Value(_STRUCT, _struct(*fields))
