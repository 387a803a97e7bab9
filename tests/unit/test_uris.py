"""URIs of objects: what is one, and how a query holds it."""

import pytest

from shared.model.uris import MAX_URI_BYTES, SCHEMES, ObjectUri, fileuri, from_fileuri, parse

LONGEST = "s3://b/" + "k" * (MAX_URI_BYTES - len("s3://b/"))


# What is a URI.

KEYS = [
    "k",
    "a b.jpg",
    "a=b",
    "a?b#c",
    "a//b",
    "/a",
    "a/",
    "a%20b",
    "a%2Fb.jpg",
    "100%",
    "a...b/.../.c",
    "it's",
    'a"b',
    "a(1).jpg",
    "a&amp;b",
    "a&b",
    "日本語/é.jpg",
    "😀.jpg",
    "a\nb",
    "a\\b",
    " a ",
    "gs://x/y",
]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_what_stands_there(scheme, key):
    uri = f"{scheme}://bucket/{key}"

    assert ObjectUri(scheme, "bucket", key) == parse(uri)
    assert uri == parse(uri).text
    assert parse(uri) == from_fileuri(fileuri(uri))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3",
        "s3:/b/k",
        "s3://",
        "s3://b",
        "s3://b/",
        "s3:///k",
        "S3://b/k",
        "https://b/k",
        "xs3://b/k",
        " s3://b/k",
        "s3://b/\ud800",
        "s3://b/.",
        "s3://b/..",
        "s3://b/../k",
        "s3://b/a/./k",
        "s3://b/a/..",
        "s3://b/a\\..\\k",
        "s3://b/a/..%2Fb",
        "s3://b/a/..%5cb",
        "s3://b/%2e%2e/k",
        "s3://b/a/.%2E",
        LONGEST + "k",
        LONGEST[:-1] + "é",
    ],
)
def test_what_names_no_object_or_leaves_its_folder_is_none(text):
    assert parse(text) is None


def test_what_is_decoded_twice_is_a_key_and_so_is_the_longest():
    assert parse("s3://b/%252e%252e/k")
    assert parse(LONGEST)


# A URI as a query's value.


def test_a_query_holds_url_safe_base64_with_its_padding():
    assert "Z3M6Ly9ia3QvaW1nLzAuanBn" == fileuri("gs://bkt/img/0.jpg")
    assert "czM6Ly9iLz8_Pj5-fg==" == fileuri("s3://b/??>>~~")
    assert "czM6Ly9iL2E=" == fileuri("s3://b/a")


@pytest.mark.parametrize(
    ("value", "uri"),
    [
        ("s3://b/a%20b", "s3://b/a%20b"),
        ("czM6Ly9iL2E=", "s3://b/a"),
        ("czM6Ly9iL2E", "s3://b/a"),
        ("czM6Ly9iLz8_Pj5-fg==", "s3://b/??>>~~"),
        ("czM6Ly9iLz8/Pj5+fg==", "s3://b/??>>~~"),
        ("czM6Ly9iLz8/Pj5 fg==", "s3://b/??>>~~"),
        ("gs%3A%2F%2Fb%2Fa%2520b", "gs://b/a%20b"),
        ("gs%3A//b/%C3%A9", "gs://b/é"),
    ],
)
def test_a_query_s_value_is_read_in_any_spelling(value, uri):
    assert parse(uri) == from_fileuri(value) is not None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "=",
        "k",
        "\0",
        "é",
        "\ud800%20",
        "%",
        "%ff",
        "s3://b",
        "s3://b/../k",
        "gs%3A//b/%ff",
        fileuri("s3://b/../k"),
        fileuri("https://b/k"),
        "czM6Ly9iL_8=",  # s3://b/ and a byte that is no text
        fileuri(LONGEST + "k"),
        "A" * 8192,
        "%41" * 8192,
    ],
)
def test_a_query_s_value_that_means_no_uri_is_none(value):
    assert from_fileuri(value) is None
