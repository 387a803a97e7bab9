"""Columns of Parquet files by their footers."""

import io
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.model.row_columns import Columns, Sample
from shared.model.rows import TaskRow
from shared.services.imports.reading import WholeBytes, read_rows
from shared.services.imports.reading.parquet_schema import Schema, read_schema

TABLE = pa.table(
    {
        "text": pa.array(["a", None]),
        "word": pa.array(["a", "b"]).dictionary_encode(),
        "whole": pa.array([1, 2], pa.uint8()),
        "real": pa.array([0.5, 1.5], pa.float32()),
        "half": pa.array([0.5, 1.5], pa.float16()),
        "flag": pa.array([True, False]),
        "at": pa.array([datetime(2024, 1, 2, tzinfo=UTC)] * 2),
        "naive": pa.array([1_700_000_000_000_000_000] * 2, pa.timestamp("ns")),
        "day": pa.array([date(2024, 1, 2)] * 2),
        "hour": pa.array([time(1, 2)] * 2),
        "price": pa.array([Decimal("1.20")] * 2),
        "raw": pa.array([b"a", b"b"]),
        "uuid": pa.array([b"\xff" * 16] * 2, pa.uuid()),
        "nothing": pa.nulls(2),
        "list": pa.array([[1], []]),
        "map": pa.array([[("k", 1)]] * 2, pa.map_(pa.string(), pa.int32())),
        "box": pa.array([{"x": 1, "in": {"y": "a"}}] * 2),
    }
)


def parquet(table: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def schema_of(body: bytes) -> Schema | None:
    return read_schema(WholeBytes("a.parquet", body))


@pytest.mark.parametrize("version", ["1.0", "2.6"])
def test_types_are_those_of_the_rows(version: str) -> None:
    """What the footer says is what the rows that are read turn out to be."""
    body = parquet(TABLE, version=version)
    schema = schema_of(body)
    assert schema is not None
    assert (schema.rows, schema.complete) == (2, True)
    found = {column.name: column.type for column in schema.columns}
    sample = Sample()
    for row in read_rows(WholeBytes("a.parquet", body), max_row_bytes=9000):
        assert isinstance(row, TaskRow)
        sample.add(orjson.loads(row.data))
    seen = {column.name: column.type for column in sample.columns()}
    assert seen.pop("map.k") == "integer", "keys of maps are data, no columns"
    assert found == seen


def test_durations_are_numbers_with_their_arrow_type_alone() -> None:
    """Parquet has no durations: the footer says that they are integers."""
    schema = schema_of(parquet(pa.table({"d": pa.array([timedelta(seconds=1)])})))
    assert schema is not None
    assert Columns(schema.columns, complete=True).of("d") == "integer"


def test_damage_is_no_schema() -> None:
    body = parquet(TABLE)
    for place in range(len(body) - 3000, len(body)):
        changed = bytearray(body)
        changed[place] ^= 0xFF
        schema_of(bytes(changed))  # whatever it says, it raises nothing
    for size in range(0, len(body), 7):
        assert schema_of(body[:size]) is None
    assert schema_of(b"PAR1" * 5) is None


def test_many_columns_are_bounded() -> None:
    schema = schema_of(parquet(pa.table({f"c{n}": [n] for n in range(1001)})))
    assert schema is not None
    assert (len(schema.columns), schema.complete) == (1000, False)
