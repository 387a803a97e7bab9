"""Columns of a file of rows: which there are, and of what type, as far as rows tell."""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from shared.model.times import seconds

ColumnType = Literal["string", "integer", "number", "boolean", "timestamp", "object", "list", "null", "mixed"]
MAX_COLUMNS = 1000
MAX_LEVELS = 8
"""Levels of objects in objects whose fields are columns of their own."""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.,]+(Z|[+-][0-9:]+)?)?")
_KINDS: dict[type, ColumnType] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "list",
    type(None): "null",
}


class Column(NamedTuple):
    """A column; fields of objects have names with dots. `nulls`: their share (null or not there), None: not known."""

    name: str
    type: ColumnType
    nulls: float | None


class Columns(NamedTuple):
    """The columns of a file. `complete`: there are no others; else further rows may have more."""

    columns: list[Column]
    complete: bool

    def of(self, name: str) -> ColumnType | None:
        """The type of a column, None if there is none of the name."""
        return next((column.type for column in self.columns if column.name == name), None)


def moment_of(value: object) -> float | None:
    """Seconds since the epoch of a text in ISO 8601, with at least a whole date; None for anything else."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return None
    try:
        return seconds(value)
    except (ValueError, OverflowError, OSError):
        return None


class Sample:
    """What some rows tell of their columns."""

    def __init__(self) -> None:
        self.rows = 0
        self.left_out = False
        """Whether there were more than `MAX_COLUMNS`."""
        self._seen: dict[str, dict[ColumnType, int]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """Looks at one more row."""
        self.rows += 1
        self._add("", row, 1)

    def columns(self) -> list[Column]:
        """The columns seen, in the order of their first appearance, fields behind the object that they are in."""
        return [
            Column(name, _common(kinds), round(1 - sum(kinds.values()) / self.rows, 4))
            for name, kinds in self._seen.items()
        ]

    def _add(self, before: str, values: Mapping[str, Any], level: int) -> None:
        for key, value in values.items():
            name = f"{before}{key}"
            kinds = self._seen.get(name)
            if kinds is None:
                if len(self._seen) >= MAX_COLUMNS:
                    self.left_out = True
                    continue
                kinds = self._seen[name] = {}
            kind = "timestamp" if moment_of(value) is not None else _KINDS[type(value)]
            if kind != "null":
                kinds[kind] = kinds.get(kind, 0) + 1
            if kind == "object" and level < MAX_LEVELS:
                self._add(f"{name}.", value, level + 1)


def _common(kinds: Mapping[ColumnType, int]) -> ColumnType:
    seen = set(kinds)
    if not seen:
        return "null"
    if len(seen) == 1:
        return seen.pop()
    if seen == {"integer", "number"}:
        return "number"
    return "string" if seen == {"string", "timestamp"} else "mixed"
