"""Service accounts of Google by impersonation and federation: whom they ask, renewal, refusals; no secret told."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from google.auth import _helpers as google_time

from infra.bench.s3_process import GcsServer
from shared.errors import CredentialsError, StoreUnavailableError
from shared.ports import ObjectStore
from shared.settings import Settings
from tests.identities import (
    AS_MEMBER,
    AS_READER,
    gcs,
    gcs_process,
    google_process,
    identities,
    identity_settings,
    open_store,
    own_key,
    refused,
)
from tests.identity_servers import (
    AUDIENCE,
    AWS_KEYS,
    READER,
    SUBJECT,
    Identities,
)

__all__ = ["gcs", "gcs_process", "google_process", "identities", "identity_settings", "open_store", "own_key"]

Open = Callable[..., ObjectStore]
Make = Callable[..., Settings]


@pytest.fixture
def google(gcs: GcsServer, identity_settings: Make) -> Settings:
    return identity_settings(storage_emulator_host=gcs.address)


class TestGoogle:
    def test_impersonation_asks_for_a_token_of_the_account(
        self, google: Settings, identities: Identities, open_store: Open, google_process: None
    ) -> None:
        open_store("gcs_sa", {**AS_READER, "bucket": "bucket"}, google).check()
        scope = "https://www.googleapis.com/auth/devstorage.read_write"
        assert identities.asked == [("generateAccessToken", {"account": READER, "scope": scope})]
        assert identities.issued == [(identities.token("own"),), (identities.token("impersonated"),)]

    def test_the_token_in_a_file_is_traded(self, google: Settings, identities: Identities, open_store: Open) -> None:
        open_store("gcswif", {**AS_MEMBER, "bucket": "bucket"}, google).check()
        assert [operation for operation, _ in identities.asked] == ["exchange", "generateAccessToken"]
        form = identities.asked[0][1]
        assert (form["audience"], form["subject_token"]) == (AUDIENCE, SUBJECT)
        assert form["subject_token_type"] == "urn:ietf:params:oauth:token-type:jwt"

    def test_without_an_account_the_pool_s_member_asks_itself(
        self, google: Settings, identities: Identities, gcs: GcsServer, open_store: Open
    ) -> None:
        gcs.access(identities.token("federated"))
        given = {**AS_MEMBER, "google_service_account_email": "", "bucket": "bucket"}
        open_store("gcswif", given, google).check()
        assert [operation for operation, _ in identities.asked] == ["exchange"]

    def test_aws_signs_who_it_is(
        self,
        gcs: GcsServer,
        identities: Identities,
        open_store: Open,
        identity_settings: Make,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", AWS_KEYS[0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", AWS_KEYS[1])
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        url = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
        source = json.dumps({"environment_id": "aws1", "regional_cred_verification_url": url})
        settings = identity_settings(storage_emulator_host=gcs.address, google_credential_source=source)
        open_store("gcswif", {**AS_MEMBER, "bucket": "bucket"}, settings).check()
        form = identities.asked[0][1]
        assert form["subject_token_type"] == "urn:ietf:params:aws:token-type:aws4_request"
        assert "sts.eu-west-1.amazonaws.com" in form["subject_token"]
        assert AWS_KEYS[1] not in form["subject_token"]

    @pytest.mark.parametrize("kind", ["gcs_sa", "gcswif"])
    def test_a_token_is_replaced_before_its_end(
        self,
        kind: str,
        google: Settings,
        identities: Identities,
        gcs: GcsServer,
        open_store: Open,
        google_process: None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        store = open_store(kind, {**AS_MEMBER, **AS_READER, "bucket": "bucket"}, google)
        store.check()
        identities.generation = 2
        store.check()
        identities.life = 2 * 3600.0
        late = google_time.utcnow() + timedelta(minutes=57)
        monkeypatch.setattr("google.auth._helpers.utcnow", lambda: late)
        gcs.access(identities.token("impersonated"))
        store.check()
        assert [issued for issued in identities.issued if "impersonated" in issued[0]] == [
            ("ya29.planted-impersonated-1",),
            ("ya29.planted-impersonated-2",),
        ]

    def test_refusals_say_what_to_do(
        self, google: Settings, identities: Identities, open_store: Open, google_process: None
    ) -> None:
        other = "other@my-project.iam.gserviceaccount.com"
        for kind, given in (
            ("gcs_sa", {"target_service_account_email": other}),
            ("gcswif", {**AS_MEMBER, "google_service_account_email": other}),
        ):
            error = refused(open_store(kind, {**given, "bucket": "bucket"}, google).check, CredentialsError)
            assert error.message.startswith(f"Google does not let this server act as {other}: grant it the role")
            assert "Permission 'iam.serviceAccounts.getAccessToken' denied" in error.detail
            assert "{" not in error.detail
        given = {**AS_MEMBER, "google_wif_provider_id": "unknown", "bucket": "bucket"}
        error = refused(open_store("gcswif", given, google).check, CredentialsError)
        assert error.message.endswith("workloadIdentityPools/pool/providers/unknown")
        assert error.detail == "Error code invalid_grant: The given credential is rejected by the provider."

    @pytest.mark.parametrize("kind", ["gcs_sa", "gcswif"])
    def test_a_busy_token_service_is_worth_another_try(
        self,
        kind: str,
        google: Settings,
        identities: Identities,
        open_store: Open,
        google_process: None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda _seconds: None)
        store = open_store(kind, {**AS_MEMBER, **AS_READER, "bucket": "bucket"}, google)
        identities.busy = True
        refused(store.check, StoreUnavailableError)
        identities.busy = False
        store.check()

    def test_what_the_process_lacks_is_told(
        self,
        gcs: GcsServer,
        identities: Identities,
        open_store: Open,
        identity_settings: Make,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for source, told in (
            ("", "set SLUICE_GOOGLE_CREDENTIAL_SOURCE"),
            ("{", "SLUICE_GOOGLE_CREDENTIAL_SOURCE is not"),
            ("[]", "SLUICE_GOOGLE_CREDENTIAL_SOURCE is not"),
            ('{"file": "/missing"}', "could not be traded"),
        ):
            settings = identity_settings(storage_emulator_host=gcs.address, google_credential_source=source)
            store = open_store("gcswif", {**AS_MEMBER, "bucket": "bucket"}, settings)
            assert told in refused(store.check, CredentialsError).message
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/missing")
        store = open_store("gcs_sa", {**AS_READER, "bucket": "bucket"}, settings)
        assert f"can't act as {READER}" in refused(store.check, CredentialsError).message
        assert not identities.asked
