"""Filters of rows: what they refuse, and what they take."""

import json
from typing import Any

import pytest

from shared.errors import InvalidInputError
from shared.model.row_columns import Column, Columns, Sample, moment_of
from shared.model.row_filter import RowFilter

ROWS: list[dict[str, Any]] = [
    {
        "n": 1,
        "f": 0.5,
        "s": "cat",
        "b": True,
        "t": "2026-01-02T03:04:05Z",
        "l": ["a", 1],
        "o": {"x": 1, "y": {"z": "q"}},
    },
    {"n": 2, "f": 1, "s": "cart", "b": False, "t": "2026-01-02T04:04:05+02:00", "l": [], "o": {"x": None}, "a.b": 7},
    {"n": None, "f": 2.5, "s": "2026-01-01", "t": "2026-01-03", "m": "1", "o": {}},
    {"f": -1e300, "s": "", "b": None, "m": 1, "nothing": None},
]


def columns() -> Columns:
    sample = Sample()
    for row in ROWS:
        sample.add(row)
    return Columns(sample.columns(), complete=True)


def taken(where: dict[str, Any]) -> list[int]:
    wanted = RowFilter.of([json.dumps(where)]).checked(columns(), "in the file")
    return [number for number, row in enumerate(ROWS) if wanted.takes(row)]


def test_columns() -> None:
    assert columns().columns == [
        Column("n", "integer", 0.5),
        Column("f", "number", 0.0),
        Column("s", "string", 0.0),
        Column("b", "boolean", 0.5),
        Column("t", "timestamp", 0.25),
        Column("l", "list", 0.5),
        Column("o", "object", 0.25),
        Column("o.x", "integer", 0.75),
        Column("o.y", "object", 0.75),
        Column("o.y.z", "string", 0.75),
        Column("a.b", "integer", 0.75),
        Column("m", "mixed", 0.5),
        Column("nothing", "null", 1.0),
    ]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ({}, [0, 1, 2, 3]),
        ({"n": 1}, [0]),
        ({"n": {"==": 1.0}}, [0]),
        ({"n": {"!=": 1}}, [1]),
        ({"n": {"is_null": True}}, [2, 3]),
        ({"n": None}, [2, 3]),
        ({"n": {"!=": None}}, [0, 1]),
        ({"n": {"in": [2, 3, None]}}, [1]),
        ({"f": {">=": 0.5, "<": 2.5}}, [0, 1]),
        ({"f": {"<=": 1, ">": -1}}, [0, 1]),
        ({"s": {"contains": "ca"}}, [0, 1]),
        ({"s": {">": "cart"}}, [0]),
        ({"s": {"==": "2026-01-01"}}, [2]),
        ({"b": False}, [1]),
        ({"b": {"!=": True}}, [1]),
        ({"t": {"<": "2026-01-02T03:00:00Z"}}, [1]),
        ({"t": "2026-01-02T05:04:05+02:00"}, [0]),
        ({"t": {"in": ["2026-01-03T00:00:00Z"]}}, [2]),
        ({"t": {"contains": "+02"}}, [1]),
        ({"l": {"contains": "a"}}, [0]),
        ({"l": {"contains": True}}, []),
        ({"l": {"contains": "1"}}, []),
        ({"o.x": 1}, [0]),
        ({"o.y.z": "q", "b": True}, [0]),
        ({"o.x": {"is_null": True}}, [1, 2, 3]),
        ({"a.b": 7}, [1]),
        ({"m": 1}, [3]),
        ({"m": "1"}, [2]),
        ({"m": {"!=": 1}}, [2]),
        ({"m": {"<": 5}}, [3]),
        ({"m": True}, []),
        ({"nothing": {"is_null": False}}, []),
    ],
)
def test_takes(where: dict[str, Any], rows: list[int]) -> None:
    assert taken(where) == rows


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "Not JSON"),
        ("[]", "must be a json object"),
        ('{"n": {}}', "n: no operator"),
        ('{"n": {"~": 1}}', "n: '~' is no operator"),
        ('{"n": {"in": 1}}', "n: in needs a list"),
        ('{"n": {"in": [[]]}}', "n: in needs texts"),
        ('{"n": {"is_null": 1}}', "n: is_null needs"),
        ('{"n": [1]}', "n: == needs"),
        ('{"n": {"<": true}}', "n: < needs"),
        ('{"n": {"<": null}}', "n: < needs"),
        ('{"s": {"contains": null}}', "s: contains needs"),
        ('{"zzz": 1}', "zzz: no such column in the file"),
        ('{"n": "1"}', "n: is of type integer"),
        ('{"n": true}', "n: is of type integer"),
        ('{"s": 1}', "s: is of type string"),
        ('{"f": {"in": [1, "1"]}}', "f: is of type number"),
        ('{"n": {"contains": 1}}', "n: contains needs"),
        ('{"t": "yesterday"}', "t: is of type timestamp"),
        ('{"b": {"<": 1}}', "b: is of type boolean"),
        ('{"o": 1}', "o: is of type object"),
        ('{"l": {"<": 1}}', "l: is of type list"),
        (json.dumps({f"c{n}": 1 for n in range(51)}), "no more than 50"),
    ],
)
def test_refuses(text: str, problem: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        RowFilter.of([text]).checked(columns(), "in the file")
    assert list(refused.value.fields) == ["where"]
    assert problem.lower() in " ".join(refused.value.fields["where"]).lower()


@pytest.mark.parametrize(
    "text", ["2026", "20260102", "2026-13-01", "0000-01-01", "2026-01-02Tx", "2026-W01-1", 1, None]
)
def test_what_is_no_time(text: object) -> None:
    assert moment_of(text) is None


def test_columns_are_bounded() -> None:
    sample = Sample()
    sample.add({str(n): n for n in range(1001)})
    assert (len(sample.columns()), sample.left_out) == (1000, True)
    deep: Any = 1
    for _ in range(200):
        deep = {"x": deep}
    sample = Sample()
    sample.add(deep)
    assert len(sample.columns()) == 8
