"""A role of AWS: whom it asks, with what; renewal before the end; refusals; no secret told."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import botocore.credentials
import pytest

from infra.bench.s3_process import S3Server, s3_server
from shared.adapters.objects.s3 import S3Objects
from shared.errors import AccessDeniedError, CredentialsError, StoreUnavailableError, StoreUnreachableError
from shared.ports import ObjectStore
from shared.settings import Settings
from tests.identities import (
    AS_ROLE,
    identities,
    identity_settings,
    open_store,
    refused,
)
from tests.identity_servers import (
    AWS_KEYS,
    EXTERNAL_ID,
    ROLE,
    Identities,
)

__all__ = ["identities", "identity_settings", "open_store"]

Open = Callable[..., ObjectStore]
Make = Callable[..., Settings]


@pytest.fixture(scope="module")
def s3_process() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(s3_process: S3Server, identities: Identities, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """A bucket for the role alone; this process is somebody whom nobody knows."""
    s3_process.reset(everything=True)
    s3_process.put("bucket", "key", "body")
    s3_process.access(identities.session[0], identities.session[2])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY0000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nobodys-secret")
    return s3_process


@pytest.fixture
def role(s3: S3Server) -> dict[str, Any]:
    return {**AS_ROLE, "bucket": "bucket", "s3_endpoint": s3.endpoint, "region_name": "eu-west-1"}


class TestRole:
    def test_the_role_is_assumed_once_and_its_session_is_used(
        self, role: dict[str, Any], identities: Identities, s3: S3Server, open_store: Open
    ) -> None:
        store = open_store("s3s", role)
        assert [info.key for page in store.pages() for info in page] == ["key"]
        assert store.read("key", store.stat("key").version) == b"body"
        store.write("a//b", b"x", content_type="text/plain")
        [(operation, form)] = identities.asked
        assert operation == "AssumeRole"
        assert (form["RoleArn"], form["ExternalId"]) == (ROLE, EXTERNAL_ID)
        assert set(s3.stats()["statuses"]) == {"200"}

    def test_without_keys_the_process_asks(
        self, role: dict[str, Any], identities: Identities, open_store: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", AWS_KEYS[0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", AWS_KEYS[1])
        open_store("s3s", {**role, "aws_access_key_id": "", "aws_secret_access_key": ""}).check()
        assert len(identities.issued) == 1

    def test_a_session_is_replaced_before_its_end(
        self,
        role: dict[str, Any],
        identities: Identities,
        s3: S3Server,
        open_store: Open,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("shared.adapters.objects.s3_client.CREDENTIAL_LIFE", timedelta())
        store = open_store("s3s", role)
        assert isinstance(store, S3Objects)
        version = store.stat("key").version
        assert store.read("key", version) == b"body"
        identities.generation = 2
        store.check()
        assert len(identities.issued) == 1, "it is good for an hour"
        identities.life = 2 * 3600.0
        late = botocore.credentials._local_now() + timedelta(minutes=51)
        monkeypatch.setattr("botocore.credentials._local_now", lambda: late)
        store._clients().credentials._time_fetcher = lambda: late
        s3.access(identities.session[0], identities.session[2])
        store.check()
        echo = {"status": 403, "code": "AccessDenied", "message": " ".join(identities.session)}
        s3.faults({"action": "status", "op": "list", **echo})
        refused(store.check, AccessDeniedError)
        assert store.read("key", version) == b"body", "obstore has the new one"
        assert len(identities.issued) == 2

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            ({"external_id": "somebody-elses"}, "AccessDenied: User: arn:aws:iam::111122223333:user/sluice"),
            ({"role_arn": ROLE + "2"}, f"on resource: {ROLE}2"),
            ({"aws_access_key_id": "AKIASOMEBODYELSE0000"}, "InvalidClientTokenId"),
        ],
    )
    def test_a_refusal_says_what_to_do(
        self, wrong: dict[str, str], told: str, role: dict[str, Any], identities: Identities, open_store: Open
    ) -> None:
        store = open_store("s3s", {**role, **wrong})
        for call in (store.check, lambda: store.read("key", "x"), lambda: store.stat("key")):
            error = refused(call, CredentialsError)
            assert error.message.startswith(f"AWS does not let this server assume {wrong.get('role_arn', ROLE)}: ")
            assert told in error.detail

    def test_a_refusal_in_the_middle_is_told_by_reads_too(
        self,
        role: dict[str, Any],
        identities: Identities,
        open_store: Open,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr("shared.adapters.objects.s3_client.CREDENTIAL_LIFE", timedelta())
        store = open_store("s3s", role)
        assert isinstance(store, S3Objects)
        version = store.stat("key").version
        late = botocore.credentials._local_now() + timedelta(minutes=51)
        monkeypatch.setattr("botocore.credentials._local_now", lambda: late)
        store._clients().credentials._time_fetcher = lambda: late
        identities.busy = True
        error = refused(lambda: store.read("key", version), StoreUnavailableError)
        assert error.message == f"AWS STS can't let us assume {ROLE} just now"
        identities.busy = identities.trusting = False
        error = refused(lambda: store.read("key", version), CredentialsError)
        assert error.detail.endswith(ROLE)
        assert "planted" not in caplog.text

    def test_nobody_there(self, role: dict[str, Any], open_store: Open, identity_settings: Make) -> None:
        store = open_store("s3s", role, identity_settings(aws_sts_endpoint="http://127.0.0.1:9"))
        error = refused(store.check, StoreUnreachableError)
        assert error.message == f"Cannot reach AWS STS to assume {ROLE}"
