"""An application of Microsoft Entra ID: how it signs in, renewal before the end, refusals; no secret told."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from infra.emulators import Running
from infra.emulators.azurite import ACCOUNT, KEY
from shared.adapters.objects import azure_identity
from shared.errors import CredentialsError, StoreUnavailableError, StoreUnreachableError
from shared.ports import ObjectStore
from shared.settings import Settings
from tests.identities import (
    AS_APPLICATION,
    azure_over_https,
    certificate,
    federated_file,
    identities,
    identity_settings,
    open_store,
    refused,
    trusted,
)
from tests.identity_servers import (
    CLIENT,
    CLIENT_SECRET,
    TENANT,
    Identities,
)

__all__ = ["azure_over_https", "certificate", "identities", "identity_settings", "open_store", "trusted"]

Open = Callable[..., ObjectStore]
Make = Callable[..., Settings]


@pytest.fixture
def azure(azure_over_https: Running, certificate: tuple[str, str], trusted: None) -> Iterator[str]:
    """The URL of an account, with `{account}` in it; its "bucket" holds one blob."""
    url = azure_over_https.env["AZURE_BLOB_ENDPOINT"]
    account = {"account_name": ACCOUNT, "account_key": KEY}
    with ContainerClient(url, "bucket", credential=account, connection_verify=certificate[0]) as container:
        container.create_container()
        container.upload_blob("key", b"body")
        yield url.replace(ACCOUNT, "{account}")
        container.delete_container()


@pytest.mark.emulator
class TestApplication:
    @pytest.fixture
    def given(self) -> dict[str, str]:
        return {**AS_APPLICATION, "container": "bucket"}

    @pytest.fixture
    def settings(self, azure: str, identity_settings: Make) -> Settings:
        return identity_settings(azure_blob_url=azure)

    def test_the_secret_signs_in_once(
        self, given: dict[str, str], settings: Settings, identities: Identities, open_store: Open
    ) -> None:
        store = open_store("azure_spi", given, settings)
        assert [info.key for page in store.pages() for info in page] == ["key"]
        assert store.read("key", store.stat("key").version) == b"body"
        [(operation, form)] = identities.asked
        assert operation == "sign-in"
        assert (form["client_id"], form["client_secret"]) == (CLIENT, CLIENT_SECRET)

    def test_a_federated_token_signs_in(
        self, azure: str, identity_settings: Make, identities: Identities, open_store: Open, tmp_path: Any
    ) -> None:
        settings = identity_settings(azure_blob_url=azure, **federated_file(tmp_path))
        given = {"account_name": ACCOUNT, "container": "bucket", "auth_mode": "workload_identity"}
        open_store("azure_spi", given, settings).check()
        assert "client_secret" not in identities.asked[0][1]
        with pytest.raises(CredentialsError, match="AZURE_TENANT_ID and AZURE_CLIENT_ID"):
            open_store("azure_spi", given, identity_settings())
        settings = identity_settings(azure_blob_url=azure, **federated_file(tmp_path / "missing"))
        error = refused(open_store("azure_spi", given, settings).check, CredentialsError)
        assert error.detail == "FileNotFoundError"

    def test_a_token_is_replaced_before_its_end_and_used_to_its_end(
        self,
        given: dict[str, str],
        settings: Settings,
        identities: Identities,
        open_store: Open,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        now = azure_identity.time.time()
        clock = SimpleNamespace(now=now)
        monkeypatch.setattr(azure_identity, "time", SimpleNamespace(time=lambda: clock.now))
        monkeypatch.setattr("shared.adapters.objects.attempts.BACKOFF", 0.001)
        store = open_store("azure_spi", given, settings)
        store.check()
        clock.now = now + 3290
        store.check()
        assert len(identities.issued) == 1
        clock.now, identities.busy = now + 3310, True
        store.check()
        assert len(identities.issued) == 1, "it is good for five minutes more"
        identities.busy = False
        store.check()
        assert len(identities.issued) == 2
        clock.now, identities.busy = now + 9000, True
        error = refused(store.check, StoreUnavailableError)
        assert error.message == "Microsoft Entra ID gives no access token just now"

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            ({"client_secret": "mistyped-secret"}, "AADSTS7000215: Invalid client secret provided."),
            ({"client_id": "5f0a7c9e-0000-4000-8000-000000000002"}, "AADSTS700016"),
            ({"tenant_id": "other.example.org"}, "AADSTS90002: Tenant 'other.example.org' not found."),
        ],
    )
    def test_a_refusal_says_whom(
        self, wrong: dict[str, str], told: str, given: dict[str, str], settings: Settings, open_store: Open
    ) -> None:
        named = {"client_id": CLIENT, "tenant_id": TENANT, **wrong}
        error = refused(open_store("azure_spi", {**given, **wrong}, settings).check, CredentialsError)
        assert error.message == (
            f"Microsoft does not let application {named['client_id']} of tenant {named['tenant_id']} sign in"
        )
        assert told in error.detail
        assert "Trace ID" not in error.detail

    def test_a_token_that_the_account_does_not_take(
        self, given: dict[str, str], settings: Settings, identities: Identities, open_store: Open
    ) -> None:
        identities.audience = "https://graph.microsoft.com"
        error = refused(open_store("azure_spi", given, settings).check, CredentialsError)
        assert error.message == "Cannot connect to Azure container bucket with these credentials"

    def test_nobody_there(self, given: dict[str, str], azure: str, identity_settings: Make, open_store: Open) -> None:
        settings = identity_settings(azure_blob_url=azure, azure_login_url="http://127.0.0.1:9")
        error = refused(open_store("azure_spi", given, settings).check, StoreUnreachableError)
        assert error.message == "Cannot reach Microsoft Entra ID"
