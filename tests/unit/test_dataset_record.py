"""Which records a request wants, ids, and cursors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.model.dataset_record import RecordFilter, cursor, key_of, record_id
from shared.model.ledger import Entry
from shared.model.media_types import of_record
from shared.model.times import seconds

NEW, OLD = seconds("2026-03-01T00:00:00Z"), seconds("2024-03-01T00:00:00Z")
RECORDS = [
    Entry("img/a.jpg", "1", 100, OLD, width=640, height=480),
    Entry("img/b.png", "1", 200, NEW, width=100, height=2000),
    Entry("img/in/c.png", "1", 300, NEW, width=0, height=0),
    Entry("img/in/d", "1", 400, 0.0, content_type="image/png"),
    Entry("img/in/e.txt", "1", 500, NEW),
    Entry("img/strange.jpg", "1", 0, NEW, content_type="text/plain"),
]


def taken(**asked):
    wanted = RecordFilter.of(asked, storage_prefix="img/")
    return "".join(entry.key.rpartition("/")[2][0] for entry in RECORDS if wanted.takes(entry))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "abcdes"),
        ({"prefix": "", "glob": None}, "abcdes"),
        ({"prefix": "img/i"}, "cde"),
        ({"prefix": "in"}, ""),
        ({"glob": "*.png"}, "b"),
        ({"glob": "**/*.png"}, "bc"),
        ({"min_size": "200", "max_size": "400"}, "bcd"),
        ({"max_size": "0"}, "s"),
        ({"modified_after": "2026-03-01T00:00:00Z"}, "bces"),
        ({"modified_before": "2026-03-01T00:00:00Z"}, "a"),
        ({"modified_after": "2026-03-01T01:00:00 01:00"}, "bces"),
        ({"modified_after": "2026-03-01T01:00:00+01:00"}, "bces"),
        ({"modified_after": "2026-03-01"}, "bces"),
        ({"content_type": "image/png"}, "bcd"),
        ({"content_type": "IMAGE/*"}, "abcd"),
        ({"content_type": "text/plain"}, "es"),
        ({"min_width": "1"}, "ab"),
        ({"max_width": "640"}, "ab"),
        ({"max_width": "639"}, "b"),
        ({"min_height": "481"}, "b"),
        ({"max_height": "480", "content_type": "image/*"}, "a"),
    ],
)
def test_what_is_taken(asked, found):
    assert taken(**asked) == found


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        *(
            (name, bad)
            for name in ("min_size", "max_size", "min_width", "max_height")
            for bad in ("-1", "x", "1.5", "1" * 19)
        ),
        *(("modified_after", bad) for bad in ("yesterday", "2026-13-01", "9999999-01-01", "2026-03-01T00:00:00+99:00")),
        *(("content_type", bad) for bad in ("image", "*/*", "image/", "image/p*", "a b/c")),
        ("glob", "[a"),
        ("prefix", "x" * 5000),
    ],
)
def test_a_bad_filter_is_named(field, bad):
    with pytest.raises(InvalidInputError) as refused:
        taken(**{field: bad, "max_width": "x"})
    assert set(refused.value.fields) == {field, "max_width"}


@given(st.text())
def test_a_cursor_is_its_key(key):
    assert key_of(cursor(key)) == key


@pytest.mark.parametrize("bad", ["!", "a", "ä", "_w", "a b"])
def test_what_is_no_cursor(bad):
    with pytest.raises(InvalidInputError) as refused:
        key_of(bad)
    assert set(refused.value.fields) == {"after"}


@given(st.text(), st.text())
def test_an_id_is_of_a_map_and_a_key(one, other):
    assert 0 < record_id("map", one) < 2**53
    assert (record_id("map", one) == record_id("map", other)) == (one == other)
    assert record_id("map", one) != record_id("other", one)


@pytest.mark.parametrize(
    ("key", "listed", "kept"),
    [
        ("a.jpg", "", ""),
        ("a.jpg", "image/jpeg", ""),
        ("a.jpg", "Image/JPEG; q=1", ""),
        ("a.jpg", "image/png", "image/png"),
        ("a.jpg", "application/octet-stream", ""),
        ("a", "application/octet-stream", ""),
        ("a", "text/plain; charset=utf-8", "text/plain"),
        ("a", "x" * 101, ""),
    ],
)
def test_only_a_type_that_the_key_does_not_tell_is_kept(key, listed, kept):
    assert of_record(key, listed) == kept
