"""AWS by a Google service account's token: who is asked, with what, when again; refusals; no secret told."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import botocore.credentials
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.bench.s3_process import S3Server, s3_server
from shared.adapters.objects import google_identity
from shared.adapters.objects.opening import Stores
from shared.errors import CredentialsError, StoreError, StoreUnavailableError, StoreUnreachableError
from shared.model.storage import Storage
from shared.ports import ObjectStore
from shared.settings import Settings
from tests.google_machine import UNIQUE_ID
from tests.identities import AS_ROLE, identities, identity_settings, open_store, refused
from tests.identity_servers import EXTERNAL_ID, ROLE, WEB_AUDIENCE, WEB_ROLE, Identities

__all__ = ["identities", "identity_settings", "open_store"]

Open = Callable[..., ObjectStore]
Make = Callable[..., Settings]
STRANGERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
TRADE, ASSUME = "AssumeRoleWithWebIdentity", "AssumeRole"


@pytest.fixture(scope="module")
def s3_process() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(s3_process: S3Server, identities: Identities, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """A bucket for the process's role alone; boto3's own chain would find somebody whom nobody knows."""
    s3_process.reset(everything=True)
    s3_process.put("bucket", "key", "body")
    s3_process.access(identities.web_session[0], identities.web_session[2])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY0000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nobodys-secret")
    monkeypatch.setattr("shared.adapters.objects.attempts.BACKOFF", 0.001)
    return s3_process


@pytest.fixture
def keyless(identity_settings: Make) -> Settings:
    return identity_settings(aws_web_identity_role_arn=WEB_ROLE)


@pytest.fixture
def fields(s3: S3Server) -> dict[str, Any]:
    return {"bucket": "bucket", "s3_endpoint": s3.endpoint, "region_name": "eu-west-1"}


@pytest.fixture
def later(identities: Identities, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Says how late it is, to all who look; obstore asks for credentials each time."""
    shift = SimpleNamespace(by=0.0)
    real, local = google_identity.time.time, botocore.credentials._local_now

    def remaining(credentials: Any) -> float:
        return float((credentials._expiry_time - local()).total_seconds()) - shift.by

    monkeypatch.setattr("botocore.credentials.RefreshableCredentials._seconds_remaining", remaining)
    monkeypatch.setattr("botocore.credentials._local_now", lambda: local() + timedelta(seconds=shift.by))
    monkeypatch.setattr(google_identity, "time", SimpleNamespace(time=lambda: real() + shift.by))
    monkeypatch.setattr("shared.adapters.objects.s3_client.CREDENTIAL_LIFE", timedelta())
    identities.machine.clock = lambda: real() + shift.by
    return lambda seconds: setattr(shift, "by", seconds)


def operations(identities: Identities) -> list[str]:
    return [operation for operation, _ in identities.asked]


def test_a_storage_without_keys_is_read_as_the_role(
    fields: dict[str, Any], keyless: Settings, identities: Identities, s3: S3Server, open_store: Open
) -> None:
    store = open_store("s3", fields, keyless)

    keys = [info.key for page in store.pages() for info in page]
    body = store.read("key", store.stat("key").version)
    store.write("a//b", b"x", content_type="text/plain")

    assert (keys, body) == (["key"], b"body")
    [(operation, form)] = identities.asked
    assert (operation, form["RoleArn"], form["RoleSessionName"]) == (TRADE, WEB_ROLE, "sluice")
    assert "DurationSeconds" not in form, "an hour, which is the most where this role assumes another"
    assert identities.machine.asked == [WEB_AUDIENCE]
    assert set(s3.stats()["statuses"]) == {"200"}


def test_a_storage_s_own_keys_are_used_as_before(
    fields: dict[str, Any], keyless: Settings, identities: Identities, s3: S3Server, open_store: Open
) -> None:
    s3.access("AKIDEXAMPLE")

    open_store("s3", {**fields, "aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "s"}, keyless).check()

    assert not identities.asked
    assert not identities.machine.asked


def test_without_the_setting_the_chain_of_boto3_is_asked(
    fields: dict[str, Any], identity_settings: Make, identities: Identities, s3: S3Server, open_store: Open
) -> None:
    s3.access("AKIANOBODY0000000000")

    open_store("s3", fields, identity_settings()).check()

    assert not identities.asked
    assert not identities.machine.asked


def test_the_role_assumes_that_of_a_storage(
    fields: dict[str, Any], keyless: Settings, identities: Identities, s3: S3Server, open_store: Open
) -> None:
    s3.access(identities.session[0], identities.session[2])

    store = open_store("s3s", {**fields, "role_arn": ROLE, "external_id": EXTERNAL_ID}, keyless)
    store.check()

    assert store.read("key", store.stat("key").version) == b"body"
    assert operations(identities) == [TRADE, ASSUME]
    assert all("DurationSeconds" not in form for _, form in identities.asked)


def test_a_storage_s_own_keys_assume_its_role_as_before(
    fields: dict[str, Any], keyless: Settings, identities: Identities, s3: S3Server, open_store: Open
) -> None:
    s3.access(identities.session[0], identities.session[2])

    open_store("s3s", {**fields, **AS_ROLE}, keyless).check()

    assert operations(identities) == [ASSUME]
    assert not identities.machine.asked


def test_one_token_serves_all_buckets_and_threads(
    fields: dict[str, Any], keyless: Settings, identities: Identities, s3: S3Server
) -> None:
    s3.put("second", "key", "body")
    stores = Stores(keyless)
    config = {name: {**fields, "bucket": name} for name in ("bucket", "second")}
    storages = [
        Storage(id=1, type="s3", project=1, created_at=0.0, config=given, secrets=b"", meta={})
        for given in config.values()
    ]

    with ThreadPoolExecutor(16) as pool:
        for asked in [pool.submit(stores.open(storages[i % 2], {}).check) for i in range(32)]:
            asked.result()

    assert operations(identities) == [TRADE, TRADE], "a session for each bucket"
    assert len(identities.machine.issued) == 1
    stores.close()


def test_a_session_is_replaced_before_its_end(
    fields: dict[str, Any],
    keyless: Settings,
    identities: Identities,
    s3: S3Server,
    open_store: Open,
    later: Callable[[float], None],
) -> None:
    store = open_store("s3", fields, keyless)
    version = store.stat("key").version
    identities.generation = 2
    later(44 * 60)
    store.check()
    assert len(identities.issued) == 1, "it is good for an hour"

    identities.life = 2 * 3600.0
    later(51 * 60)
    s3.access(identities.web_session[0], identities.web_session[2])

    store.check()
    assert store.read("key", version) == b"body", "obstore has the new one"
    assert len(identities.issued) == 2
    assert len(identities.machine.issued) == 1, "the token is good for an hour as well"


def test_both_sessions_of_a_chain_are_replaced(
    fields: dict[str, Any],
    keyless: Settings,
    identities: Identities,
    s3: S3Server,
    open_store: Open,
    later: Callable[[float], None],
) -> None:
    s3.access(identities.session[0], identities.session[2])
    store = open_store("s3s", {**fields, "role_arn": ROLE, "external_id": EXTERNAL_ID}, keyless)
    version = store.stat("key").version

    identities.generation, identities.life = 2, 2 * 3600.0
    later(56 * 60)
    s3.access(identities.session[0], identities.session[2])

    assert store.read("key", version) == b"body"
    assert operations(identities) == [TRADE, ASSUME, TRADE, ASSUME]
    assert len(identities.machine.issued) == 2


@pytest.mark.parametrize(
    ("settings", "server", "machine", "detail"),
    [
        ({"aws_web_identity_audience": "another"}, {}, {}, "AccessDenied: Not authorized to perform sts:AssumeRole"),
        ({"aws_web_identity_role_arn": f"{WEB_ROLE}2"}, {}, {}, "AccessDenied: Not authorized to perform sts:Assume"),
        ({}, {"trusting": False}, {}, "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"),
        ({}, {}, {"subject": "1"}, "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"),
        ({}, {}, {"life": -60.0}, "ExpiredTokenException: Token expired"),
        ({}, {}, {"key": STRANGERS_KEY}, "InvalidIdentityToken: Not signed by Google: ***"),
    ],
    ids=["audience", "role", "trust", "account", "time", "signature"],
)
def test_a_refusal_says_what_the_role_must_trust(
    settings: dict[str, str],
    server: dict[str, Any],
    machine: dict[str, Any],
    detail: str,
    fields: dict[str, Any],
    identities: Identities,
    identity_settings: Make,
    open_store: Open,
) -> None:
    for name, value in server.items():
        setattr(identities, name, value)
    for name, value in machine.items():
        setattr(identities.machine, name, value)
    store = open_store("s3", fields, identity_settings(**{"aws_web_identity_role_arn": WEB_ROLE, **settings}))

    for call in (store.check, lambda: store.read("key", "x"), lambda: store.stat("key")):
        error = refused(call, CredentialsError)

        assert error.message == (
            f"AWS does not let this server assume {settings.get('aws_web_identity_role_arn', WEB_ROLE)}: the role's "
            "trust policy must allow sts:AssumeRoleWithWebIdentity to the federated principal accounts.google.com on "
            "condition that accounts.google.com:sub and accounts.google.com:aud are "
            f"{machine.get('subject', UNIQUE_ID)} (the unique id of this server's service account) and "
            f"accounts.google.com:oaud is {settings.get('aws_web_identity_audience', WEB_AUDIENCE)}"
        )
        assert error.detail.startswith(detail)


def test_a_refusal_in_the_middle_is_told_by_reads_too(
    fields: dict[str, Any],
    keyless: Settings,
    identities: Identities,
    open_store: Open,
    later: Callable[[float], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = open_store("s3", fields, keyless)
    version = store.stat("key").version
    later(61 * 60)

    identities.machine.busy = True
    by_google = refused(lambda: store.read("key", version), StoreUnavailableError)
    identities.machine.busy, identities.busy = False, True
    by_amazon = refused(lambda: store.read("key", version), StoreUnavailableError)
    identities.busy = identities.trusting = False
    for_good = refused(lambda: store.read("key", version), CredentialsError)

    assert by_google.message == "Google's metadata server gives no ID token just now"
    assert by_amazon.message == f"AWS STS can't let us assume {WEB_ROLE} just now"
    assert UNIQUE_ID in for_good.message
    assert "Refreshing temporary credentials failed" in caplog.text
    for secret in ("planted", *identities.machine.issued):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("settings", "server", "kind", "message"),
    [
        (
            {"google_metadata_host": "127.0.0.1:9"},
            {},
            StoreUnreachableError,
            "SLUICE_AWS_WEB_IDENTITY_ROLE_ARN needs a Google service account for this server to be, but nothing "
            "answers at 127.0.0.1:9: it runs nowhere on Google Cloud",
        ),
        (
            {"aws_sts_endpoint": "http://127.0.0.1:9"},
            {},
            StoreUnreachableError,
            f"Cannot reach AWS STS to assume {WEB_ROLE}",
        ),
        ({}, {"knows_google": False}, StoreUnavailableError, f"AWS STS can't let us assume {WEB_ROLE} just now"),
        ({}, {"busy": True}, StoreUnavailableError, f"AWS STS can't let us assume {WEB_ROLE} just now"),
        (
            {"aws_web_identity_role_arn": "role/x"},
            {},
            CredentialsError,
            "AWS can't be asked for role/x: SLUICE_AWS_WEB_IDENTITY_ROLE_ARN is not valid",
        ),
    ],
    ids=["no metadata", "no STS", "no keys of Google", "busy", "no role"],
)
@pytest.mark.parametrize("kind_of_storage", ["s3", "s3s"])
def test_who_does_not_answer_is_named(
    settings: dict[str, str],
    server: dict[str, Any],
    kind: type[StoreError],
    message: str,
    kind_of_storage: str,
    fields: dict[str, Any],
    identities: Identities,
    identity_settings: Make,
    open_store: Open,
) -> None:
    for name, value in server.items():
        setattr(identities, name, value)
    given = {**fields, "role_arn": ROLE} if kind_of_storage == "s3s" else fields
    store = open_store(kind_of_storage, given, identity_settings(**{"aws_web_identity_role_arn": WEB_ROLE, **settings}))

    error = refused(store.check, kind)

    assert error.message == message
