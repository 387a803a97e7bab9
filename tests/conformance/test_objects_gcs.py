"""What only Google Cloud Storage has: refusals, identity and secrets, generations, payers, faults on the way."""

import json
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.bench.s3_process import GcsServer, gcs_server
from shared.adapters.objects.gcs import GcsObjects
from shared.adapters.objects.gcs_listing import parse_page
from shared.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    CredentialsError,
    ObjectNotFoundError,
    PrefixEmptyError,
    StoreError,
    StoreUnavailableError,
    StoreUnreachableError,
    VersionMismatchError,
)
from tests.conformance.objects_place import keys_of

TOKEN = "ya29.planted-token-0123456789"
CALLS: dict[str, Callable[[GcsObjects], object]] = {
    "list": lambda store: list(store.pages()),
    "check": lambda store: store.check(),
    "read": lambda store: store.read("key", "1"),
    "stat": lambda store: store.stat("key"),
    "write": lambda store: store.write("key", b"body", content_type="text/plain"),
    "delete": lambda store: store.delete("key"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[GcsServer]:
    with gcs_server() as running:
        yield running


@pytest.fixture
def gcs(server: GcsServer) -> GcsServer:
    server.reset(everything=True)
    server.bucket("bucket")
    return server


@pytest.fixture
def connect(gcs: GcsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., GcsObjects]]:
    monkeypatch.setattr("shared.adapters.objects.attempts.BACKOFF", 0.001)
    opened = []

    def make(bucket: str = "bucket", **options: Any) -> GcsObjects:
        store = GcsObjects(bucket, **({"endpoint": gcs.endpoint, "attempts": 2} | options))
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(connect: Callable[..., GcsObjects]) -> GcsObjects:
    return connect()


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def key_file(private_key: str, endpoint: str) -> str:
    key = {"type": "service_account", "project_id": "p", "private_key_id": "planted-id", "private_key": private_key}
    return json.dumps({**key, "client_email": "s@p.iam.gserviceaccount.com", "token_uri": f"{endpoint}/token"})


def assert_clean(error: BaseException, *secrets: str) -> None:
    seen: BaseException | None = error
    texts = ["".join(traceback.format_exception(error))]
    while seen:
        texts += [str(seen), repr(seen), getattr(seen, "detail", "")]
        assert isinstance(seen, StoreError), "a provider's exception may hold a secret"
        seen = seen.__cause__ or seen.__context__
    assert not [secret for secret in (TOKEN, *secrets) for text in texts if secret in text]


# Refusals.


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid", StoreError),
        (401, "authError", CredentialsError),
        (403, "forbidden", AccessDeniedError),
        (403, "rateLimitExceeded", StoreUnavailableError),
        (404, "notFound", BucketNotFoundError),
        (408, "requestTimeout", StoreUnavailableError),
        (429, "rateLimitExceeded", StoreUnavailableError),
        (500, "backendError", StoreUnavailableError),
        (503, "backendError", StoreUnavailableError),
    ],
)
def test_a_refusal_is_one_of_our_errors(
    call: str, status: int, code: str, kind: type[StoreError], gcs: GcsServer, store: GcsObjects
) -> None:
    gcs.faults({"action": "status", "status": status, "code": code, "message": "told", "count": -1})
    with pytest.raises(StoreError) as caught:
        CALLS[call](store)
    assert type(caught.value) is kind
    assert caught.value.permanent is (kind is not StoreUnavailableError)
    assert caught.value.detail == f"{code}: told"
    assert_clean(caught.value)


def test_a_bucket_that_is_gone_does_not_make_its_objects_gone(gcs: GcsServer, store: GcsObjects) -> None:
    with pytest.raises(ObjectNotFoundError):
        store.stat("key")
    gcs.drop("bucket")
    for call in CALLS.values():
        with pytest.raises(BucketNotFoundError, match=r"bucket: The specified bucket does not exist\."):
            call(store)


def test_who_may_list_a_prefix_alone_learns_what_is_gone(gcs: GcsServer, store: GcsObjects) -> None:
    gcs.bucket("bucket")
    gcs.faults({"action": "status", "op": "list", "key": "^$", "status": 403, "code": "forbidden", "count": -1})
    with pytest.raises(ObjectNotFoundError):
        store.stat("img/1")
    store.delete("img/1")


def test_nothing_is_asked_of_the_bucket_itself(gcs: GcsServer, store: GcsObjects) -> None:
    version = store.write("key", b"body", content_type="text/plain")
    store.check(need_object=True)
    assert store.read("key", version) == b"body"
    store.delete("key")
    assert set(gcs.stats()["ops"]) <= {"list", "get", "head", "put", "delete"}


# Identity.


def test_a_service_account_asks_with_its_token(
    gcs: GcsServer, connect: Callable[..., GcsObjects], private_key: str
) -> None:
    gcs.put("bucket", "key", "body")
    gcs.access(TOKEN)
    with pytest.raises(CredentialsError, match="Cannot connect to Google Cloud Storage bucket bucket"):
        connect().check()
    store = connect(credentials_json=key_file(private_key, gcs.endpoint))
    for _ in range(3):
        assert keys_of(store) == ["key"]
    assert gcs.stats()["ops"]["token"] == 1
    spilled = f"{TOKEN} {private_key} planted-id {key_file(private_key, gcs.endpoint)}"
    gcs.faults({"action": "status", "op": "list", "status": 403, "code": "forbidden", "message": spilled})
    with pytest.raises(AccessDeniedError) as caught:
        store.check()
    assert_clean(caught.value, "planted-id", *private_key.splitlines()[1:-1])


def test_a_refused_key_is_told(gcs: GcsServer, connect: Callable[..., GcsObjects], private_key: str) -> None:
    gcs.faults({"action": "status", "op": "token", "status": 401, "message": private_key, "count": -1})
    with pytest.raises(CredentialsError, match="Google refuses the credentials") as caught:
        connect(credentials_json=key_file(private_key, gcs.endpoint)).check()
    assert_clean(caught.value, *private_key.splitlines()[1:-1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must be valid JSON string. Expecting property name"),
        ("[]", "must be the JSON key of a service account"),
        ('{"type": "authorized_user", "refresh_token": "PLANTED"}', "must be the JSON key of a service account"),
        ('{"type": "service_account", "private_key": "PLANTED"}', "must be the JSON key of a service account"),
        (key_file("-----BEGIN PRIVATE KEY-----\nPLANTED\n", "http://x"), "must be the JSON key of a service account"),
    ],
)
def test_what_is_no_key_is_told(text: str, message: str, connect: Callable[..., GcsObjects]) -> None:
    with pytest.raises(CredentialsError, match=message) as caught:
        connect(credentials_json=text).check()
    assert_clean(caught.value, "PLANTED")


def test_missing_credentials_say_what_to_fill_in(
    connect: Callable[..., GcsObjects], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent")
    with pytest.raises(CredentialsError, match="fill in google_application_credentials") as caught:
        connect(endpoint=None).check()
    assert_clean(caught.value)


def test_a_bucket_whose_readers_pay(gcs: GcsServer, connect: Callable[..., GcsObjects]) -> None:
    gcs.put("bucket", "key", "body")
    message = "Bucket is a requester pays bucket but no user project provided."
    asks = {"action": "status", "status": 400, "code": "required", "message": message}
    gcs.faults(asks | {"count": -1})
    with pytest.raises(StoreError, match="set google_project_id"):
        connect().check()
    gcs.faults(asks)
    assert keys_of(connect(project="payer")) == ["key"]


# Faults on the way.


@pytest.mark.parametrize("fault", [{"action": "status"}, {"action": "drop"}, {"action": "truncate"}])
@pytest.mark.parametrize("op", ["list", "get"])
def test_a_passing_fault_is_not_noticed(
    op: str, fault: dict[str, Any], gcs: GcsServer, connect: Callable[..., GcsObjects]
) -> None:
    store = connect(attempts=4)
    version = gcs.put("bucket", "key", "body" * 1000)
    gcs.faults(fault | {"op": op, "count": 2})
    assert keys_of(store) == ["key"]
    assert store.read("key", version) == b"body" * 1000
    assert gcs.stats()["ops"][op] == 3


@pytest.mark.parametrize("call", CALLS)
def test_attempts_are_bounded(call: str, gcs: GcsServer, connect: Callable[..., GcsObjects]) -> None:
    gcs.faults({"action": "status", "status": 503, "count": -1})
    with pytest.raises(StoreUnavailableError):
        CALLS[call](connect(attempts=3))
    assert gcs.stats()["statuses"]["503"] == 3


def test_an_answer_that_does_not_come_is_given_up(gcs: GcsServer, connect: Callable[..., GcsObjects]) -> None:
    store = connect(read_timeout=0.05, attempts=1)
    gcs.faults({"action": "hold", "count": -1})
    with pytest.raises(StoreUnavailableError, match="broke or was too slow"):
        store.check()
    gcs.faults()


def test_nothing_answers(connect: Callable[..., GcsObjects]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        store = connect(endpoint=f"http://127.0.0.1:{unused.getsockname()[1]}")
        for call in CALLS.values():
            with pytest.raises(StoreUnreachableError, match="Cannot reach Google Cloud Storage"):
                call(store)


def test_a_long_body_has_time_for_each_piece(connect: Callable[..., GcsObjects]) -> None:
    """The time-out for sending would otherwise be the one for connecting, however much is sent."""
    body, got = b"x" * 6_000_000, []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            while sum(got) < len(body):
                got.append(len(connection.recv(300_000)))
                time.sleep(0.03)
            item = b'{"name":"key","size":"1","generation":"7","updated":"2026-01-02T03:04:05Z"}'
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(item), item))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        store = connect(endpoint=endpoint, connect_timeout=0.3, read_timeout=30, attempts=1)
        assert store.write("key", body, content_type="text/plain") == "7"
        thread.join(10)


def test_what_is_written_is_encrypted_as_the_storage_says(gcs: GcsServer, connect: Callable[..., GcsObjects]) -> None:
    key = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
    connect(kms_key=key).write("key", b"body", content_type="application/json", metadata={"revision": "7"})
    assert gcs.about("bucket", "key") == {
        "content-type": "application/json",
        "x-goog-meta-revision": "7",
        "x-goog-encryption-kms-key-name": key,
    }


# Generations and pages.


def test_ranges_of_a_replaced_object_are_never_mixed(gcs: GcsServer, store: GcsObjects) -> None:
    version = gcs.put("bucket", "key", "old" * 10)
    gcs.faults({"action": "mutate", "op": "get", "target": "key", "body": "new" * 10})
    assert store.read("key", version, offset=0, length=15) == b"old" * 5
    with pytest.raises(VersionMismatchError):
        store.read("key", version, offset=15, length=15)
    gcs.faults({"action": "mutate", "op": "list", "target": "key", "body": None})
    store.check()
    with pytest.raises(ObjectNotFoundError):
        store.read("key", version)


def test_empty_pages_with_a_token_are_no_end(gcs: GcsServer, store: GcsObjects, monkeypatch: Any) -> None:
    monkeypatch.setattr("shared.adapters.objects.gcs.PAGE", 2)
    gcs.fill("bucket", 5)
    gcs.empty_pages(2)
    assert [len(page) for page in store.pages()] == [2, 0, 0, 2, 0, 0, 1]
    answers = {None: b'{"nextPageToken": "t"}', "t": b"{}"}
    monkeypatch.setattr(store, "_page", lambda prefix, **more: parse_page(answers[more.get("pageToken")]))
    with pytest.raises(PrefixEmptyError, match="No blobs found in bucket/p or prefix doesn't exist"):
        store.check("p", need_object=True)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"items": [{"name": "a"}]}', b'{"items": 1}'])
def test_what_is_no_listing_is_an_error(body: bytes) -> None:
    with pytest.raises(StoreError, match="The store's answer"):
        parse_page(body)
