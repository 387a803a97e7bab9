"""The decoding of Parquet, for a process of its own: what reads the file may end the process that it runs in."""

import io
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, cast
from uuid import UUID

import arro3.core as arrow
import orjson
from arro3.io import read_parquet as open_parquet

from shared.model.rows import BadRow, Checkpoint, TaskRow, bad_row, build_row
from shared.services.imports.reading.parquet_footer import Footer, Group, page
from shared.services.imports.reading.source import BLOCK, ByteSource, nothing_more, read_span

_BATCH_ROWS = 256
_BATCH_BYTES = 4 * BLOCK
_BUFFERS = 32 * BLOCK
"""For all columns together: each is read through a buffer of its own."""
_MAX_FOOTER = 64 * BLOCK
_JSON_COLUMNS = ("data", "predictions", "annotations", "meta")
_WRAPPED = re.compile(
    r"^called `Result::unwrap\(\)` on an `Err` value: |^C Data interface error: |Parquet argument error: "
)


def decode(source: ByteSource, start: Checkpoint, max_row_bytes: int) -> Iterator[list[TaskRow | BadRow]]:
    """The rows of a file by small batches; see `read_parquet`."""
    row, index = start.row, None
    try:
        for batch, checkpoint in _read_groups(source, start):
            rows: list[TaskRow | BadRow] = []
            for values in batch:
                index = row
                after = Checkpoint(row + 1, checkpoint(row + 1))
                if isinstance(values, str):
                    rows.append(bad_row(row, values, after))
                else:
                    rows.append(_row(values, row, after, max_row_bytes))
                row += 1
            yield rows
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001  # A panic of the library is no Exception.
        index = None if index is None and not start.row else row
        reason = _WRAPPED.sub("", str(error).strip() or type(error).__name__).splitlines()[0]
        end = nothing_more(row, source)
        yield [bad_row(index, f"the Parquet file can't be read: {reason}", end, fatal=True)]


_Batch = tuple[list[dict[str, Any] | str], Callable[[int], int]]


def _read_groups(source: ByteSource, start: Checkpoint) -> Iterator[_Batch]:
    """The rows as dicts, or what is wrong with them, and what tells the offset of the checkpoint behind a row."""
    body, begin = _read_footer(source)
    try:
        footer = Footer(body)
    except (LookupError, RecursionError):
        raise ValueError("its footer is damaged") from None
    row = sum(group.rows for group in footer.groups[: start.offset])
    for place, group in enumerate(footer.groups[start.offset :], start.offset):
        stop = row + group.rows

        def offset(after: int, place: int = place, stop: int = stop) -> int:
            return place + 1 if after == stop else place

        for batch in _batches(source, footer, begin, group):
            skip = min(max(0, start.row - row), batch.num_rows)
            row += batch.num_rows
            if row > stop:
                break
            if skip < batch.num_rows:
                yield _to_dicts(batch.slice(skip), footer.uuids), offset
        if row != stop:
            raise ValueError(f"row group {place} holds {row - stop + group.rows} rows instead of {group.rows}")


def _batches(source: ByteSource, footer: Footer, begin: int, group: Group) -> Iterator[Any]:
    """The batches of a row group. From the first text that is not UTF-8 on, texts are read as binary, unchecked."""
    if not group.rows:
        return
    size = max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(1, group.size // group.rows)))
    given = 0
    try:
        file = _File(source, begin, footer.only(group, as_bytes=False), footer.columns)
        for batch in open_parquet(cast(Any, file), batch_size=size):
            yield batch
            given += batch.num_rows
        return
    except Exception as error:
        if "utf-8" not in str(error).lower():
            raise
    file = _File(source, begin, footer.only(group, as_bytes=True), footer.columns)
    for batch in open_parquet(cast(Any, file), batch_size=size):
        passed = min(given, batch.num_rows)
        given -= passed
        if passed < batch.num_rows:
            yield batch.slice(passed)


def _read_footer(source: ByteSource) -> tuple[bytes, int]:
    """The footer, which is read whole and so must not be too large, and where it begins."""
    tail = read_span(source, max(0, source.size - 8), source.size)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or length > source.size - 12:
        raise ValueError("its end is missing or damaged")
    if length > _MAX_FOOTER:
        raise ValueError(f"its footer has {length} bytes; the limit is {_MAX_FOOTER}")
    begin = source.size - 8 - length
    return read_span(source, begin, begin + length), begin


def _to_dicts(batch: Any, uuids: set[str]) -> list[dict[str, Any] | str]:
    """The rows of a batch; if one of them has no Python form, only that one is an error text."""
    try:
        names = batch.column_names
        columns = [_values(batch.column(place), name in uuids) for place, name in enumerate(names)]
        if not columns:
            return [{} for _ in range(batch.num_rows)]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001  # As above.
        if batch.num_rows == 1:
            return [f"a value can't be read: {error}"]
        return [row for index in range(batch.num_rows) for row in _to_dicts(batch.slice(index, 1), uuids)]


def _values(array: Any, uuid: bool) -> list[Any]:
    values: list[Any] = array.to_pylist()
    if uuid and arrow.DataType.is_fixed_size_binary(array.type):
        return [value and UUID(bytes=value) for value in values]
    _check(array, array.type, values)
    shape = _shape(array.type)
    return [shape(value) for value in values] if shape else values


def _check(array: Any, kind: Any, values: list[Any] | None = None) -> None:
    """Raises if a date or time beyond what Python knows would silently become null, at any depth but inside a map."""
    of = arrow.DataType
    if of.is_temporal(kind):
        if (array.to_pylist() if values is None else values).count(None) != array.null_count:
            raise ValueError("a date or time out of range")
    elif of.is_struct(kind):
        for place, field in enumerate(kind.fields):
            if _has_times(field.type):
                _check(arrow.struct_field(array, place), field.type)
    elif (of.is_list(kind) or of.is_large_list(kind)) and _has_times(kind.value_type):
        _check(arrow.list_flatten(array), kind.value_type)


def _has_times(kind: Any) -> bool:
    of = arrow.DataType
    if of.is_struct(kind):
        return any(_has_times(field.type) for field in kind.fields)
    if of.is_list(kind) or of.is_large_list(kind):
        return _has_times(kind.value_type)
    return bool(of.is_temporal(kind))


def _shape(kind: Any) -> Callable[[Any], Any] | None:
    """What makes the maps in values of a type objects; None if there are no maps."""
    of = arrow.DataType
    if of.is_map(kind):
        return _map
    if of.is_struct(kind):
        inner = {field.name: shape for field in kind.fields if (shape := _shape(field.type))}
        if inner:
            return lambda value: value and {n: inner[n](v) if n in inner else v for n, v in value.items()}
    elif of.is_list(kind) or of.is_large_list(kind) or of.is_fixed_size_list(kind):
        each = _shape(kind.value_type)
        if each:
            return lambda value: value and [each(item) for item in value]
    return None


def _map(value: Any) -> Any:
    """Of a map the type of its values can't be asked: an empty map as a value of a map stays an empty list."""
    if value is None:
        return None
    return {key.decode() if isinstance(key, bytes) else key: _loose(item) for key, item in value}


def _loose(value: Any) -> Any:
    if isinstance(value, list):
        if value and isinstance(value[0], tuple):
            return _map(value)
        return [_loose(item) for item in value]
    if isinstance(value, dict):
        return {key: _loose(item) for key, item in value.items()}
    return value


def _row(values: dict[str, Any], index: int, after: Checkpoint, max_row_bytes: int) -> TaskRow | BadRow:
    for name in _JSON_COLUMNS:
        text = values.get(name)
        if not text or not isinstance(text, str | bytes):
            continue
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            if name != "data":
                return bad_row(index, f"column '{name}' holds no JSON: {error.msg}", after)
            continue
        if name != "data" or isinstance(value, dict):
            values[name] = value
    return build_row(values, index, after, max_row_bytes)


class _File(io.RawIOBase):
    """A source as the file that the library reads, with another footer. Columns are read through buffers of their own.

    The library does not verify the checksums of pages, so that is done here: it seeks to a page's header, reads from
    there, then seeks to the page and reads all of it.
    """

    def __init__(self, source: ByteSource, begin: int, footer: bytes, columns: int) -> None:
        super().__init__()
        self._source = source
        self._begin = begin
        self._footer = footer
        self._size = begin + len(footer)
        self._ahead = max(64 * 1024, min(BLOCK, _BUFFERS // columns))
        self._most = max(2, _BUFFERS // self._ahead)
        self._buffers: dict[int, bytes] = {}
        self._offset = 0
        self._header = False
        self._page: tuple[int, int, int] | None = None
        self._left = self._sum = self._wanted = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._offset

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves the position."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self._size}[whence]
        if whence == io.SEEK_CUR and not offset:
            return self._offset
        self._offset = max(0, origin + offset)
        self._left = 0
        self._header = True
        if self._page and self._page[0] == self._offset:
            _, self._left, self._wanted = self._page
            self._header, self._sum = False, 0
        self._page = None
        return self._offset

    def read(self, size: int | None = -1) -> bytes:
        """At most `size` bytes, none only at the end."""
        wanted = self._size - self._offset
        wanted = wanted if size is None or size < 0 else min(size, wanted)
        if wanted <= 0:
            return b""
        if self._offset >= self._begin:
            place = self._offset - self._begin
            part = self._footer[place : place + wanted]
        else:
            part = self._near(self._offset, wanted)
            self._verify(part)
        self._offset += len(part)
        return part

    def _near(self, offset: int, length: int) -> bytes:
        for start, data in self._buffers.items():
            if start <= offset < start + len(data):
                return data[offset - start : offset - start + length]
        for start, data in self._buffers.items():
            if start + len(data) == offset:
                del self._buffers[start]
                break
        else:
            if len(self._buffers) >= self._most:
                del self._buffers[next(iter(self._buffers))]
        data = self._source.read(offset, min(self._ahead, self._begin - offset))
        if not data:
            raise ValueError("it ended early")
        self._buffers[offset] = data
        return data[:length]

    def _verify(self, part: bytes) -> None:
        if self._header:
            self._header = False
            try:
                own, length, checksum = page(part)
            except (LookupError, ValueError, RecursionError):
                return
            if checksum is not None:
                self._page = (self._offset + own, length, checksum)
        elif self._left > 0:
            part = part[: self._left]
            self._sum = zlib.crc32(part, self._sum)
            self._left -= len(part)
            if not self._left and self._sum != self._wanted:
                raise ValueError("a page's checksum is wrong")
