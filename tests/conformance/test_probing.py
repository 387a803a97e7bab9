"""What the probe of a target says where something is missing, on a server that refuses it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.bench.s3_process import S3Server, s3_server
from shared.adapters.objects.s3 import S3Objects
from shared.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    CredentialsError,
    StoreError,
    StoreUnavailableError,
    StoreUnreachableError,
)
from shared.services.storages.probing import PROBE, probe_target
from tests.cutting_proxy import cutting_proxy

Connect = Callable[..., S3Objects]
DENIED = {"action": "status", "status": 403, "code": "AccessDenied", "message": "told", "count": -1}


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
def connect(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    monkeypatch.setattr("shared.adapters.objects.attempts.BACKOFF", 0.001)
    opened = []

    def make(bucket: str = "bucket", **options: Any) -> S3Objects:
        fixed = {"endpoint": s3.endpoint, "attempts": 2, "access_key": "key", "secret_key": "secret"}
        store = S3Objects(bucket, **(fixed | options))
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


@pytest.mark.parametrize(
    ("op", "skip", "doing", "grant"),
    [
        ("put", 0, "create", "s3:PutObject"),
        ("get", 0, "read", "s3:GetObject"),
        ("head", 0, "read", "s3:GetObject"),
        ("list", 0, "list", "s3:ListBucket"),
        ("put", 1, "overwrite", "s3:PutObject"),
    ],
)
def test_a_missing_permission_is_named(
    op: str, skip: int, doing: str, grant: str, s3: S3Server, connect: Connect
) -> None:
    s3.faults(DENIED | {"op": op, "skip": skip})
    with pytest.raises(AccessDeniedError) as caught:
        probe_target(connect(), "out/")
    assert caught.value.message.startswith(
        f"The credentials may not {doing} objects below s3://bucket/out/: that needs {grant}"
    )
    assert caught.value.permanent
    assert "left behind" not in str(caught.value)
    assert s3.keys("bucket") == []


def test_what_may_not_be_deleted_is_named(s3: S3Server, connect: Connect) -> None:
    s3.faults(DENIED | {"op": "delete"})
    with pytest.raises(AccessDeniedError, match="may not delete objects below s3://bucket/out/") as caught:
        probe_target(connect(), "out/")
    left = s3.keys("bucket")
    assert len(left) == 1
    assert left[0].startswith(f"out/{PROBE}")
    assert f"{left[0]} is left behind." in caught.value.message


def test_a_target_that_never_deletes_need_not_be_allowed_to(s3: S3Server, connect: Connect) -> None:
    s3.faults(DENIED | {"op": "delete"})
    found = probe_target(connect(), "out/", need_delete=False)
    assert (found.conditional, found.conditional_deletes, found.deletes) == (True, False, False)
    assert s3.keys("bucket") == [found.left]


def test_a_server_that_ignores_conditions_is_found_out(s3: S3Server, connect: Connect) -> None:
    s3.lenient()
    found = probe_target(connect(), "")
    assert (found.conditional, found.conditional_deletes, found.keeps_metadata) == (False, False, True)
    assert s3.keys("bucket") == []


@pytest.mark.parametrize("skip", [0, 1])
def test_a_server_that_refuses_conditions_is_found_out(skip: int, s3: S3Server, connect: Connect) -> None:
    refusal = {"action": "status", "op": "put", "status": 501, "code": "NotImplemented", "skip": skip}
    s3.faults(refusal)
    found = probe_target(connect(attempts=1), "")
    assert found.conditional is False
    assert s3.keys("bucket") == []


def test_conditional_deletes_are_looked_at_by_themselves(s3: S3Server, connect: Connect) -> None:
    s3.faults({"action": "status", "op": "delete", "status": 400, "code": "InvalidArgument"})
    found = probe_target(connect(), "")
    assert (found.conditional, found.conditional_deletes, found.deletes) == (True, False, True)
    assert s3.keys("bucket") == []


STEPS = [("put", 4), ("head", 2), ("get", 1), ("list", 1), ("delete", 2)]
"""What the probe of a good server asks, and how often."""


def test_the_probe_asks_only_so_much(s3: S3Server, connect: Connect) -> None:
    probe_target(connect(), "out/")
    assert s3.stats()["ops"] == dict(STEPS)


@pytest.mark.parametrize(("op", "skip"), [(op, skip) for op, times in STEPS for skip in range(times)])
def test_nothing_is_left_by_a_probe_that_breaks_off(op: str, skip: int, s3: S3Server, connect: Connect) -> None:
    s3.faults({"action": "status", "op": op, "skip": skip, "status": 503})
    with pytest.raises(StoreUnavailableError):
        probe_target(connect(attempts=1), "out/")
    assert s3.keys("bucket") == []


def test_a_lost_answer_does_not_disturb_it(s3: S3Server, connect: Connect) -> None:
    with cutting_proxy(int(s3.address.rpartition(":")[2])) as proxy:
        store = connect(endpoint=f"http://127.0.0.1:{proxy.port}")
        proxy.lose("PUT ")
        found = probe_target(store, "")
        assert proxy.left == 0
    assert found.conditional
    assert s3.keys("bucket") == []


def test_what_is_no_permission_is_told_as_it_is(s3: S3Server, connect: Connect) -> None:
    with pytest.raises(BucketNotFoundError):
        probe_target(connect("missing"), "")
    s3.access("another key")
    with pytest.raises(CredentialsError):
        probe_target(connect(), "")
    with pytest.raises(StoreUnreachableError):
        probe_target(connect(endpoint="http://127.0.0.1:9"), "")
    assert s3.keys("bucket") == []


def test_what_changes_writes_on_the_way_is_told(s3: S3Server, connect: Connect) -> None:
    class Changing(S3Objects):
        """As a gateway does that rewrites what goes through it."""

        def write(self, key: str, body: bytes, **options: Any) -> str:
            return super().write(key, body, **options)[::-1]

    store = Changing("bucket", endpoint=s3.endpoint, access_key="key", secret_key="secret")
    with pytest.raises(StoreError, match="is not as it was written"):
        probe_target(store, "")
    store.close()
    assert s3.keys("bucket") == []
