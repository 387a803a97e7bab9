"""Annotations and predictions as pure rules: what a request may say, and what a file's parts become."""

import orjson
import pytest

from shared.errors import InvalidInputError
from shared.model.annotation import (
    MAX_RESULT_BYTES,
    clean_annotation,
    clean_prediction,
    imported_annotation,
    imported_prediction,
    number_by_time,
    part_number,
)


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


PEOPLE = ("completed_by", "updated_by", "last_created_by", "import_id", "parent_prediction", "parent_annotation")
REFUSED = [
    *[(name, bad) for name in PEOPLE for bad in ("1", 1.0, True, [], 2**53, -(2**53))],
    *[(name, bad) for name in ("was_cancelled", "ground_truth", "bulk_created") for bad in ("true", 1, [])],
    *[("result", bad) for bad in (None, "[]", {}, 0, nested(300), ["\ud800"], ["x" * MAX_RESULT_BYTES])],
    *[("lead_time", bad) for bad in ("1", True, float("nan"), float("inf"), 10**400, [])],
    *[("unique_id", bad) for bad in (1, "a\0b", "\ud800", "x" * 201)],
    *[("last_action", bad) for bad in (1, "a\0b", "x" * 129)],
    *[("draft_created_at", bad) for bad in ("soon", 1, [], "0001-01-01T00:00:00+14:00", "\0")],
]


@pytest.mark.parametrize(("name", "bad"), REFUSED)
def test_a_bad_field_of_an_annotation_is_named(name, bad):
    with pytest.raises(InvalidInputError) as caught:
        clean_annotation({name: bad, "ground_truth": False} if name != "ground_truth" else {name: bad})
    assert [name] == list(caught.value.fields)
    (sentence,) = caught.value.fields[name]
    assert sentence.endswith(".")


PREDICTION_REFUSED = [
    *[(name, bad) for name in ("cluster", "model", "model_run") for bad in ("1", 1.5, False, 2**53)],
    *[(name, bad) for name in ("score", "mislabeling") for bad in ("1", True, float("inf"), {})],
    *[("model_version", bad) for bad in (1, "\0", "x" * 501)],
    *[("neighbors", bad) for bad in (nested(254), ["\ud800"])],
    *[("result", bad) for bad in (None, "[]", {})],
]


@pytest.mark.parametrize(("name", "bad"), PREDICTION_REFUSED)
def test_a_bad_field_of_a_prediction_is_named(name, bad):
    with pytest.raises(InvalidInputError) as caught:
        clean_prediction({name: bad})
    assert [name] == list(caught.value.fields)
    (sentence,) = caught.value.fields[name]
    assert sentence.endswith(".")


def test_every_bad_field_is_named_at_once_and_only_given_fields_are_kept():
    with pytest.raises(InvalidInputError) as caught:
        clean_annotation({"result": 1, "lead_time": "x", "was_cancelled": 7})
    assert {"result", "lead_time", "was_cancelled"} == set(caught.value.fields)
    assert {} == clean_annotation({"unknown": 1, "id": 5})
    assert {"lead_time": 2.0, "result": b'[{"a":1}]'} == clean_annotation({"lead_time": 2, "result": [{"a": 1}]})
    assert {"was_cancelled": False} == clean_annotation({"was_cancelled": None})
    assert {"score": None, "mislabeling": 0.0} == clean_prediction({"score": None, "mislabeling": None})


def test_numbers_sort_by_time_and_fit_in_javascript():
    numbers = [
        number_by_time(now, bits) for now in (1_800_000_000.0, 1_800_000_000.001, 3_700_000_000.0) for bits in (0, 4095)
    ]
    assert sorted(set(numbers)) == numbers
    assert 0 < numbers[0]
    assert numbers[-1] < 2**53


def test_a_parts_number_depends_on_all_that_tells_it_apart():
    one = part_number(1, "annotation", 0, "d")
    others = {
        part_number(2, "annotation", 0, "d"),
        part_number(1, "prediction", 0, "d"),
        part_number(1, "annotation", 1, "d"),
        part_number(1, "annotation", 0, "e"),
        part_number(1, "annotation", 0, "d", salt=1),
    }
    assert part_number(1, "annotation", 0, "d") == one
    assert len({one, *others}) == 6


@pytest.mark.parametrize("by", [3, {"id": 3, "email": "a@b.co"}])
def test_an_imported_annotation_keeps_who_made_it(by):
    made = imported_annotation(7, 1, 2, {"result": [1], "completed_by": by, "lead_time": 1, "id": 99}, 5.0)
    assert (7, 1, 2, b"[1]", 3, 3, 1.0, 5.0) == (
        made.id,
        made.task,
        made.project,
        made.result,
        made.completed_by,
        made.updated_by,
        made.lead_time,
        made.created_at,
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"completed_by": "ann", "lead_time": "long", "unique_id": 7},
        {"completed_by": {"id": [1]}, "lead_time": True, "unique_id": None},
        {"completed_by": 2**60, "lead_time": [], "unique_id": {}},
    ],
)
def test_what_is_odd_in_an_imported_annotation_is_left_out(odd):
    made = imported_annotation(7, 1, 2, {"result": [], **odd}, 5.0)
    assert (None, None, None) == (made.completed_by, made.lead_time, made.unique_id)


@pytest.mark.parametrize(("version", "kept"), [(None, None), ("v1", "v1"), (2, "2"), ("x" * 600, "x" * 500)])
def test_an_imported_predictions_model_is_a_text(version, kept):
    made = imported_prediction(7, 1, 2, {"result": [], "model_version": version, "score": "high"}, 5.0)
    assert (kept, None) == (made.model_version, made.score)
    assert b"[]" == made.result


def test_an_imported_result_is_kept_as_it_is():
    result = [{"value": {"x": 0.1, "deep": nested(100)}, "big": 9007199254740993}]
    assert result == orjson.loads(imported_prediction(7, 1, 2, {"result": result}, 5.0).result)
