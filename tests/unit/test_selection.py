"""Filters and orders of tasks, as pure rules."""

import json
from itertools import product

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.model.selection import COLUMNS, MAX_FILTERS, Selection, columns_of, parse
from shared.model.times import moment


def row(number=1, **columns):
    counters = {"total_annotations": 0, "cancelled_annotations": 0, "total_predictions": 0}
    return {"id": number, "storage_filename": None, "created_at": 0.0, "updated_at": 0.0, **counters, **columns}


def asked(*items, conjunction="and", ordering=(), **more):
    filters = [
        {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
        for column, operator, value, kind in items
    ]
    query = {"filters": {"conjunction": conjunction, "items": filters}, "ordering": list(ordering), **more}
    return parse(json.dumps(query), None, only_annotated=False)


def takes(column, operator, value, found, kind="Unknown"):
    return asked((column, operator, value, kind)).takes(row(**{column: found} if column != "id" else {"number": found}))


NUMBERS = [
    ("equal", 3, True),
    ("equal", "3", True),
    ("equal", 4, False),
    ("not_equal", 3, False),
    ("not_equal", 4, True),
    ("less", 4, True),
    ("less", 3, False),
    ("greater", 2, True),
    ("greater", 3, False),
    ("less_or_equal", 3, True),
    ("less_or_equal", 2, False),
    ("greater_or_equal", 3, True),
    ("greater_or_equal", 4, False),
    ("in", {"min": 3, "max": 5}, True),
    ("in", {"min": 4, "max": 5}, False),
    ("not_in", {"min": 3, "max": 5}, False),
    ("not_in", {"min": 4, "max": 5}, True),
    ("in_list", [1, 3], True),
    ("in_list", [1, 2], False),
    ("in_list", 3, True),
    ("not_in_list", [1, 3], False),
    ("not_in_list", [1, 2], True),
    ("contains", 3, True),
    ("empty", True, False),
    ("empty", "false", True),
    ("regex", "^[0-9]$", True),
]


@pytest.mark.parametrize("column", ["total_annotations", "cancelled_annotations", "total_predictions", "id"])
@pytest.mark.parametrize(("operator", "value", "expected"), NUMBERS)
def test_operators_on_numbers(column, operator, value, expected):
    assert expected is takes(column, operator, value, 3, "Number")


TEXTS = [
    ("equal", "img/a.jpg", True),
    ("not_equal", "img/a.jpg", False),
    ("contains", "a.j", True),
    ("contains", "A", False),
    ("not_contains", "a.j", False),
    ("not_contains", "b", True),
    ("less", "img/b", True),
    ("greater", "img/b", False),
    ("in", {"min": "img", "max": "imh"}, True),
    ("in_list", ["x", "img/a.jpg"], True),
    ("not_in_list", ["x"], True),
    ("regex", r"\.jpe?g$", True),
    ("regex", r"^a", False),
    ("empty", True, False),
    ("empty", False, True),
]


@pytest.mark.parametrize("column", ["storage_filename", "data.image"])
@pytest.mark.parametrize(("operator", "value", "expected"), TEXTS)
def test_operators_on_texts(column, operator, value, expected):
    assert expected is takes(column, operator, value, "img/a.jpg", "String")


MISSING = [
    ("equal", "a", False),
    ("equal", None, True),
    ("not_equal", "a", True),
    ("contains", "a", False),
    ("not_contains", "a", True),
    ("less", "a", False),
    ("greater", "a", False),
    ("in", {"min": "a", "max": "z"}, False),
    ("not_in", {"min": "a", "max": "z"}, True),
    ("in_list", ["a"], False),
    ("not_in_list", ["a"], True),
    ("regex", ".*", False),
    ("empty", True, True),
    ("empty", False, False),
]


@pytest.mark.parametrize("column", ["storage_filename", "data.image"])
@pytest.mark.parametrize(("operator", "value", "expected"), MISSING)
def test_operators_where_there_is_no_value(column, operator, value, expected):
    assert expected is takes(column, operator, value, None, "String")


@pytest.mark.parametrize("operator", ["equal", "less", "greater", "contains", "in", "in_list", "regex"])
def test_data_of_every_kind_can_be_compared_with_every_value(operator):
    """Tasks of one project may differ: what can't be compared does not match, or the value is refused."""
    for kind, value in product(["Unknown", "Number", "String", "Boolean", None], [7, "a", True, [1], {"a": 1}]):
        bounds = {"min": value, "max": value} if operator == "in" else value
        try:
            selection = asked(("data.x", operator, bounds, kind))
        except InvalidInputError:
            continue
        for found in ("text", 7, 7.5, True, None, [1, "a"], {"a": [1]}, [], ""):
            assert selection.takes(row(**{"data.x": found})) in (True, False)


def test_times_are_compared_as_they_are_shown():
    stored = 1_790_000_000.1234567
    shown = moment(stored)
    for operator, expected in (("equal", True), ("less", False), ("greater", False), ("less_or_equal", True)):
        assert expected is takes("created_at", operator, shown, stored, "Datetime")
    assert takes("updated_at", "in", {"min": "2020-01-01T00:00:00Z", "max": "2100-01-01"}, stored)
    assert takes("updated_at", "greater", 1_789_999_999, stored)


def test_all_filters_or_any():
    items = [("id", "equal", 1, "Number"), ("total_annotations", "greater", 0, "Number")]
    assert not asked(*items).takes(row(1))
    assert asked(*items, conjunction="or").takes(row(1))
    assert not asked(*items, conjunction="or").takes(row(2))


def test_chosen_tasks():
    chosen = asked(selectedItems={"all": True, "excluded": [2]})
    assert [True, False] == [chosen.takes(row(1)), chosen.takes(row(2))]
    chosen = asked(selectedItems={"all": False, "included": [2]})
    assert [False, True] == [chosen.takes(row(1)), chosen.takes(row(2))]
    chosen = parse(None, '{"all": false, "included": [3]}', only_annotated=True)
    assert [False, True] == [chosen.takes(row(3)), chosen.takes(row(3, total_annotations=1))]
    assert not Selection.chosen({"all": False}).takes(row(1))


def ordered(rows, *ordering):
    rows = list(rows)
    asked(ordering=ordering).sort(rows)
    return [one["id"] for one in rows]


def test_orders_go_one_behind_the_other_and_keep_the_order_of_the_source():
    rows = [
        row(1, total_annotations=1, created_at=5.0),
        row(2, total_annotations=2, created_at=4.0),
        row(3, total_annotations=1, created_at=4.0),
        row(4, total_annotations=1, created_at=5.0),
    ]
    assert [1, 3, 4, 2] == ordered(rows, "tasks:total_annotations")
    assert [2, 1, 3, 4] == ordered(rows, "-tasks:total_annotations")
    assert [2, 3, 1, 4] == ordered(rows, "-tasks:total_annotations", "tasks:created_at")
    assert [4, 3, 2, 1] == ordered(rows, "-tasks:id")


@pytest.mark.parametrize("sign", ["", "-"])
def test_what_has_no_value_comes_last_in_either_direction(sign):
    values = [None, 2, "b", None, 1, "a"]
    rows = [row(number, **{"data.x": value}) for number, value in enumerate(values, 1)]
    numbers = ordered(rows, f"{sign}tasks:data.x")
    assert [1, 4] == numbers[-2:]
    assert ([5, 2, 6, 3] if not sign else [3, 6, 2, 5]) == numbers[:4]


def test_values_of_all_kinds_have_an_order():
    values = [[1], {"a": 1}, True, 1.5, "x", None, 2**60, -1]
    rows = [row(number, **{"data.x": value}) for number, value in enumerate(values)]
    assert sorted(ordered(rows, "tasks:data.x")) == list(range(len(values)))


DEEP = json.loads("[" * 900 + "]" * 900)
BAD = {
    "no JSON": ("{", None, "query", "Not valid JSON"),
    "a list": ("[]", None, "query", "Write a JSON object"),
    "too deep": ("[" * 5000, None, "query", "Not valid JSON"),
    "filters a list": ({"filters": [1]}, None, "query", "filters.items must be a list"),
    "items a text": ({"filters": {"items": "all"}}, None, "query", "filters.items must be a list"),
    "a filter a text": ({"filters": {"items": ["all"]}}, None, "query", "A filter must be an object"),
    "unknown conjunction": ({"filters": {"conjunction": "xor"}}, None, "query", "and or or"),
    "conjunction a list": ({"filters": {"conjunction": DEEP}}, None, "query", "and or or"),
    "ordering a text": ({"ordering": "tasks:id"}, None, "query", "ordering must be a list"),
    "too many orders": ({"ordering": ["tasks:id"] * 21}, None, "query", "ordering must be a list"),
    "order by a number": ({"ordering": [7]}, None, "query", "There is no column"),
    "order by what is not there": ({"ordering": ["tasks:agreement"]}, None, "query", 'no column "tasks:agreement"'),
    "selected a list": (None, "[1]", "selectedItems", "Write a JSON object"),
    "selected texts": (None, '{"all": false, "included": ["1"]}', "selectedItems", "included must be a list"),
    "selected in the query": ({"selectedItems": {"excluded": 5}}, None, "selectedItems", "excluded must be a list"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_query_is_refused_in_words(case):
    query, selected, name, sentence = BAD[case]
    with pytest.raises(InvalidInputError, match=r"Validation error") as caught:
        parse(query if isinstance(query, str | None) else json.dumps(query), selected, only_annotated=False)
    assert [name] == list(caught.value.fields)
    assert sentence in caught.value.fields[name][0]


BAD_FILTERS = {
    "no column": (("", "equal", 1, "Number"), "There is no column"),
    "data without a key": (("data.", "equal", 1, "Number"), "There is no column"),
    "no operator": (("id", None, 1, "Number"), "There is no operator"),
    "operator a list": (("id", DEEP, 1, "Number"), "There is no operator"),
    "unknown operator": (("id", "like", 1, "Number"), 'There is no operator "like"'),
    "text for a number": (("id", "equal", "x", "Number"), "does not fit its column"),
    "deep for a number": (("id", "equal", DEEP, "Number"), "does not fit its column"),
    "text for a time": (("created_at", "less", "yesterday", "Datetime"), "does not fit its column"),
    "no bounds": (("id", "in", 5, "Number"), "min and max"),
    "half bounds": (("id", "in", {"min": 5}, "Number"), "min and max"),
    "null bounds": (("id", "in", {"min": None, "max": 5}, "Number"), "kind of the column"),
    "mixed bounds": (("data.x", "in", {"min": "a", "max": 5}, "Unknown"), "kind of the column"),
    "bad pattern": (("data.x", "regex", "(", "String"), "not a valid RE2 pattern"),
    "look-ahead": (("data.x", "regex", "(?=a)", "String"), "not a valid RE2 pattern"),
    "deep pattern": (("data.x", "regex", DEEP, "String"), "does not fit its column"),
    "deep text": (("data.x", "contains", DEEP, "String"), "does not fit its column"),
    "a pattern too large": (("data.x", "regex", "((a{100}){100}){100}", "String"), "not a valid RE2 pattern"),
}


@pytest.mark.parametrize("case", BAD_FILTERS)
def test_a_bad_filter_is_refused_in_words(case):
    item, sentence = BAD_FILTERS[case]
    with pytest.raises(InvalidInputError) as caught:
        asked(item)
    assert ["query"] == list(caught.value.fields)
    assert sentence in caught.value.fields["query"][0]


def test_filters_are_bounded():
    asked(*[("id", "equal", 1, "Number")] * MAX_FILTERS)
    with pytest.raises(InvalidInputError):
        asked(*[("id", "equal", 1, "Number")] * (MAX_FILTERS + 1))


def test_a_pattern_that_would_never_end_elsewhere_ends():
    selection = asked(("data.x", "regex", "^(a+)+$", "String"))
    assert not selection.takes(row(**{"data.x": "a" * 50_000 + "!"}))


def test_chosen_tasks_of_a_body_are_checked_however_deep_it_is():
    assert Selection.chosen({"all": True, "more": DEEP}).takes(row(1))
    with pytest.raises(InvalidInputError):
        Selection.chosen(DEEP)


def test_what_has_to_be_read():
    selection = asked(
        ("data.a", "equal", 1, "Number"), ("storage_filename", "empty", True, None), ordering=["-tasks:id"]
    )
    assert (frozenset({"key"}), frozenset({"a"})) == columns_of(selection.columns)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
OPERATORS = st.sampled_from(
    ["equal", "not_equal", "less", "greater", "in", "not_in", "in_list", "contains", "regex", "empty", "x", None]
)
FILTERS = st.fixed_dictionaries(
    {
        "filter": st.sampled_from([f"filter:tasks:{name}" for name in (*COLUMNS, "data.x")]) | VALUES,
        "operator": OPERATORS,
        "type": st.sampled_from(["Number", "String", "Datetime", "Unknown"]) | VALUES,
        "value": VALUES | st.fixed_dictionaries({"min": VALUES, "max": VALUES}),
    }
)


@settings(max_examples=200, deadline=None)
@given(st.lists(FILTERS, max_size=3), st.lists(st.sampled_from(["tasks:id", "-tasks:data.x"]), max_size=2), VALUES)
def test_no_query_is_anything_but_an_answer_or_a_refusal(items, ordering, found):
    try:
        selection = parse(json.dumps({"filters": {"items": items}, "ordering": ordering}), None, only_annotated=False)
    except InvalidInputError:
        return
    found = orjson.loads(json.dumps(found))  # as task data is read: no integer beyond 64 bits
    rows = [row(number, **{"data.x": value}) for number, value in enumerate((found, None, "a", 1, [1]))]
    selection.sort(rows)
    assert {selection.takes(one) for one in rows} <= {True, False}
