"""Storages that authenticate in another way, over HTTP: shapes, checks, syncs, kept secrets, the same ledger."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from functions.shapes import STORAGE_KEYS, storage_keys
from infra.bench.s3_process import GcsServer, S3Server, gcs_server
from infra.emulators import Running
from infra.emulators.azurite import ACCOUNT, KEY
from shared.model.fields import DIRECTIONS, Direction
from shared.model.providers import PROVIDERS
from shared.settings import Settings
from tests.api.client import Api
from tests.api.test_storages_cloud import ABOUT, GCS_KEYS, INFO, refusal, synced
from tests.identities import (
    AS_APPLICATION,
    AS_MEMBER,
    AS_READER,
    AS_ROLE,
    azure_over_https,
    certificate,
    google_process,
    identities,
    identity_settings,
    own_key,
    trusted,
)
from tests.identity_servers import CLIENT, CLIENT_SECRET, EXTERNAL_ID, ROLE, TENANT, Identities

__all__ = ["azure_over_https", "certificate", "google_process", "identities", "identity_settings", "own_key", "trusted"]

S3S_KEYS = [
    *["id", "type", "synchronizable", "presign", *INFO, *ABOUT, "bucket", "prefix", "regex_filter"],
    *["use_blob_urls", "aws_sse_kms_key_id", "region_name", "s3_endpoint", "presign_ttl", "recursive_scan"],
    *["role_arn", "legacy_auth", "project", "auto_sync"],
]
POOL_KEYS = [
    *["google_project_number", "google_wif_pool_id", "google_wif_provider_id", "google_service_account_email"],
]
SPI_KEYS = [
    *["id", "type", "synchronizable", "presign", "container", "prefix", "regex_filter", "use_blob_urls"],
    *["account_name", "auth_mode", "tenant_id", "client_id", *INFO, *ABOUT, "presign_ttl", "recursive_scan"],
    *["project", "auto_sync"],
]
NEW = ("s3s", "gcswif", "gcs_sa", "azure_spi")


@pytest.fixture(scope="module")
def gcs_process() -> Iterator[GcsServer]:
    with gcs_server() as server:
        yield server


@pytest.fixture
def settings(
    settings: Settings, identity_settings: Callable[..., Settings], gcs_process: GcsServer, identities: Identities
) -> Settings:
    gcs_process.reset(everything=True)
    gcs_process.fill("pictures", 3, prefix="img/")
    gcs_process.access(identities.token("impersonated"))
    return identity_settings(settings, storage_emulator_host=gcs_process.address)


@pytest.fixture
def role(s3: S3Server, identities: Identities) -> dict[str, Any]:
    """The fields of a storage whose bucket only the role reads."""
    s3.access(identities.session[0], identities.session[2])
    return {**AS_ROLE, "bucket": "pictures", "prefix": "img", "s3_endpoint": s3.endpoint, "use_blob_urls": True}


def test_they_are_not_listed_but_there(api: Api) -> None:
    project = api.project()
    for base in ("/api/storages", "/api/storages/export"):
        listed = [item["name"] for item in api.get(f"{base}/types")]
        assert listed == ["s3", "gcs", "azure", "redis", "localfiles"]
        for kind in NEW:
            assert api.get(f"{base}/{kind}/?project={project}") == []
            api.get(f"{base}/{kind}/1", 404)
        error = api.post(f"{base}/databricks/", {"project": project}, 404)
        assert error["detail"].startswith('There is no storage type "databricks"; there are s3, ')


class TestRole:
    def test_a_fresh_one_and_its_sync(self, api: Api, role: dict[str, Any], identities: Identities) -> None:
        project = api.project()
        body = {"project": project, "legacy_auth": True, **role}
        api.post("/api/storages/s3s/validate", body)
        made = api.post("/api/storages/s3s/", body, 201)
        assert list(made) == S3S_KEYS
        assert (made["type"], made["role_arn"], made["legacy_auth"]) == ("s3s", ROLE, True)
        assert api.get(f"/api/storages/s3s?project={project}") == [made]
        done = synced(api, made)
        assert (done["status"], done["last_sync_count"]) == ("completed", 10)
        assert api.get(f"/api/tasks/?project={project}")["tasks"][0]["data"] == {
            "image": "s3://pictures/img/00000000.jpg"
        }
        api.call("PATCH", f"/api/storages/s3s/{made['id']}", json={"title": "x"})
        api.call("PUT", f"/api/storages/s3s/{made['id']}", json={name: body[name] for name in made if name in body})
        assert synced(api, made)["last_sync_count"] == 0
        assert len(identities.issued) == 1
        api.get(f"/api/storages/s3/{made['id']}", 404)
        api.call("DELETE", f"/api/storages/s3s/{made['id']}", 204)

    def test_the_role_is_required(self, api: Api, role: dict[str, Any]) -> None:
        body = {"project": api.project(), **role}
        del body["role_arn"]
        assert refusal(api, "s3s", body) == {"role_arn": ["This field is required."]}
        for nothing in (None, "", " "):
            assert refusal(api, "s3s", {**body, "role_arn": nothing}) == {"role_arn": ["This field is required."]}
        for bad in ("reader", "arn:aws:iam::12:role/x", "arn:aws:iam::123456789012:user/x", f"{ROLE} x", f"{ROLE}\nx"):
            told = refusal(api, "s3s", {**body, "role_arn": bad})
            assert told == {"role_arn": ["Not valid: write it like arn:aws:iam::123456789012:role/reader."]}
        made = api.post("/api/storages/s3s", {**body, "role_arn": ROLE}, 201)
        api.call("PATCH", f"/api/storages/s3s/{made['id']}", 400, json={"role_arn": ""})

    def test_a_refusal_names_no_secret(self, api: Api, role: dict[str, Any]) -> None:
        told = refusal(api, "s3s", {"project": api.project(), **role, "external_id": "planted-wrong-external-id"})
        assert told["non_field_errors"][0].startswith(f"AWS does not let this server assume {ROLE}: ")
        assert "planted" not in told["non_field_errors"][0]

    def test_kept_secrets_are_for_the_role_they_came_with(self, api: Api, role: dict[str, Any]) -> None:
        made = api.post("/api/storages/s3s/", {"project": api.project(), **role}, 201)
        path = f"/api/storages/s3s/{made['id']}"
        for way in ({"role_arn": f"{ROLE}-of-another"}, {"s3_endpoint": "http://127.0.0.1:9"}):
            error = api.call("PATCH", path, 400, json=way)["validation_errors"]
            [(name, [text])] = error.items()
            assert name in way
            assert "give aws_access_key_id, aws_secret_access_key, external_id again" in text
        error = api.post("/api/storages/s3s/validate", {**made, "role_arn": f"{ROLE}2"}, 400)
        assert "role_arn" in error["validation_errors"]

    def test_the_bucket_is_the_same_whoever_reads_it(self, api: Api, role: dict[str, Any], s3: S3Server) -> None:
        project = api.project()
        made = api.post("/api/storages/s3s/", {"project": project, **role}, 201)
        before = api.ctx.gates.get(made["id"])
        assert before
        api.call("PATCH", f"/api/storages/s3s/{made['id']}", json={"external_id": EXTERNAL_ID, "region_name": "x-1"})
        after = api.ctx.gates.get(made["id"])
        assert after
        assert after.value.map == before.value.map
        s3.access("")
        plain = api.s3(project, s3.endpoint, bucket="pictures")
        gate = api.ctx.gates.get(plain["id"])
        assert gate
        assert gate.value.location == after.value.location


@pytest.mark.parametrize(
    ("kind", "given", "more"),
    [
        ("gcswif", AS_MEMBER, POOL_KEYS),
        ("gcs_sa", AS_READER, ["target_service_account_email"]),
    ],
)
class TestGoogle:
    def test_a_fresh_one_and_its_sync(
        self, kind: str, given: dict[str, Any], more: list[str], api: Api, google_process: None
    ) -> None:
        project = api.project()
        body = {"project": project, "bucket": "pictures", "prefix": "img", "use_blob_urls": True, **given}
        api.post(f"/api/storages/{kind}/validate", body)
        made = api.post(f"/api/storages/{kind}/", {**body, "google_application_credentials": "planted"}, 201)
        assert list(made) == [*GCS_KEYS[:-2], *more, *GCS_KEYS[-2:]]
        assert {name: made[name] for name in more} == given
        stored = api.ctx.storages.get(made["id"])
        assert stored
        assert stored.value.secrets == b"", "a key has no meaning here, and is not kept"
        done = synced(api, made)
        assert (done["status"], done["last_sync_count"]) == ("completed", 3)
        assert synced(api, made)["last_sync_count"] == 0

    def test_what_is_missing_or_malformed_is_named(
        self, kind: str, given: dict[str, Any], more: list[str], api: Api, identities: Identities, google_process: None
    ) -> None:
        """Else the process's own identity would be used."""
        project = api.project()
        body = {"project": project, "bucket": "pictures"}
        optional = "google_service_account_email"
        needed = [name for name in more if name != optional]
        assert refusal(api, kind, body) == {name: ["This field is required."] for name in needed}
        for name in more:
            told = refusal(api, kind, {**body, **given, name: "../x:y"})
            assert told[name][0].startswith("Not valid: write it like ")
        assert not identities.asked
        made = api.post(f"/api/storages/{kind}", {"project": project}, 201)
        error = api.call("PATCH", f"/api/storages/{kind}/{made['id']}", 400, json={"bucket": "pictures"})
        assert list(error["validation_errors"]) == needed
        assert made["bucket"] is None


@pytest.mark.emulator
class TestApplication:
    @pytest.fixture
    def settings(self, settings: Settings, azure_over_https: Running, trusted: None) -> Settings:
        url = azure_over_https.env["AZURE_BLOB_ENDPOINT"].replace(ACCOUNT, "{account}")
        return Settings(**{**{name: getattr(settings, name) for name in Settings.__slots__}, "azure_blob_url": url})

    @pytest.fixture
    def container(self, azure_over_https: Running, certificate: tuple[str, str]) -> Iterator[str]:
        url, account = azure_over_https.env["AZURE_BLOB_ENDPOINT"], {"account_name": ACCOUNT, "account_key": KEY}
        with ContainerClient(url, "pictures", credential=account, connection_verify=certificate[0]) as client:
            client.create_container()
            for i in range(3):
                client.upload_blob(f"img/{i}.jpg", b"picture")
            yield "pictures"
            client.delete_container()

    def test_a_fresh_one_and_its_sync(self, api: Api, container: str) -> None:
        project = api.project()
        body = {"project": project, "container": container, "prefix": "img", "use_blob_urls": True, **AS_APPLICATION}
        api.post("/api/storages/azure_spi/validate", body)
        made = api.post("/api/storages/azure_spi/", {**body, "user_delegation_key": "planted"}, 201)
        assert list(made) == SPI_KEYS
        assert [made[name] for name in ("account_name", "auth_mode", "tenant_id", "client_id")] == [
            *(ACCOUNT, "service_principal", TENANT, CLIENT)
        ]
        stored = api.ctx.storages.get(made["id"])
        assert stored
        assert api.ctx.vault.open(stored.value.secrets) == {"client_secret": CLIENT_SECRET}
        done = synced(api, made)
        assert (done["status"], done["last_sync_count"]) == ("completed", 3)
        assert synced(api, made)["last_sync_count"] == 0

    def test_kept_secrets_are_for_whom_they_came_with(self, api: Api, container: str) -> None:
        made = api.post(
            "/api/storages/azure_spi/", {"project": api.project(), "container": container, **AS_APPLICATION}, 201
        )
        for name in ("account_name", "tenant_id", "client_id"):
            error = api.call("PATCH", f"/api/storages/azure_spi/{made['id']}", 400, json={name: "another"})
            assert "give client_secret again" in error["validation_errors"][name][0]


def test_an_application_needs_what_its_mode_needs(api: Api) -> None:
    body = {"project": api.project(), "container": "pictures"}
    needed = ["account_name", "tenant_id", "client_id", "client_secret"]
    assert refusal(api, "azure_spi", body) == {name: ["This field is required."] for name in needed}
    for bad in ("password", "", None):
        told = refusal(api, "azure_spi", {**body, "auth_mode": bad})
        assert told == {"auth_mode": ["Not a valid choice: write one of service_principal, workload_identity."]}
    body |= {"account_name": "account", "auth_mode": "workload_identity"}
    for more in ({}, {"client_secret": "which is not used then"}):
        assert "AZURE_FEDERATED_TOKEN_FILE" in refusal(api, "azure_spi", {**body, **more})["non_field_errors"][0]
    for name in ("account_name", "tenant_id", "client_id"):
        for bad in ("a/../b", "..", "a."):
            assert list(refusal(api, "azure_spi", {**body, name: bad})) == [name]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_no_secret_is_among_what_is_shown(direction: Direction) -> None:
    assert set(STORAGE_KEYS) == set(PROVIDERS)
    for provider in PROVIDERS.values():
        shown, fields = storage_keys(provider, direction), {field.name for field in provider.fields_of(direction)}
        assert len(set(shown)) == len(shown)
        assert not set(shown) & set(provider.secrets)
        assert fields - set(shown) == set(provider.secrets), "a setting that nobody can read"
