"""Which rows of a file a request wants: typed comparisons with columns."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from shared.errors import InvalidInputError
from shared.model.row_columns import Columns, ColumnType, moment_of

FIELD = "where"
MAX_TESTS = 50
MAX_VALUES = 1000
"""Of one `in`."""
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
OPERATORS = ("==", "!=", *_ORDERS, "in", "contains", "is_null")
_KINDS = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}
_TAKEN: Mapping[ColumnType, str] = {
    "string": "string",
    "timestamp": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
}
"""What a column of a type is compared with; those of other types may be compared with anything."""


class Test(NamedTuple):
    """One comparison of a column."""

    column: str
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Rows that pass every test. `times`: columns that are compared as times."""

    tests: tuple[Test, ...] = ()
    times: frozenset[str] = frozenset()

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Whether a row is wanted. What is null or not there passes `is_null` and `== null` alone."""
        return all(_passes(test, pick(row, test.column), as_time=test.column in self.times) for test in self.tests)

    def checked(self, columns: Columns, looked_at: str) -> "RowFilter":
        """The filter for a file with these columns; `looked_at` says where they are known from.

        Raises `InvalidInputError` naming columns that the file lacks, and values that are not of a column's type.
        """
        problems = []
        times = set()
        for test in self.tests:
            kind = columns.of(test.column)
            if kind is None:
                problems.append(f"{test.column}: no such column {looked_at}.")
            elif problem := _misfit(test, kind):
                problems.append(f"{test.column}: {problem}")
            elif kind == "timestamp" and test.operator not in ("is_null", "contains"):
                times.add(test.column)
        if problems:
            raise InvalidInputError(fields={FIELD: problems})
        return RowFilter(self.tests, frozenset(times))

    @classmethod
    def of(cls, texts: Sequence[str]) -> "RowFilter":
        """The filter of JSON objects: a column and a value, or a column and an object of operators and values.

        Raises `InvalidInputError` saying all that is wrong with them.
        """
        tests: list[Test] = []
        problems: list[str] = []
        for text in texts:
            try:
                given = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                problems.append(f"Not JSON ({error}).")
                continue
            if not isinstance(given, dict):
                problems.append('Must be a JSON object such as {"label": "cat", "score": {">=": 0.5}}.')
                continue
            for column, asked in given.items():
                wanted = asked if isinstance(asked, dict) else {"==": asked}
                if not wanted:
                    problems.append(f"{column}: no operator is given.")
                for name, value in wanted.items():
                    if problem := _unfit(name, value):
                        problems.append(f"{column}: {problem}")
                    tests.append(Test(column, name, value))
        if len(tests) > MAX_TESTS:
            problems.append(f"Ensure that there are no more than {MAX_TESTS} comparisons.")
        if problems:
            raise InvalidInputError(fields={FIELD: problems[:MAX_TESTS]})
        return cls(tuple(tests))


def pick(row: Mapping[str, Any], name: str) -> Any:
    """The value of a column, None if it is not there: of the key with this whole name, else what dots lead to."""
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _unfit(name: str, value: Any) -> str:
    """What is wrong with an operator and its value, whatever the column; "" for nothing."""
    if name not in OPERATORS:
        return f"'{name[:20]}' is no operator; there are {', '.join(OPERATORS)}."
    if name == "is_null":
        return "" if isinstance(value, bool) else "is_null needs true or false."
    if name == "in":
        if not isinstance(value, list) or len(value) > MAX_VALUES:
            return f"in needs a list of at most {MAX_VALUES} values."
        return "" if all(type(item) in _KINDS for item in value) else "in needs texts, numbers, true or false."
    if type(value) not in _KINDS:
        return f"{name} needs a text, a number, true or false."
    if name in _ORDERS and type(value) not in (int, float, str):
        return f"{name} needs a number or a text."
    return "contains needs a text, a number, true or false." if name == "contains" and value is None else ""


def _misfit(test: Test, kind: ColumnType) -> str:
    """Why a test can't be made of a column of this type; "" if it can."""
    name, value = test.operator, test.value
    if name == "is_null" or value is None or kind in ("mixed", "null"):
        return ""
    if name == "contains":
        if kind == "list":
            return ""
        fits = kind in ("string", "timestamp") and isinstance(value, str)
        return "" if fits else f"contains needs a text in a column of texts, or a column of lists; this is of {kind}."
    if kind in ("object", "list"):
        return f"is of type {kind}, which has no {name}; compare a field of it."
    if kind == "boolean" and name in _ORDERS:
        return f"is of type boolean, which has no {name}."
    values = value if name == "in" else [value]
    for item in values:
        if item is not None and _KINDS[type(item)] != _TAKEN[kind]:
            return f"is of type {kind}, which no {_KINDS[type(item)]} is compared with."
        if item is not None and kind == "timestamp" and moment_of(item) is None:
            return "is of type timestamp: write times in ISO 8601, such as 2026-11-22T03:53:23Z."
    return ""


def _passes(test: Test, value: Any, *, as_time: bool) -> bool:
    name, asked = test.operator, test.value
    if name == "is_null":
        return (value is None) is asked
    if value is None:
        return asked is None and name == "=="
    if name == "contains":
        if isinstance(value, list):
            return any(_equal(item, asked) for item in value)
        return isinstance(value, str) and isinstance(asked, str) and asked in value
    if as_time:
        value = _timed(value)
        asked = [_timed(item) for item in asked] if name == "in" else _timed(asked)
    if name == "in":
        return any(_equal(value, item) for item in asked)
    if name in ("==", "!="):
        return _equal(value, asked) == (name == "==")
    kind = _KINDS.get(type(value))
    return kind in ("number", "string") and kind == _KINDS[type(asked)] and _ORDERS[name](value, asked)


def _timed(value: Any) -> Any:
    moment = moment_of(value)
    return value if moment is None else moment


def _equal(one: Any, other: Any) -> bool:
    """Equal, and of one kind: 1 is neither true nor "1"."""
    return _KINDS.get(type(one)) == _KINDS[type(other)] and bool(one == other)
