"""Looks into the files of rows of a dataset: their columns, and their rows, a part at a time.

A file is read as file mode reads it (`imports/reading`), so what is shown is what would become tasks. A request works
for `rows_seconds`, reads `rows_bytes` and shows `rows_answer_bytes` at most; then it says where to go on. All of it is
of the version that the last sync found.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import NamedTuple

import orjson

from shared.errors import InvalidInputError, NotFoundError, ObjectNotFoundError, StoreError, VersionMismatchError
from shared.model.dataset_record import RecordFilter, record_id
from shared.model.ledger import Entry
from shared.model.row_columns import Columns, Sample
from shared.model.row_filter import RowFilter, pick
from shared.model.rows import BadRow, Checkpoint, TaskRow, readable_extension
from shared.model.storage import Storage
from shared.model.task import task_id
from shared.ports import ObjectStore
from shared.services.context import Context
from shared.services.datasets import records
from shared.services.datasets.row_cursor import RowCursor, hash_of
from shared.services.imports.reading import HINT, RangedSource, read_rows
from shared.services.imports.reading.parquet_schema import Schema, read_schema
from shared.services.storages import connecting
from shared.services.storages.connecting import NON_FIELD

SAMPLE_ROWS = 1000
MAX_ERRORS = 20
MAX_PICKED = 100
"""Columns that one request can pick."""
_BEGIN = Checkpoint()


class BadOne(NamedTuple):
    """A row, or the file (`row` None), that can't be read, and why."""

    row: int | None
    line: int | None
    reason: str


class Described(NamedTuple):
    """The columns of a file. `rows`: how many it has, None: not known. `sampled`: rows that were looked at."""

    columns: Columns
    rows: int | None
    sampled: int
    errors: list[BadOne]


class Row(NamedTuple):
    """A row: its number in the file (None: the file is one object), the id that it has as a task, its data as JSON."""

    row: int | None
    id: int
    data: bytes


class RowsPage(NamedTuple):
    """Rows that were found among those looked at, and where to go on; None: there are no more."""

    rows: list[Row]
    looked_at: int
    unreadable: int
    errors: list[BadOne]
    next: str | None


def describe(ctx: Context, storage: Storage, number: int) -> Described:
    """The columns of the file that a record is. Raises `NotFoundError`, `InvalidInputError` if it can't be had."""
    return _File(ctx, storage, _found(ctx, storage, number)).describe()


def page(
    ctx: Context, storage: Storage, number: int, *, where: Sequence[str], columns: str, after: str, size: int
) -> RowsPage:
    """The first `size` wanted rows behind a cursor, in the file's order; fewer if time or bytes are up.

    `columns`: names with commas between; data is then an object of these alone. Raises `NotFoundError`,
    `InvalidInputError` naming what is wrong with the question, or why the file can't be had.
    """
    wanted = RowFilter.of(where)
    picked = list(dict.fromkeys(name.strip() for name in columns.split(",") if name.strip()))
    if len(picked) > MAX_PICKED:
        raise InvalidInputError.of("columns", f"Ensure that there are no more than {MAX_PICKED} columns.")
    cursor = RowCursor.of(after) if after else None
    entry = _found(ctx, storage, number, cursor.key if cursor else "")
    if cursor and (cursor.key, cursor.version) != (entry.key, entry.version):
        raise InvalidInputError.of("after", "The object has changed since that part: begin again, without `after`.")
    asked = hash_of(wanted.tests, picked)
    file = _File(ctx, storage, entry)
    if cursor and cursor.asked == asked:
        wanted = RowFilter(wanted.tests, frozenset(cursor.times))
    elif wanted.tests or picked:
        wanted = _checked(file.describe(), wanted, picked)
    begin = RowCursor(entry.key, entry.version, cursor.place if cursor else _BEGIN, asked, tuple(sorted(wanted.times)))
    return file.page(wanted, picked, begin, size)


def _found(ctx: Context, storage: Storage, number: int, key: str = "") -> Entry:
    """The record; at once where a cursor says its key."""
    gate = ctx.gates.get(storage.id)
    entry = None
    if key and gate is not None and record_id(gate.value.map, key) == number:
        near = records.page(ctx, storage, RecordFilter(prefix=key), after="", size=1).entries
        if not near or near[0].key != key:
            raise NotFoundError(f"No record of dataset storage {storage.id} has the id {number}.")
        entry = near[0]
    entry = entry or records.one(ctx, storage, number)
    if not readable_extension(entry.key):
        raise InvalidInputError.of(
            NON_FIELD, "This record is no file of rows: .json, .jsonl, .ndjson and .parquet are."
        )
    return entry


def _checked(about: Described, wanted: RowFilter, picked: Sequence[str]) -> RowFilter:
    if not about.columns.columns and about.errors:
        return wanted  # the page says why it can't be read
    looked_at = "in the file" if about.columns.complete else f"in the first {about.sampled} rows"
    unknown = [name for name in picked if about.columns.of(name) is None]
    problems = {"columns": [f"{name}: no such column {looked_at}." for name in unknown]} if unknown else {}
    try:
        wanted = wanted.checked(about.columns, looked_at)
    except InvalidInputError as error:
        problems |= error.fields
    if problems:
        raise InvalidInputError(fields=problems)
    return wanted


class _SpentError(Exception):
    """The request has read or waited as much as it may."""


class _Bounded(RangedSource):
    """A source that ends a request which reads too much of it, or for too long."""

    def __init__(self, ctx: Context, store: ObjectStore, entry: Entry) -> None:
        super().__init__(store, entry.key, entry.version, entry.size)
        self.until = ctx.clock() + ctx.settings.rows_seconds
        """When to stop behind a row; a row that takes twice as long is given up."""
        self._late = self.until + ctx.settings.rows_seconds
        self._left = ctx.settings.rows_bytes
        self._ctx = ctx

    @property
    def patience(self) -> float:
        """Seconds until it is given up."""
        return max(0.0, self._late - self._ctx.clock())

    def fetch(self, offset: int, length: int) -> bytes:
        """Bytes of the store. Raises `_SpentError`."""
        if self._left <= 0 or not self.patience:
            raise _SpentError
        part = super().fetch(offset, length)
        self._left -= len(part)
        return part


class _File:
    """One version of one object, as rows."""

    def __init__(self, ctx: Context, storage: Storage, entry: Entry) -> None:
        self._ctx, self._storage, self._entry = ctx, storage, entry
        gate = ctx.gates.get(storage.id)
        self._map = gate.value.map if gate else ""
        try:
            store = ctx.open_store(storage)
        except StoreError as error:
            raise connecting.refusal(ctx, storage, error) from None
        self._source = _Bounded(ctx, store, entry)

    def describe(self) -> Described:
        """Of Parquet as the footer says, of JSON as the first rows do."""
        try:
            schema = read_schema(self._source)
        except _SpentError:
            raise self._stuck(_BEGIN) from None
        except StoreError as error:
            raise self._refusal(error) from None
        if schema is not None and not _wraps(schema):
            return Described(Columns(schema.columns, schema.complete), schema.rows, 0, [])
        sample, errors, size, ended = Sample(), list[BadOne](), 0, False
        rows, broken = 0, False
        with closing(self._rows(_BEGIN)) as found:
            try:
                for row in found:
                    rows = row.after.row
                    if isinstance(row, BadRow):
                        broken = row.fatal
                        _note(errors, row)
                    else:
                        sample.add(orjson.loads(row.data))
                        size += len(row.data)
                    if size >= self._ctx.settings.rows_sample_bytes or rows >= SAMPLE_ROWS:
                        break
                    if self._ctx.clock() >= self._source.until:
                        break
                else:
                    ended = not broken
            except (_SpentError, TimeoutError):
                if not rows:
                    raise self._stuck(_BEGIN) from None
        count = schema.rows if schema else rows if ended else None
        return Described(Columns(sample.columns(), ended and not sample.left_out), count, sample.rows, errors)

    def page(self, wanted: RowFilter, picked: Sequence[str], begin: RowCursor, size: int) -> RowsPage:
        """Wanted rows from a place on."""
        found: list[Row] = []
        errors: list[BadOne] = []
        place, room, looked_at, unreadable = begin.place, self._ctx.settings.rows_answer_bytes, 0, 0
        with closing(self._rows(place)) as rows:
            try:
                for row in rows:
                    if len(found) >= size or room <= 0 or (looked_at and self._ctx.clock() >= self._source.until):
                        return RowsPage(found, looked_at, unreadable, errors, begin._replace(place=place).text())
                    place, looked_at = row.after, looked_at + 1
                    if isinstance(row, BadRow):
                        unreadable += 1
                        _note(errors, row)
                        continue
                    data = row.data
                    if wanted.tests or picked:
                        values = orjson.loads(data)
                        if not wanted.takes(values):
                            continue
                        if picked:
                            data = orjson.dumps({name: pick(values, name) for name in picked})
                    room -= len(data)
                    found.append(Row(row.index, task_id(self._map, self._entry.key, row.index), data))
            except (_SpentError, TimeoutError):
                if place == begin.place:
                    raise self._stuck(place) from None
                return RowsPage(found, looked_at, unreadable, errors, begin._replace(place=place).text())
        return RowsPage(found, looked_at, unreadable, errors, None)

    def _rows(self, start: Checkpoint) -> Generator[TaskRow | BadRow]:
        source, most = self._source, self._ctx.settings.max_row_bytes
        try:
            yield from read_rows(source, start=start, max_row_bytes=most, patience=source.patience)
        except StoreError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: StoreError) -> InvalidInputError:
        if isinstance(error, ObjectNotFoundError | VersionMismatchError):
            return InvalidInputError.of(
                NON_FIELD,
                "The object is not there any more as the last sync found it: sync the dataset, then ask again.",
            )
        return connecting.refusal(self._ctx, self._storage, error)

    def _stuck(self, place: Checkpoint) -> InvalidInputError:
        settings = self._ctx.settings
        return InvalidInputError.of(
            NON_FIELD,
            f"Row {place.row} can't be reached within what one request may read ({settings.rows_bytes} bytes, "
            f"{2 * settings.rows_seconds:g} seconds; of Parquet a row group is read from its beginning): raise "
            "SLUICE_ROWS_BYTES or SLUICE_ROWS_SECONDS.",
        )


def _wraps(schema: Schema) -> bool:
    """Whether a row's data may be what is in its column "data": then only rows tell."""
    return any(column.name == "data" and column.type in ("string", "object") for column in schema.columns)


def _note(errors: list[BadOne], row: BadRow) -> None:
    if len(errors) < MAX_ERRORS:
        errors.append(BadOne(row.index, row.line, row.reason.removesuffix(f"; {HINT}")))
