"""Parquet that is written as a stream, read again by another's reader."""

import io

import pytest
from arro3.io import read_parquet

from shared.services.datasets.parquet_writing import Column, File

COLUMNS = (Column("id", "integer"), Column("key", "text"), Column("width", "integer", optional=True))


def read_again(*groups):
    file = File(COLUMNS)
    body = b"".join([file.start(), *(file.group(rows) for rows in groups), file.end()])
    table = read_parquet(io.BytesIO(body)).read_all()
    assert table.schema.names == [column.name for column in COLUMNS]
    columns = [table.column(name).to_pylist() for name in table.schema.names]
    return list(zip(*columns, strict=True))


def test_no_rows():
    assert read_again() == []


@pytest.mark.parametrize("count", [1, 7, 8, 9, 1000])
def test_rows_come_back(count):
    rows = [(i - 2**40 if i % 5 else 2**53 - 1, f"käy/{i}\n", None if i % 3 else i) for i in range(count)]
    assert read_again(rows) == rows


def test_all_and_none_are_there():
    there, none = [(1, "", 0)] * 9, [(1, "x", None)] * 9
    assert read_again(there, none) == there + none


def test_many_groups():
    """More than fifteen: their number takes another form."""
    groups = [[(i, str(i), None)] * (i + 1) for i in range(40)]
    assert read_again(*groups) == [row for rows in groups for row in rows]
