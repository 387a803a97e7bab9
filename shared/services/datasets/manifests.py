"""Writes a snapshot out as a file, a piece at a time: JSON lines, or Parquet."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from shared.model.dataset_record import record_id
from shared.model.ledger import Entry
from shared.model.media_types import displayed
from shared.model.snapshot import Snapshot
from shared.ports import ObjectStore
from shared.services.context import Context
from shared.services.datasets import parquet_writing, snapshots

GROUP = 20_000
"""Records of a row group at least, unless it is the last: a Parquet file's end says where each one is."""
COLUMNS: tuple[parquet_writing.Column, ...] = (
    parquet_writing.Column("id", "integer"),
    parquet_writing.Column("key", "text"),
    parquet_writing.Column("uri", "text"),
    parquet_writing.Column("size", "integer"),
    parquet_writing.Column("version", "text"),
    parquet_writing.Column("content_type", "text"),
    parquet_writing.Column("width", "integer", optional=True),
    parquet_writing.Column("height", "integer", optional=True),
)


def lines(ctx: Context, snapshot: Snapshot, store: ObjectStore) -> Iterator[bytes]:
    """A JSON object a line. Holds one piece. Raises `NotFoundError` if the snapshot is deleted meanwhile."""
    names = [column.name for column in COLUMNS]
    for entries in snapshots.read(ctx, snapshot):
        rows = (dict(zip(names, _row(snapshot, store, entry), strict=True)) for entry in entries)
        yield b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def parquet(ctx: Context, snapshot: Snapshot, store: ObjectStore) -> Iterator[bytes]:
    """A Parquet file with the same columns. Holds one row group, and where the others are. Raises the same."""
    file = parquet_writing.File(COLUMNS)
    yield file.start()
    rows: list[Sequence[Any]] = []
    for entries in snapshots.read(ctx, snapshot):
        rows += [_row(snapshot, store, entry) for entry in entries]
        if len(rows) >= GROUP:
            yield file.group(rows)
            rows = []
    if rows:
        yield file.group(rows)
    yield file.end()


def _row(snapshot: Snapshot, store: ObjectStore, entry: Entry) -> Sequence[Any]:
    kind = displayed(entry.key, entry.content_type)
    number, uri = record_id(snapshot.map, entry.key), store.uri(entry.key)
    return number, entry.key, uri, entry.size, entry.version, kind, entry.width or None, entry.height or None
