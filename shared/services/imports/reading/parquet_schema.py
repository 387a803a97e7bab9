"""The columns of a Parquet file by its footer: no row is read, and no library is needed."""

from collections.abc import Iterator
from typing import NamedTuple

from shared.model.row_columns import MAX_COLUMNS, MAX_LEVELS, Column, ColumnType
from shared.services.imports.reading.parquet_footer import items, number, skip, struct, text_at
from shared.services.imports.reading.source import BLOCK, ByteSource, read_span

_MARK = b"PAR1"
_SCHEMA, _ROWS = 2, 3
"""Fields of the footer; both stand before the row groups, which may be large."""
_PHYSICAL: dict[int, ColumnType] = {
    0: "boolean",
    1: "integer",
    2: "integer",
    3: "timestamp",
    4: "number",
    5: "number",
    6: "string",
    7: "string",
}
_CONVERTED: dict[int, ColumnType] = {
    1: "object",
    2: "object",
    3: "list",
    5: "string",
    6: "timestamp",
    7: "string",
    8: "string",
    9: "timestamp",
    10: "timestamp",
}
_LOGICAL: dict[int, ColumnType] = {
    2: "object",
    3: "list",
    5: "string",
    6: "timestamp",
    7: "string",
    8: "timestamp",
    11: "null",
    15: "number",
}
"""Types as the rows show them: decimals and times of day as texts, dates as times."""
_REPEATED = 2


class Schema(NamedTuple):
    """What a footer says. `complete`: it has no more columns than these."""

    columns: list[Column]
    rows: int
    complete: bool


def read_schema(source: ByteSource) -> Schema | None:
    """The columns of a Parquet file and the number of its rows; None if it is none, or too damaged to tell.

    Reads the file's two ends, of the footer at most a block. A `StoreError` of the source passes through.
    """
    if source.size < 12 or read_span(source, 0, 4) != _MARK:
        return None
    tail = read_span(source, source.size - 8, source.size)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MARK or length > source.size - 12:
        return None
    begin = source.size - 8 - length
    try:
        return _schema(read_span(source, begin, begin + min(length, BLOCK)))
    except (LookupError, ValueError, RecursionError, StopIteration):
        return None


def _schema(body: bytes) -> Schema | None:
    at = name = 0
    places: dict[int, tuple[int, int, int]] = {}
    while not {_SCHEMA, _ROWS} <= places.keys():
        head = body[at]
        if not head >> 4 or not head:
            return None  # no writer spells these fields the long way
        kind, name, at = head & 15, name + (head >> 4), at + 1
        end = skip(body, at, kind)
        places[name] = (kind, at, end)
        at = end
    elements = _elements(body, places[_SCHEMA][1])
    columns: list[Column] = []
    root = next(elements)
    for _ in range(root.children):
        _walk(elements, "", 1, columns)
    rows = number(body, places[_ROWS])
    return None if rows < 0 else Schema(columns[:MAX_COLUMNS], rows, len(columns) <= MAX_COLUMNS)


class _Element(NamedTuple):
    name: str
    type: ColumnType
    children: int
    plain: bool
    """A group of fields, which is no list or map."""


def _elements(body: bytes, at: int) -> Iterator[_Element]:
    for start, _ in items(body, at):
        fields, _ = struct(body, start)
        children = number(body, fields[5]) if 5 in fields else 0
        kind: ColumnType = "object" if children else _PHYSICAL[number(body, fields[1])] if 1 in fields else "object"
        plain = bool(children) and 6 not in fields and 10 not in fields
        if 6 in fields:
            kind = _CONVERTED.get(number(body, fields[6]), kind)
        if 10 in fields:
            for logical in struct(body, fields[10][1])[0]:
                kind = _LOGICAL.get(logical, kind)
        if 3 in fields and number(body, fields[3]) == _REPEATED:
            kind, plain = "list", False
        yield _Element(text_at(body, fields[4]), kind, children, plain)


def _walk(elements: Iterator[_Element], before: str, level: int, found: list[Column] | None) -> None:
    """One element with all below it. `found` takes its columns, None where they are no columns of their own."""
    one = next(elements)
    if found is not None:
        found.append(Column(before + one.name, one.type, None))
    inner = found if one.plain and level < MAX_LEVELS else None
    for _ in range(one.children):
        _walk(elements, f"{before}{one.name}.", level + 1, inner)
