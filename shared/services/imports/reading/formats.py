"""Tells the formats apart, and reads the one kind of file that is one row."""

import codecs
import re
from collections.abc import Iterator
from typing import Any

import orjson

from shared.model.rows import (
    BadRow,
    Checkpoint,
    TaskRow,
    bad_row,
    build_row,
    extension,
    readable_extension,
    too_large,
)
from shared.services.imports.reading.array import read_array
from shared.services.imports.reading.jsonl import read_lines, split_lines
from shared.services.imports.reading.source import BLOCK, ByteSource, WholeBytes, Window, nothing_more
from shared.services.imports.reading.values import LongIntegerError, explain, parse

_START = Checkpoint()
_BOM = b"\xef\xbb\xbf"
_PARQUET = b"PAR1"
_HEAD = 64
_SPACE = b" \t\r\n"
HINT = "to make one task per object turn on 'use_blob_urls'"


def read_rows(
    source: ByteSource, *, start: Checkpoint = _START, max_row_bytes: int, patience: float | None = None
) -> Iterator[TaskRow | BadRow]:
    """The rows of an object, lazily, from `start`: the `after` of the last row that was dealt with.

    Nothing the bytes hold raises; a `StoreError` of the source passes through, and then the rows can be taken up again
    at the last checkpoint. Holds no more than about `max_row_bytes` and two blocks at once. A JSON text is measured
    before it is parsed, so spacing counts against `max_row_bytes`. `patience`: seconds after which the process
    that decodes Parquet is ended and `TimeoutError` raised.
    """
    if start.offset > source.size:
        return
    end = nothing_more(start.row, source)
    if not readable_extension(source.key):
        named = f"files named .{extension(source.key)[:20]} hold no tasks (.json, .jsonl and .parquet do)"
        yield bad_row(None, f"{named}; {HINT}", end, fatal=True)
        return
    if isinstance(source, WholeBytes) and source.body.startswith(b"{") and source.size <= max_row_bytes:
        try:
            value = parse(source.body)
        except ValueError:
            pass  # JSONL or broken: told below.
        else:
            yield build_row(value, None, end, max_row_bytes)
            return
    window = Window(source, 0)
    while len(window.data) < len(_PARQUET) and window.slide(0):
        pass
    if window.data.startswith(_PARQUET):
        from shared.services.imports.reading.parquet import read_parquet  # Most never need it.

        yield from read_parquet(source, start, max_row_bytes, patience)
        return
    mark = len(_BOM) if window.data.startswith(_BOM) else 0
    index = window.skip_space(mark)
    begin = window.base + index
    while len(window.data) < index + _HEAD and window.slide(0):
        pass
    head = window.data[index : index + _HEAD]
    del window
    if head:
        yield from _read_json(source, mark, begin, head, start, max_row_bytes)
    else:
        yield bad_row(None, "the file is empty", end, fatal=True)


def _read_json(
    source: ByteSource, mark: int, begin: int, head: bytes, start: Checkpoint, limit: int
) -> Iterator[TaskRow | BadRow]:
    """The rows of a text: from byte `mark` on nothing but space, then `head` at byte `begin`."""
    end = nothing_more(start.row, source)
    named = extension(source.key) in {"jsonl", "ndjson"}
    first, second = _first_lines(source, begin, limit)
    if head.startswith(b"["):
        # In a file named .jsonl, a whole array on the first of several lines is but a bad line.
        if named and second is not None and isinstance(_value(first), list):
            yield from read_lines(source, mark, start, limit)
        else:
            yield from read_array(source, begin + 1, start, limit)
        return
    body = _read_all(source, begin) if source.size - begin <= limit else None
    reason = ""
    if body is not None:
        try:
            value = parse(body)
        except LongIntegerError as error:
            yield bad_row(None, str(error), end)
            return
        except ValueError as error:
            reason = explain(error, body)
        else:
            if isinstance(value, dict):
                yield build_row(value, None, end, limit)
                return
    if _is_jsonl(first, second, head, named=named):
        yield from read_lines(source, mark, start, limit)
    elif not head.startswith(b"{"):
        yield bad_row(None, _foreign(head), end, fatal=True)
    elif body is not None:
        yield bad_row(None, reason, end, fatal=True)
    elif isinstance(_value(first), dict):  # And behind it more space than would fit.
        yield next(read_lines(source, mark, start, limit))._replace(index=None, after=end)
    else:
        yield too_large(None, source.size - begin, limit, end)


def _is_jsonl(first: bytes, second: bytes | None, head: bytes, *, named: bool) -> bool:
    """Whether a text that is not one object is JSONL, going by its first two lines."""
    if isinstance(_value(first), dict):
        return second is not None
    second_is_row = isinstance(_value(second), dict)
    if named:
        return second_is_row or _is_text(head)
    # A line that ends so is continued by the next: an object that is printed over lines, and broken or too large.
    return second_is_row and not first.rstrip(_SPACE).endswith((b":", b",", b"[", b"{"))


def _first_lines(source: ByteSource, begin: int, limit: int) -> tuple[bytes, bytes | None]:
    """The first two lines that are not empty; b"" stands for one beyond the limit, None for one that is not there.

    A second line is not looked for where the first has no end in sight: that would be reading a big file twice.
    """
    first, end = _line(source, begin, limit)
    if end < 0:
        return first, None
    window = Window(source, end)
    index = window.skip_space(0)
    if index == len(window.data):
        return first, None
    return first, _line(source, window.base + index, limit)[0]


def _line(source: ByteSource, begin: int, limit: int) -> tuple[bytes, int]:
    """A line, b"" if it is beyond the limit, and the byte behind it, -1 if it runs on for a block more."""
    near = _Part(source, begin + limit + BLOCK)
    raw, _, end = next(split_lines(Window(near, begin), limit))
    return raw or b"", end if end < near.size or near.size == source.size else -1


class _Part:
    """A source up to a byte."""

    def __init__(self, source: ByteSource, stop: int) -> None:
        self.key = source.key
        self.size = min(source.size, stop)
        self._source = source

    def read(self, offset: int, length: int) -> bytes:
        """Bytes before the stop."""
        length = min(length, self.size - offset)
        return self._source.read(offset, length) if length > 0 else b""


def _read_all(source: ByteSource, begin: int) -> bytes:
    parts = []
    while part := source.read(begin, BLOCK):
        parts.append(part)
        begin += len(part)
    return b"".join(parts)


def _value(raw: bytes | None) -> Any:
    try:
        return None if raw is None else orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _is_text(head: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # A character may be cut at the end.
    except UnicodeDecodeError:
        return False
    return all(char >= " " or char in "\t\r\n" for char in text)


def _foreign(head: bytes) -> str:
    """What to say of a file that is something else."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "the file is UTF-16; only UTF-8 is read"
    length = 20 if head[:4].isascii() and head[:4].decode().isprintable() else 4
    runs = re.findall(rb"[ -~]+|[^ -~]", head[:length])
    begins = " ".join(f"'{run.decode()}'" if b" " <= run <= b"~~" else f"0x{run[0]:02x}" for run in runs)
    return f"the file is no JSON, JSONL or Parquet (it starts with {begins}); {HINT}"
