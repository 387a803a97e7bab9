"""The shapes of rows of datasets' files for the documentation at /docs."""

from typing import Any

from pydantic import Field as Describe

from functions.schemas import Shape
from shared.model.row_columns import ColumnType


class UnreadableRow(Shape):
    """A row that can't be read."""

    row: int | None = Describe(description="Its number in the file, counted from 0; null: the file as a whole.")
    line: int | None = Describe(description="Its line, counted from 1, where that is known.")
    reason: str = Describe(description="What is wrong with it.")


class ColumnOut(Shape):
    """A column of a file."""

    name: str = Describe(description="Its name; a field of an object has dots in it.")
    type: ColumnType = Describe(
        description="Of its values as rows show them; timestamps are texts in ISO 8601. mixed: of several types."
    )
    nulls: float | None = Describe(description="Share of the sampled rows where it is null or not there.")


class ColumnsOut(Shape):
    """The columns of a file."""

    columns: list[ColumnOut] = Describe(description="In the file's order, up to 1,000.")
    complete: bool = Describe(description="Whether there are no others; else they are those of the sampled rows.")
    rows: int | None = Describe(description="How many rows the file has, where that costs nothing to know.")
    sampled: int = Describe(description="Rows that were looked at; 0: the file itself tells of its columns (Parquet).")
    errors: list[UnreadableRow] = Describe(description="What could not be read of the sampled rows, up to 20.")


class RowOut(Shape):
    """A row of a file."""

    record: int = Describe(description="The record that the file is.")
    row: int | None = Describe(description="Its number in the file, counted from 0; null: the file is one object.")
    id: int = Describe(description="The same for a row as long as the storage keeps its bucket; below 2^53.")
    data: dict[str, Any] = Describe(description="What would be the data of its task, or the columns asked for.")


class RowsOut(Shape):
    """Some of a file's rows."""

    rows: list[RowOut] = Describe(description="In the file's order.")
    looked_at: int = Describe(description="Rows that this part went through.")
    unreadable: int = Describe(description="How many of them could not be read.")
    errors: list[UnreadableRow] = Describe(description="The first 20 of these.")
    next: str | None = Describe(
        description="`after` of the following part, also where time or bytes ran out; null: no more."
    )
