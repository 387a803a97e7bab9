"""An application of Microsoft Entra ID that signs in with a Google service account's token; no secret told."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.emulators.azurite import ACCOUNT
from shared.adapters.objects import azure_identity, google_identity
from shared.errors import CredentialsError, StoreUnavailableError, StoreUnreachableError
from shared.ports import ObjectStore
from shared.settings import Settings
from tests.conformance.test_identities_azure import azure
from tests.google_machine import UNIQUE_ID
from tests.identities import (
    AS_APPLICATION,
    azure_over_https,
    certificate,
    federated_file,
    google_workload,
    identities,
    identity_settings,
    open_store,
    refused,
    trusted,
)
from tests.identity_servers import AZURE_AUDIENCE, CLIENT, TENANT, Identities

__all__ = ["azure", "azure_over_https", "certificate", "identities", "identity_settings", "open_store", "trusted"]

Open = Callable[..., ObjectStore]
Make = Callable[..., Settings]
GIVEN = {"account_name": ACCOUNT, "container": "bucket", "auth_mode": "workload_identity"}
STRANGERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def settings(identity_settings: Make, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a process that signs in by Google; where its blobs are, nobody answers."""
    monkeypatch.setattr("shared.adapters.objects.attempts.BACKOFF", 0.001)
    return identity_settings(azure_blob_url="http://127.0.0.1:9/{account}", **google_workload())


@pytest.mark.emulator
def test_the_account_s_token_signs_in_and_a_new_one_each_time(
    azure: str, identity_settings: Make, identities: Identities, open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = SimpleNamespace(now=azure_identity.time.time())
    for module in (azure_identity, google_identity):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: now.now))
    identities.machine.clock = lambda: now.now
    store = open_store("azure_spi", GIVEN, identity_settings(azure_blob_url=azure, **google_workload()))

    store.check()
    body = store.read("key", store.stat("key").version)
    now.now += 3310
    store.check()

    assert body == b"body"
    assert identities.machine.asked == [AZURE_AUDIENCE] * 2
    assert [form["client_assertion"] for _, form in identities.asked] == identities.machine.issued
    assert not any("client_secret" in form for _, form in identities.asked)


def test_a_secret_signs_in_as_before(settings: Settings, identities: Identities, open_store: Open) -> None:
    store = open_store("azure_spi", {**AS_APPLICATION, "container": "bucket"}, settings)

    refused(store.check, StoreUnreachableError)

    assert [operation for operation, _ in identities.asked] == ["sign-in"]
    assert not identities.machine.asked


def test_two_tokens_are_one_too_many(identity_settings: Make, open_store: Open, tmp_path: Any) -> None:
    settings = identity_settings(**{**federated_file(tmp_path), **google_workload()})

    with pytest.raises(CredentialsError, match="unset AZURE_FEDERATED_TOKEN_FILE or SLUICE_AZURE_GOOGLE_IDENTITY"):
        open_store("azure_spi", GIVEN, settings)


def test_a_client_id_of_the_storage_s_is_used(settings: Settings, identities: Identities, open_store: Open) -> None:
    refused(open_store("azure_spi", {**GIVEN, "client_id": "another"}, settings).check, CredentialsError)

    assert identities.asked[0][1]["client_id"] == "another"


@pytest.mark.parametrize(
    ("machine", "told"),
    [
        ({"subject": "1"}, "AADSTS700213: No matching federated identity record found"),
        ({"life": -60.0}, "AADSTS700024: Client assertion is not within its valid time range."),
        ({"key": STRANGERS_KEY}, "AADSTS700027: Client assertion failed signature validation: ***"),
    ],
    ids=["account", "time", "signature"],
)
def test_a_refusal_says_what_the_application_must_trust(
    machine: dict[str, Any], told: str, settings: Settings, identities: Identities, open_store: Open
) -> None:
    for name, value in machine.items():
        setattr(identities.machine, name, value)

    error = refused(open_store("azure_spi", GIVEN, settings).check, CredentialsError)

    assert error.message == (
        f"Microsoft does not let application {CLIENT} of tenant {TENANT} sign in: it must have a federated credential "
        f"with issuer https://accounts.google.com, subject {machine.get('subject', UNIQUE_ID)} (the unique id of this "
        f"server's service account) and audience {AZURE_AUDIENCE}"
    )
    assert error.detail.startswith(told)


def test_who_does_not_answer_is_named(
    settings: Settings, identities: Identities, identity_settings: Make, open_store: Open
) -> None:
    identities.machine.busy = True
    busy = refused(open_store("azure_spi", GIVEN, settings).check, StoreUnavailableError)
    settings = identity_settings(google_metadata_host="127.0.0.1:9", **google_workload())
    nowhere = refused(open_store("azure_spi", GIVEN, settings).check, StoreUnreachableError)

    assert busy.message == "Google's metadata server gives no ID token just now"
    assert nowhere.message.startswith("SLUICE_AZURE_GOOGLE_IDENTITY needs a Google service account")
