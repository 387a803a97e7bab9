"""What settings mean: prefixes, filters, fingerprints, field errors, task ids."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.model.providers import LOCAL_FILES, S3
from shared.model.storage import Scope, Storage, clean, listing_prefix
from shared.model.task import named_data, position, position_range, task_id


def storage(kind="s3", **config):
    return Storage(id=1, type=kind, project=1, created_at=0.0, config=config, secrets=b"", meta={})


@pytest.mark.parametrize(
    ("prefix", "listed"),
    [
        (None, ""),
        ("", ""),
        ("/", ""),
        ("img", "img/"),
        ("img/", "img/"),
        ("img//", "img/"),
        ("a/b", "a/b/"),
        ("img_2024*", "img_2024"),
        ("img/*", "img/"),
        ("*", ""),
    ],
)
def test_prefix(prefix, listed):
    """A folder, or literal with a star."""
    assert listed == listing_prefix(prefix)


@pytest.mark.parametrize(
    ("kind", "config", "key", "wanted"),
    [
        ("s3", {"prefix": "img", "recursive_scan": True}, "img/a/b.jpg", True),
        ("s3", {"prefix": "img"}, "img/a/b.jpg", False),
        ("s3", {"prefix": "img"}, "img/b.jpg", True),
        ("s3", {"prefix": "img", "recursive_scan": True}, "images/b.jpg", False),
        ("s3", {"recursive_scan": True}, "folder/", False),
        ("s3", {"prefix": "img", "regex_filter": r".*\.jpg"}, "img/b.jpg", True),
        ("s3", {"prefix": "img", "regex_filter": r"b\.jpg"}, "img/b.jpg", False),
        ("s3", {"prefix": "img", "regex_filter": r"img/b"}, "img/b.jpg", True),
        ("localfiles", {"recursive_scan": True, "regex_filter": r"b\.jpg"}, "deep/b.jpg", True),
        ("s3", {"regex_filter": ""}, "b", True),
    ],
)
def test_scope(kind, config, key, wanted):
    """Which keys a storage takes; a filter matches from the start of the full key (local files: of the name)."""
    assert wanted == Scope.of(storage(kind, **config)).wants(key)


def test_fingerprints():
    """Another bucket is another location, another filter another shape; a title is neither."""
    one = storage(bucket="a", prefix="x", title="t")
    moved = replace(one, config={**one.config, "bucket": "b"})
    filtered = replace(one, config={**one.config, "regex_filter": "x"})
    titled = replace(one, config={**one.config, "title": "other"})

    assert (False, True) == (one.location == moved.location, one.shape == moved.shape)
    assert (True, False) == (one.location == filtered.location, one.shape == filtered.shape)
    assert (True, True) == (one.location == titled.location, one.shape == titled.shape)


@pytest.mark.parametrize(
    ("given_fields", "field"),
    [
        ({"regex_filter": "["}, "regex_filter"),
        ({"regex_filter": "(?=a)"}, "regex_filter"),
        ({"bucket": "no/slash"}, "bucket"),
        ({"s3_endpoint": "minio:9000"}, "s3_endpoint"),
        ({"presign_ttl": 0}, "presign_ttl"),
        ({"presign_ttl": "x"}, "presign_ttl"),
        ({"use_blob_urls": "maybe"}, "use_blob_urls"),
        ({"title": "x" * 257}, "title"),
        ({"title": ["a"]}, "title"),
        ({"prefix": "a\0b"}, "prefix"),
        ({"prefix": "\ud800"}, "prefix"),
    ],
)
def test_bad_fields_are_named(given_fields, field):
    with pytest.raises(InvalidInputError) as caught:
        clean(S3, given_fields, partial=True)

    assert [field] == list(caught.value.fields)


def test_defaults():
    values = clean(LOCAL_FILES, {"path": "/x", "unknown": 1}, partial=False)

    assert {"path": "/x", "use_blob_urls": False, "synchronizable": True, "title": None}.items() <= values.items()
    assert "unknown" not in values


@given(st.text(), st.integers(0, 10**9) | st.none(), st.text())
def test_task_ids(key, row, version):
    """Positive, below 2**53, the same for the same row."""
    number = task_id("map", key, row, version=version)

    assert 0 < number < 2**53
    assert number == task_id("map", key, row, version=version)


@given(st.text(st.characters(min_codepoint=2, codec="utf-8"), max_size=400), st.integers(0, 10**6))
def test_positions_of_a_key_lie_in_its_range(key, row):
    low, high = position_range(7, key)

    assert low <= position(7, key, row) < high


def test_the_nameless_value_takes_the_first_data_key():
    assert {"image": "u"} == named_data({"$undefined$": "u"}, "image")
    assert {"$undefined$": "u"} == named_data({"$undefined$": "u"}, None)
