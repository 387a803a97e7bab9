"""What only S3 has: refusals, credentials and secrets, faults on the way, keys that obstore can't say."""

import socket
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.bench.s3_process import S3Server, s3_server
from shared.adapters.objects.s3 import S3Objects
from shared.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    CredentialsError,
    InvalidKeyError,
    ObjectError,
    ObjectNotFoundError,
    PrefixEmptyError,
    StoreError,
    StoreUnavailableError,
    StoreUnreachableError,
    VersionMismatchError,
    WriteUnknownError,
)
from tests.conformance.objects_place import keys_of
from tests.conformance.test_objects_s3_texts import contents, page

ACCESS_KEY = "AKIAPLANTEDPLANTED00"
SECRET_KEY = "planted/Secret+Key=0123456789abcdefghij"
TOKEN = "planted-session-token//+=="
WEIRD = "weird//key"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture
def s3(server: S3Server) -> S3Server:
    server.reset(everything=True)
    server.bucket("bucket")
    return server


@pytest.fixture
def connect(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., S3Objects]]:
    """Makes stores that don't wait long, in an environment that says nothing of AWS."""
    monkeypatch.setattr("shared.adapters.objects.attempts.BACKOFF", 0.001)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    opened = []

    def make(bucket: str = "bucket", **options: Any) -> S3Objects:
        fixed: dict[str, Any] = {"endpoint": s3.endpoint, "attempts": 2}
        keys: dict[str, Any] = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "session_token": TOKEN}
        store = S3Objects(bucket, **(fixed | keys | options))
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(connect: Callable[..., S3Objects]) -> S3Objects:
    return connect()


CALLS: dict[str, Callable[[S3Objects], object]] = {
    "list": lambda store: list(store.pages()),
    "check": lambda store: store.check(),
    "read": lambda store: store.read("key", "version"),
    "read by boto3": lambda store: store.read(WEIRD, "version"),
    "stat": lambda store: store.stat("key"),
    "write": lambda store: store.write("key", b"body", content_type="text/plain"),
    "delete": lambda store: store.delete("key"),
}
REFUSALS: list[tuple[int, str, type[StoreError], bool]] = [
    (400, "ExpiredToken", CredentialsError, True),
    (401, "Unauthorized", CredentialsError, True),
    (403, "InvalidAccessKeyId", CredentialsError, True),
    (403, "SignatureDoesNotMatch", CredentialsError, True),
    (403, "RequestTimeTooSkewed", CredentialsError, True),
    (403, "AccessDenied", AccessDeniedError, True),
    (404, "NoSuchBucket", BucketNotFoundError, True),
    (400, "InvalidRequest", StoreError, True),
    (400, "AuthorizationHeaderMalformed", StoreError, True),
    (429, "TooManyRequests", StoreUnavailableError, False),
    (503, "SlowDown", StoreUnavailableError, False),
    (500, "InternalError", StoreUnavailableError, False),
    (501, "NotImplemented", StoreError, True),
    (502, "BadGateway", StoreUnavailableError, False),
    (504, "GatewayTimeout", StoreUnavailableError, False),
]


# Refusals.


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("status", "code", "kind", "permanent"), REFUSALS)
def test_a_refusal_is_one_of_our_errors(
    call: str, status: int, code: str, kind: type[StoreError], permanent: bool, s3: S3Server, store: S3Objects
) -> None:
    s3.faults({"action": "status", "status": status, "code": code, "count": -1})
    with pytest.raises(StoreError) as caught:
        CALLS[call](store)
    assert type(caught.value) is kind
    assert caught.value.permanent is permanent
    assert code in caught.value.detail or (call == "stat" and str(status) in caught.value.detail)


@pytest.mark.parametrize("call", CALLS)
def test_no_secret_gets_into_an_error(call: str, s3: S3Server, store: S3Objects) -> None:
    spilled = (
        f"{ACCESS_KEY} {SECRET_KEY} {TOKEN} http://x/y?X-Amz-Signature=abcdef123 <StringToSign>AWS4-HMAC</StringToSign>"
    )
    for rule in (
        {"action": "status", "status": 403, "code": "SignatureDoesNotMatch", "message": spilled},
        {"action": "status", "status": 400, "code": "Strange", "message": spilled},
        {"action": "status", "status": 503, "code": "SlowDown", "message": spilled},
        {"action": "drop"},
    ):
        s3.faults(rule | {"count": -1})
        with pytest.raises(StoreError) as caught:
            CALLS[call](store)
        assert_clean(caught.value)


def test_no_secret_gets_into_an_error_when_nothing_answers(connect: Callable[..., S3Objects]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        for name, call in CALLS.items():
            with pytest.raises(StoreUnreachableError, match=address) as caught:
                call(connect(endpoint=f"http://{address}"))
            assert not caught.value.permanent, name
            assert_clean(caught.value)


def assert_clean(error: BaseException) -> None:
    seen: BaseException | None = error
    texts = ["".join(traceback.format_exception(error))]
    while seen:
        texts += [str(seen), repr(seen), getattr(seen, "detail", "")]
        assert isinstance(seen, StoreError), "a provider's exception may hold a signed URL"
        seen = seen.__cause__ or seen.__context__
    for text in texts:
        assert not [secret for secret in (ACCESS_KEY, SECRET_KEY, TOKEN) if secret in text]
        assert "abcdef123" not in text
        assert "X-Amz-" not in text
        assert "AWS4-HMAC" not in text


def test_refused_credentials_are_told_as_people_know_it(s3: S3Server, connect: Callable[..., S3Objects]) -> None:
    s3.access("AKIAOTHER")
    with pytest.raises(CredentialsError) as caught:
        connect().check()
    assert caught.value.message == "Cannot connect to S3 bucket with specified AWS credentials"
    assert caught.value.detail.startswith("InvalidAccessKeyId: ")
    s3.access("")
    s3.bucket("bucket", forbidden=True)
    with pytest.raises(AccessDeniedError) as denied:
        connect().check()
    assert denied.value.message == "Cannot connect to S3 bucket with specified AWS credentials"
    with pytest.raises(BucketNotFoundError, match="Cannot find bucket nowhere in S3"):
        connect("nowhere").check()


def test_a_bucket_that_is_gone_does_not_make_its_objects_gone(s3: S3Server, store: S3Objects) -> None:
    with pytest.raises(ObjectNotFoundError):
        store.stat("key")
    s3.drop("bucket")
    for call in (store.stat, lambda key: store.read(key, "version")):
        for key in ("key", WEIRD):
            with pytest.raises(BucketNotFoundError):
                call(key)


def test_a_wrong_region_is_told(s3: S3Server, store: S3Objects) -> None:
    region = {"x-amz-bucket-region": "eu-west-1"}
    s3.faults({"action": "status", "status": 301, "code": "PermanentRedirect", "headers": region, "count": -1})
    with pytest.raises(
        StoreError, match="Bucket bucket is in eu-west-1, not in the configured region: set region_name"
    ):
        store.check()
    with pytest.raises(StoreError, match="Bucket bucket is not in the configured region: set region_name"):
        store.read("key", "version")


def test_an_archived_object_is_one_objects_problem(s3: S3Server, store: S3Objects) -> None:
    s3.faults({"action": "status", "status": 403, "code": "InvalidObjectState", "count": -1})
    with pytest.raises(ObjectError, match="archived"):
        store.read("key", "version")


def test_a_key_that_is_too_long_is_invalid(s3: S3Server, store: S3Objects) -> None:
    store.write("k" * 1024, b"", content_type="text/plain")
    with pytest.raises(InvalidKeyError):
        store.write("k" * 1025, b"", content_type="text/plain")


@pytest.mark.parametrize(("bucket", "endpoint"), [("no bucket", None), ("bucket", "nonsense"), ("bucket", "ftp:/x")])
def test_an_address_that_is_none_is_an_error(bucket: str, endpoint: str, connect: Callable[..., S3Objects]) -> None:
    options = {"endpoint": endpoint} if endpoint else {}
    with pytest.raises(StoreError) as caught:
        connect(bucket, **options).check()
    assert_clean(caught.value)


# Identity.


@pytest.mark.parametrize(
    "keys",
    [
        {"access_key": None, "secret_key": None, "session_token": None},
        {"access_key": ACCESS_KEY, "secret_key": "", "session_token": None},
        {"access_key": "", "secret_key": SECRET_KEY, "session_token": None},
    ],
)
def test_missing_credentials_say_what_to_fill_in(keys: dict[str, Any], connect: Callable[..., S3Objects]) -> None:
    for call in CALLS.values():
        with pytest.raises(CredentialsError, match="fill in aws_access_key_id and aws_secret_access_key") as caught:
            call(connect(**keys))
        assert_clean(caught.value)


@pytest.mark.parametrize("bad", ["line\nbreak", "bl ank", "\u00e9", "nul\0"])
def test_keys_that_can_be_none_are_told(bad: str, connect: Callable[..., S3Objects]) -> None:
    for keys in ({"access_key": bad}, {"secret_key": bad}, {"session_token": bad}):
        with pytest.raises(CredentialsError, match="It seems access keys are incorrect"):
            connect(**keys).check()


def test_blanks_around_keys_are_forgiven(s3: S3Server, connect: Callable[..., S3Objects]) -> None:
    s3.access(ACCESS_KEY)
    connect(access_key=f" {ACCESS_KEY}\n", secret_key=f"{SECRET_KEY} ").check()


def test_the_default_chain_serves_listings_and_reads(
    s3: S3Server, connect: Callable[..., S3Objects], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFROMENVIRONMENT0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    version = s3.put("bucket", "key", "body")
    s3.put("bucket", WEIRD, "body")
    s3.access("AKIAFROMENVIRONMENT0")
    store = connect(access_key=None, secret_key=None, session_token=None)
    assert keys_of(store) == ["key", WEIRD]
    assert store.read("key", version) == store.read(WEIRD, version) == b"body"
    message = {"message": f"{SECRET_KEY} AKIAFROMENVIRONMENT0"}
    s3.faults({"action": "status", "status": 403, "code": "AccessDenied", "count": -1} | message)
    with pytest.raises(AccessDeniedError) as caught:
        store.check()
    assert_clean(caught.value)


def test_given_keys_are_not_mixed_with_the_environment(
    s3: S3Server, connect: Callable[..., S3Objects], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAOTHER",
        "AWS_SECRET_ACCESS_KEY": "other",
        "AWS_SESSION_TOKEN": "other",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    }.items():
        monkeypatch.setenv(name, value)
    version = s3.put("bucket", "key", "body")
    s3.access(ACCESS_KEY)
    store = connect()
    store.check("key", need_object=True)
    assert store.read("key", version) == b"body"


def test_anonymous_asks_without_credentials(s3: S3Server, connect: Callable[..., S3Objects]) -> None:
    version = s3.put("bucket", "key", "body")
    store = connect(access_key=None, secret_key=None, session_token=None, anonymous=True)
    assert keys_of(store) == ["key"]
    assert store.read("key", version) == b"body"
    s3.access(ACCESS_KEY)
    with pytest.raises(AccessDeniedError):
        store.read("key", version)


@pytest.mark.parametrize("status", [200, 301, 403])
def test_the_region_is_found_where_none_is_given(
    status: int, s3: S3Server, connect: Callable[..., S3Objects], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    headers = {"x-amz-bucket-region": "ap-south-1"}
    s3.faults({"action": "status", "op": "head_bucket", "status": status, "headers": headers, "count": -1})
    version = s3.put("bucket", "key", "body")
    store = connect(endpoint=None)
    assert store.read("key", version) == b"body"
    assert store._clients().boto.meta.region_name == "ap-south-1"
    assert store._clients().reader.config["region"] == "ap-south-1"


# Faults on the way.


@pytest.mark.parametrize("fault", [{"action": "status"}, {"action": "drop"}, {"action": "truncate"}])
@pytest.mark.parametrize("op", ["list", "get"])
def test_a_passing_fault_is_not_noticed(
    op: str, fault: dict[str, Any], s3: S3Server, connect: Callable[..., S3Objects]
) -> None:
    store = connect(attempts=4)
    version = s3.put("bucket", "key", "body" * 1000)
    s3.put("bucket", WEIRD, "body" * 1000)
    if op == "list":
        s3.faults(fault | {"op": op, "count": 2})
        assert keys_of(store) == ["key", WEIRD]
        assert s3.stats()["ops"]["list"] == 3
        return
    s3.faults(fault | {"op": op, "key": "^key$"})
    assert store.read("key", version) == b"body" * 1000
    s3.faults(fault | {"op": op, "key": "^weird"})
    assert store.read(WEIRD, version) == b"body" * 1000


@pytest.mark.parametrize("call", CALLS)
def test_attempts_are_bounded(call: str, s3: S3Server, connect: Callable[..., S3Objects]) -> None:
    store = connect(attempts=3)
    store._clients()
    s3.faults({"action": "status", "status": 503, "count": -1})
    s3.reset()
    with pytest.raises(StoreUnavailableError, match="asks to slow down"):
        CALLS[call](store)
    assert s3.stats()["statuses"]["503"] == 3


@pytest.mark.parametrize("key", ["key", WEIRD])
def test_an_answer_that_does_not_come_is_given_up(key: str, s3: S3Server, connect: Callable[..., S3Objects]) -> None:
    version = s3.put("bucket", key, "body")
    store = connect(read_timeout=0.05, attempts=1)
    s3.faults({"action": "hold", "count": -1})
    with pytest.raises(StoreUnavailableError, match="broke or was too slow"):
        store.check()
    with pytest.raises(StoreUnavailableError, match="broke or was too slow"):
        store.read(key, version)
    s3.faults()


def test_ranges_of_a_replaced_object_are_never_mixed(s3: S3Server, store: S3Objects) -> None:
    version = s3.put("bucket", "key", "old" * 10)
    s3.faults({"action": "mutate", "op": "get", "target": "key", "body": "new" * 10})
    assert store.read("key", version, offset=0, length=15) == b"old" * 5
    with pytest.raises(VersionMismatchError):
        store.read("key", version, offset=15, length=15)


def test_an_object_that_goes_during_a_read_is_told(s3: S3Server, store: S3Objects) -> None:
    version = s3.put("bucket", "key", "body")
    s3.faults({"action": "mutate", "op": "get", "target": "key", "body": None})
    assert store.read("key", version) == b"body"
    with pytest.raises(ObjectNotFoundError):
        store.read("key", version)


def test_who_may_list_a_prefix_alone_learns_what_is_gone(s3: S3Server, store: S3Objects) -> None:
    """Amazon answers such a one with 403 where an object is missing."""
    s3.put("bucket", "img/2", "body")
    denied = {"action": "status", "status": 403, "code": "AccessDenied", "count": -1}
    s3.faults(denied | {"op": "list", "key": "^$"}, denied | {"op": "head"})
    with pytest.raises(ObjectNotFoundError):
        store.stat("img/1")
    with pytest.raises(ObjectNotFoundError):
        store.stat("img/")
    with pytest.raises(AccessDeniedError):
        store.stat("img/2")


def test_a_conflict_of_two_writers_is_worth_another_try(s3: S3Server, store: S3Objects) -> None:
    s3.faults({"action": "status", "status": 409, "code": "ConditionalRequestConflict", "count": -1})
    with pytest.raises(StoreUnavailableError):
        store.write("key", b"", content_type="text/plain", expect="")


@pytest.mark.parametrize("key", ["key", WEIRD])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, {}),
        ({"encrypt": True}, {"x-amz-server-side-encryption": "AES256"}),
        (
            {"encrypt": True, "kms_key": "arn:aws:kms:eu-west-1:1:key/k"},
            {
                "x-amz-server-side-encryption": "aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:eu-west-1:1:key/k",
            },
        ),
    ],
)
def test_what_is_written_is_encrypted_as_the_storage_says(
    key: str, options: dict[str, Any], said: dict[str, str], s3: S3Server, connect: Callable[..., S3Objects]
) -> None:
    store = connect(**options)
    store.read("key", store.write("key", b"body", content_type="a/b"))
    store.write(key, b"body", content_type="application/json", metadata={"revision": "7"})
    assert s3.about("bucket", key) == {"content-type": "application/json", "x-amz-meta-revision": "7", **said}


def test_a_delete_of_what_is_gone_is_fine_however_it_is_refused(s3: S3Server, store: S3Objects) -> None:
    for status, code in ((412, "PreconditionFailed"), (404, "NoSuchKey")):
        s3.faults({"action": "status", "op": "delete", "status": status, "code": code})
        store.delete("absent", expect="version")
    version = s3.put("bucket", "there", "body")
    s3.faults({"action": "status", "op": "delete", "status": 412, "code": "PreconditionFailed"})
    with pytest.raises(VersionMismatchError):
        store.delete("there", expect=version)


@pytest.mark.parametrize("key", ["key", WEIRD])
def test_a_refusal_after_a_doubtful_answer_is_doubtful(key: str, s3: S3Server, store: S3Objects) -> None:
    s3.put("bucket", key, "somebody's")
    for fault in ({"action": "status", "status": 500, "code": "InternalError"}, {"action": "drop"}):
        s3.faults(fault | {"op": "put"})
        with pytest.raises(WriteUnknownError, match="An answer was lost, and now s3://bucket/"):
            store.write(key, b"mine", content_type="text/plain", expect="")
    assert s3.get("bucket", key) == b"somebody's"


# Keys.


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(alphabet="ab./\\%+?# ~\x00\x01\x1f\x7f\x85\u00e9\u2028\U0001f600", min_size=1, max_size=8))
def test_a_read_is_of_exactly_the_key(key: str, s3: S3Server, store: S3Objects) -> None:
    decoy = key.strip("/") or "decoy"
    s3.put("bucket", decoy, "decoy")
    version = s3.put("bucket", key, "body")
    assert store.read(key, version) == b"body"


# Listings.


def test_the_token_says_more_and_not_the_length(store: S3Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>t%s</NextContinuationToken>"
    answers = {
        None: page(more=more % 1),
        "t1": page(contents("a"), more % 2),
        "t2": page(more=more % 3),
        "t3": page(contents("b"), "<IsTruncated>false</IsTruncated>"),
    }
    monkeypatch.setattr(store, "_fetch", lambda params: answers[params.get("ContinuationToken")])
    assert [[info.key for info in found] for found in store.pages()] == [[], ["a"], [], ["b"]]
    store.check("", need_object=True)
    answers["t1"] = page(more="<IsTruncated>false</IsTruncated>")
    with pytest.raises(PrefixEmptyError):
        store.check("", need_object=True)
