from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.rows import (
    MAX_REASON,
    BadRow,
    Checkpoint,
    TaskRow,
    bad_row,
    build_row,
    extension,
    readable_extension,
)

AFTER = Checkpoint(4, 99)
LIMIT = 10_000
RESULT = {"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": ["cat"]}}


def good(value: object, limit: int = LIMIT) -> TaskRow:
    row = build_row(value, 3, AFTER, limit)
    assert isinstance(row, TaskRow), row
    return row


def reason(value: object, limit: int = LIMIT) -> str:
    row = build_row(value, 3, AFTER, limit)
    assert isinstance(row, BadRow), row
    assert (row.index, row.line, row.after, row.fatal) == (3, None, AFTER, False)
    assert 0 < len(row.reason) <= MAX_REASON
    assert row.reason.isprintable()
    return row.reason


def test_an_object_is_itself_the_data() -> None:
    row = good({"image": "s3://b/é.jpg", "n": 1})
    assert row.data == '{"image":"s3://b/é.jpg","n":1}'.encode()
    assert (row.index, row.after, row.allow_skip) == (3, AFTER, True)
    assert (dict(row.extra), row.predictions, row.annotations, row.cancelled) == ({}, 0, 0, 0)
    assert len(row.digest) == 16
    assert int(row.digest, 16) >= 0


def test_an_object_under_data_is_the_data_and_unknown_keys_are_dropped() -> None:
    row = good({"id": 7, "data": {"text": "x"}, "project": 3})
    assert row.data == b'{"text":"x"}'
    assert row.digest == good({"text": "x"}).digest


@pytest.mark.parametrize("inner", ["x", None, 1, [1], True])
def test_data_that_is_no_object_keeps_its_wrapper(inner: object) -> None:
    assert orjson.loads(good({"data": inner, "id": 1}).data) == {"data": inner, "id": 1}


def test_predictions_annotations_and_meta_come_along_with_their_counts() -> None:
    row = good(
        {
            "data": {"a": 1},
            "predictions": [{"result": [RESULT], "score": 0.5}],
            "annotations": [{"result": []}, {"result": [RESULT], "was_cancelled": True}],
            "meta": {"source": "camera"},
            "allow_skip": False,
        }
    )
    assert set(row.extra) == {"predictions", "annotations", "meta"}
    assert orjson.loads(row.extra["predictions"]) == [{"result": [RESULT], "score": 0.5}]
    assert (row.predictions, row.annotations, row.cancelled, row.allow_skip) == (1, 2, 1, False)


@pytest.mark.parametrize("empty", [None, [], "", {}])
def test_what_is_empty_is_not_there(empty: object) -> None:
    row = good({"data": {"a": 1}, "predictions": empty, "annotations": empty, "meta": empty, "allow_skip": None})
    assert not row.extra
    assert row.digest == good({"a": 1}).digest


def test_without_data_meta_and_allow_skip_may_be_anything() -> None:
    row = good({"meta": "m", "allow_skip": "sometimes"})
    assert row.data == b'{"meta":"m","allow_skip":"sometimes"}'
    assert (row.allow_skip, dict(row.extra)) == (True, {})
    assert good({"a": 1, "allow_skip": False}).allow_skip is False


def test_a_result_written_as_a_string_is_decoded_in_annotations() -> None:
    annotation = {"result": orjson.dumps([RESULT]).decode(), "unique_id": "u"}
    row = good({"data": {}, "annotations": [annotation]})
    assert orjson.loads(row.extra["annotations"]) == [{"result": [RESULT], "unique_id": "u"}]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("text", "a row must be an object, not a string"),
        (None, "not null"),
        ([1], "not a list"),
        (True, "not true or false"),
        (1.5, "not a number"),
        ({"a": 1, "predictions": [{"result": []}]}, "need the task under 'data'"),
        ({"a": 1, "annotations": [{"result": []}]}, "need the task under 'data'"),
        ({"data": {}, "predictions": {"result": []}}, "'predictions' must be a list"),
        ({"data": {}, "annotations": "all"}, "'annotations' must be a list"),
        ({"data": {}, "annotations": [{"result": []}, 5]}, "annotations[1] must be an object"),
        ({"data": {}, "predictions": [{}]}, "predictions[0]: 'result' is missing"),
        ({"data": {}, "predictions": [{"result": "[]"}]}, "predictions[0]: 'result' must be a list, not a string"),
        ({"data": {}, "annotations": [{"result": None}]}, "'result' must be a list, not null"),
        ({"data": {}, "annotations": [{"result": "[1"}]}, "'result' is a string that is no JSON"),
        ({"data": {}, "annotations": [{"result": "{}"}]}, "'result' must be a list, not an object"),
        ({"data": {}, "meta": [1]}, "'meta' must be an object"),
        ({"data": {}, "allow_skip": "no"}, "'allow_skip' must be true or false"),
        ({"a": "\ud800"}, "lone surrogate"),
        ({"a": 2**64}, "64-bit"),
        ({"a": object()}, "can't be written as JSON"),
        ({"a": b"\xff\xfe"}, "binary"),
        ({1: 2}, "can't be written as JSON"),
    ],
)
def test_what_is_wrong_is_said(value: object, words: str) -> None:
    assert words in reason(value)


def test_too_deep_is_a_bad_row() -> None:
    value: Any = 1
    for _ in range(5000):
        value = [value]
    assert reason({"a": value}) == "nested deeper than 250 levels"


def test_size_counts_everything_that_is_stored() -> None:
    assert good({"a": "x" * 92}, limit=100)
    assert reason({"a": "x" * 93}, limit=100) == "row of 101 bytes; the limit is 100"
    assert "the limit is 100" in reason({"data": {"a": "x" * 50}, "meta": {"b": "x" * 50}}, limit=100)


def test_parquets_types_have_a_json_form() -> None:
    row = good(
        {
            "at": datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
            "on": date(2024, 5, 6),
            "price": Decimal("1.20"),
            "took": timedelta(seconds=1.5),
            "text": "é".encode(),
            "nan": float("nan"),
        }
    )
    assert orjson.loads(row.data) == {
        "at": "2024-05-06T07:08:09+00:00",
        "on": "2024-05-06",
        "price": "1.20",
        "took": 1.5,
        "text": "é",
        "nan": None,
    }


def test_the_digest_ignores_the_order_of_keys_and_nothing_else() -> None:
    task = {"data": {"a": 1, "b": {"c": [1, 2], "d": None}}, "meta": {"m": 1}}
    same = {"meta": {"m": 1}, "data": {"b": {"d": None, "c": [1, 2]}, "a": 1}}
    assert good(task).digest == good(same).digest
    others = [
        {"data": {"a": 1, "b": {"c": [2, 1], "d": None}}, "meta": {"m": 1}},
        {"data": task["data"]},
        {**task, "meta": {"m": "1"}},
        {**task, "allow_skip": False},
        {**task, "predictions": [{"result": []}]},
        {**task, "annotations": [{"result": []}]},
    ]
    assert len({good(value).digest for value in [task, *others]}) == 7


@pytest.mark.parametrize(
    ("key", "found", "readable"),
    [
        ("a/b.json", "json", True),
        ("a/b.JSONL", "jsonl", True),
        ("b.ndjson", "ndjson", True),
        ("x.y/b.parquet", "parquet", True),
        ("x.y/b", "", True),
        (".json", "", True),
        ("dir/", "", True),
        ("", "", True),
        ("a.jpg", "jpg", False),
        ("a.json.gz", "gz", False),
        ("a.txt", "txt", False),
        (".json.csv", "csv", False),
    ],
)
def test_extensions(key: str, found: str, readable: bool) -> None:
    assert (extension(key), readable_extension(key)) == (found, readable)


@given(st.text(st.characters(exclude_categories=[])))
def test_reasons_are_short_and_printable(text: str) -> None:
    row = bad_row(None, text, AFTER)
    assert len(row.reason) <= MAX_REASON
    assert row.reason.isprintable()
    row.reason.encode()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(exclude_categories=[])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["data", "predictions", "annotations", "result", "meta", "allow_skip", "was_cancelled", "x"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_value_raises(value: object) -> None:
    row = build_row(value, None, AFTER, 200)
    if isinstance(row, TaskRow):
        assert isinstance(orjson.loads(row.data), dict)
        assert len(row.data) + sum(map(len, row.extra.values())) <= 200
    else:
        assert row.reason.isprintable()
