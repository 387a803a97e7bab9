"""Parquet: a task a row, read a row group and a small batch at a time."""

import io
from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from shared.errors import StoreError
from shared.model.rows import BadRow, Checkpoint, TaskRow, bad_row, build_row
from shared.services.reading.source import BLOCK, ByteSource, nothing_more

_BATCH_ROWS = 256
_BATCH_BYTES = 4 * BLOCK
_BUFFERS = 32 * BLOCK
"""For all columns together: each is read through a buffer of its own."""
_MAX_FOOTER = 64 * BLOCK
_JSON_COLUMNS = ("data", "predictions", "annotations", "meta")


def read_parquet(source: ByteSource, start: Checkpoint, max_row_bytes: int) -> Iterator[TaskRow | BadRow]:
    """The rows of a Parquet file, a column a key.

    The columns "data", "predictions", "annotations" and "meta" may hold JSON as text. Nanoseconds are cut to
    microseconds, maps become objects; for the other types see `build_row`. A resume reads the row group that the
    checkpoint lies in again, and passes over the rows that were consumed. Anything wrong with the file is fatal.
    Memory is bounded as long as single cells and pages are: pages are unpacked whole, as pyarrow does.
    """
    file = _File(source)
    row, index = start.row, None
    try:
        for values, after in _read_groups(file, start):
            index = row
            if isinstance(values, str):
                yield bad_row(row, values, after)
            else:
                yield _row(values, row, after, max_row_bytes)
            row += 1
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001  # Whatever pyarrow makes of broken bytes, it is the file's failure.
        if file.failure:
            raise file.failure from None
        end = nothing_more(row, source)
        index = None if index is None and not start.row else row
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        yield bad_row(index, f"the Parquet file can't be read: {reason}", end, fatal=True)


def _read_groups(file: "_File", start: Checkpoint) -> Iterator[tuple[dict[str, Any] | str, Checkpoint]]:
    """Each row as a dict, or what is wrong with it, and the checkpoint behind it."""
    file.check_footer()
    metadata = pq.read_metadata(file)
    buffer = max(64 * 1024, min(BLOCK, _BUFFERS // max(1, metadata.num_columns)))
    reader = pq.ParquetFile(
        file, metadata=metadata, buffer_size=buffer, pre_buffer=False, page_checksum_verification=True
    )
    row = sum(metadata.row_group(group).num_rows for group in range(min(start.offset, metadata.num_row_groups)))
    for group in range(start.offset, metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        each = max(1, metadata.row_group(group).total_byte_size // max(1, rows))
        size = max(1, min(_BATCH_ROWS, _BATCH_BYTES // each))
        stop = row + rows
        for batch in reader.iter_batches(batch_size=size, row_groups=[group], use_threads=False):
            skip = min(max(0, start.row - row), batch.num_rows)
            row += skip
            for values in _to_dicts(batch.slice(skip)):
                row += 1
                yield values, Checkpoint(row, group + 1 if row == stop else group)
        if row != stop:
            raise ValueError(f"row group {group} holds {row - stop + rows} rows instead of {rows}")


def _to_dicts(batch: Any) -> list[dict[str, Any] | str]:
    """The rows of a batch; if one of them has no Python form, only that one is an error text."""
    try:
        schema = pa.schema([field.with_type(_in_microseconds(field.type)) for field in batch.schema])
        if schema != batch.schema:
            batch = batch.cast(schema, safe=False)
        rows: list[dict[str, Any] | str] = batch.to_pylist(maps_as_pydicts="lossy")
    except (ValueError, OverflowError, LookupError, TypeError, NotImplementedError) as error:
        if batch.num_rows == 1:
            return [f"a value can't be read: {error}"]
        return [row for index in range(batch.num_rows) for row in _to_dicts(batch.slice(index, 1))]
    return rows


def _in_microseconds(kind: Any) -> Any:
    """The type with nanoseconds, for which Python has none, cut to microseconds at any depth."""
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    if pa.types.is_time64(kind) and kind.unit == "ns":
        return pa.time64("us")
    if pa.types.is_duration(kind) and kind.unit == "ns":
        return pa.duration("us")
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_in_microseconds(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_in_microseconds(kind.value_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_in_microseconds(kind.value_type)))
    return kind


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
    """A source as the file that pyarrow reads. It keeps the source's failure, which pyarrow may wrap or lose."""

    def __init__(self, source: ByteSource) -> None:
        super().__init__()
        self.failure: StoreError | None = None
        self._source = source
        self._offset = 0

    def check_footer(self) -> None:
        """Refuses a footer that would not fit; it is read whole."""
        self.seek(-8, io.SEEK_END)
        tail = self.read(8)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or length > self._source.size - 12:
            raise ValueError("its end is missing or damaged")
        if length > _MAX_FOOTER:
            raise ValueError(f"its footer has {length} bytes; the limit is {_MAX_FOOTER}")

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
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self._source.size}[whence]
        self._offset = max(0, origin + offset)
        return self._offset

    def read(self, size: int | None = -1) -> bytes:
        """Exactly `size` bytes, fewer only at the end, asked of the source by blocks."""
        left = self._source.size - self._offset
        left = left if size is None or size < 0 else min(size, left)
        parts = []
        while left > 0:
            try:
                part = self._source.read(self._offset, min(left, BLOCK))
            except StoreError as error:
                self.failure = error
                raise
            if not part:
                break
            parts.append(part)
            self._offset += len(part)
            left -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
