"""What of the S3 adapter needs no server: which keys obstore can say, how a listing is read, what is redacted."""

import pytest

from shared.adapters.objects.redact import redact
from shared.adapters.objects.s3 import survives_path
from shared.adapters.objects.s3_listing import parse_page
from shared.errors import StoreError
from shared.ports import ObjectInfo


@pytest.mark.parametrize(
    "key", ["a", "a/b", "a.b", "...", "a/...", ".a", "a..", "a b", "%2F", "\x80", "\u00e9", "~", "a\\b"]
)
def test_obstore_can_say_most_keys(key: str) -> None:
    assert survives_path(key)


@pytest.mark.parametrize(
    "key", ["", "/", "/a", "a/", "a//b", ".", "..", "a/.", "../a", "a/./b", "\x00", "a\x1f", "\x7f"]
)
def test_obstore_can_not_say_some_keys(key: str) -> None:
    assert not survives_path(key)


# Listings.


def page(contents: str = "", more: str = "", space: str = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"') -> bytes:
    return f"<?xml version='1.0'?><ListBucketResult{space}><Name>b</Name>{more}{contents}</ListBucketResult>".encode()


def contents(key: str) -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;e&quot;</ETag>"
        "<Size>7</Size><Owner><ID>x</ID></Owner></Contents>"
    )


def test_an_entry_is_read_whole() -> None:
    for space in ("", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', ' xmlns="http://other/"'):
        assert parse_page(page(contents("a%2Bb"), space=space)).objects == [ObjectInfo("a%2Bb", 7, "e", 1767323045.678)]


def test_keys_are_decoded_only_if_the_answer_says_so() -> None:
    url = "<EncodingType>url</EncodingType>"
    assert parse_page(page(contents("a+b%2B%25/%C3%A9"), url)).objects[0].key == "a b+%/\u00e9"
    assert parse_page(page(contents("a+b%2B"))).objects[0].key == "a+b%2B"
    assert parse_page(page(contents(" a\n"), url)).objects[0].key == " a\n"


def test_a_key_that_is_no_text_has_a_problem() -> None:
    found = parse_page(page(contents("a%FFb") + contents("%EF%BF%BD"), "<EncodingType>url</EncodingType>")).objects
    assert [(info.key, bool(info.problem)) for info in found] == [("a\ufffdb", True), ("\ufffd", False)]


BOMB = "<!DOCTYPE x [<!ENTITY a 'secret'><!ENTITY b SYSTEM 'file:///etc/passwd'>]>"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Sign in</body></html>",
        b"{}",
        page(more="<IsTruncated>true</IsTruncated>"),
        page("<Contents><Key>a</Key><Size>1</Size></Contents>"),
        page(contents("a\x01")),
    ],
)
def test_what_is_no_listing_is_an_error(body: bytes) -> None:
    with pytest.raises(StoreError, match="The store's"):
        parse_page(body)


def test_entities_are_not_resolved() -> None:
    body = page(contents("&a;&b;")).replace(b"?><List", b"?>" + BOMB.encode() + b"<List")
    assert all("secret" not in info.key and "root" not in info.key for info in parse_page(body).objects)


# Redaction.


@pytest.mark.parametrize(
    "text",
    [
        "GET https://b.s3.amazonaws.com/k?X-Amz-Credential=SECRET%2F2026&X-Amz-Signature=SECRET failed",
        "HTTPConnectionPool(host='h', port=1): Max retries exceeded with url: /k?X-Amz-Signature=SECRET (why)",
        "http://user:SECRET@minio:9000/bucket",
        "Authorization: AWS4-HMAC-SHA256 Credential=SECRET/2026, SignedHeaders=host, Signature=SECRET",
        "<StringToSign>AWS4-HMAC\nSECRET\nSECRET</StringToSign>",
        "<AWSAccessKeyId>SECRET</AWSAccessKeyId><SignatureProvided>SECRET</SignatureProvided>",
        '{"aws_secret_access_key": "SECRET", "session_token": "SECRET"}',
        "aws_secret_access_key=SECRET",
        "password: SECRET",
        "Bearer SECRET.SECRET",
        "the key ASIASECRETSECRET0000 is wrong",
        "known-SECRET-value and its form known-SECRET-value%2F",
    ],
)
def test_a_provider_text_loses_its_secrets(text: str) -> None:
    assert "SECRET" not in redact(text, ["known-SECRET-value"])


def test_the_rest_of_a_provider_text_stays() -> None:
    text = 'AccessDenied: User arn:aws:iam::123:user/me is not authorized to perform s3:ListBucket on "arn:aws:s3:::b"'
    assert redact(text, ["other"]) == text
    assert redact("No tokens left? Try https://host/path later") == "No tokens left? Try https://host/path later"
    assert len(redact("x" * 5000)) == 500
