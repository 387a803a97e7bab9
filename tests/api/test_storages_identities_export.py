"""Targets that authenticate in another way, over HTTP: shapes, checks, kept secrets, and an object that is written."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from infra.bench.s3_process import GcsServer, S3Server, gcs_server
from infra.emulators.azurite import ACCOUNT, KEY
from shared.model.fields import DIRECTIONS
from shared.model.providers import PROVIDERS
from shared.settings import Settings
from tests.api.client import Api, base, of_project
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
from tests.identity_servers import ROLE, Identities

__all__ = ["azure_over_https", "certificate", "google_process", "identities", "identity_settings", "own_key", "trusted"]

GIVEN: dict[str, dict[str, str]] = {
    "s3s": {**AS_ROLE, "bucket": "pictures"},
    "gcswif": {**AS_MEMBER, "bucket": "pictures"},
    "gcs_sa": {**AS_READER, "bucket": "pictures"},
    "azure_spi": {**AS_APPLICATION, "container": "pictures"},
}
OTHER = {
    "s3s": {"role_arn": f"{ROLE}2"},
    "gcswif": {"google_wif_pool_id": "x"},
    "gcs_sa": {"target_service_account_email": "x@y.z"},
    "azure_spi": {"tenant_id": "x"},
}
"""Who is nobody there."""


@pytest.fixture(scope="module")
def gcs_process() -> Iterator[GcsServer]:
    with gcs_server() as server:
        yield server


@pytest.fixture(params=["s3s", "gcswif", "gcs_sa", pytest.param("azure_spi", marks=pytest.mark.emulator)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(
    settings: Settings,
    identity_settings: Callable[..., Settings],
    gcs_process: GcsServer,
    kind: str,
    request: pytest.FixtureRequest,
) -> Settings:
    made = identity_settings(settings, storage_emulator_host=gcs_process.address)
    if kind != "azure_spi":
        return made
    request.getfixturevalue("trusted")
    url = request.getfixturevalue("azure_over_https").env["AZURE_BLOB_ENDPOINT"]
    return replace(made, azure_blob_url=url.replace(ACCOUNT, "{account}"))


@pytest.fixture
def given(
    kind: str,
    identities: Identities,
    gcs_process: GcsServer,
    google_process: None,
    settings: Settings,
    request: pytest.FixtureRequest,
) -> Iterator[dict[str, str]]:
    """Fields of a storage in a bucket that lets in nobody but who they make us."""
    if kind == "s3s":
        server: S3Server = request.getfixturevalue("s3")
        server.access(identities.session[0], identities.session[2])
        yield {**GIVEN[kind], "s3_endpoint": server.endpoint}
    elif kind == "azure_spi":
        url = settings.azure_blob_url.replace("{account}", ACCOUNT)
        account, trust = {"account_name": ACCOUNT, "account_key": KEY}, request.getfixturevalue("certificate")[0]
        with ContainerClient(url, "pictures", credential=account, connection_verify=trust) as client:
            client.create_container()
            yield GIVEN[kind]
            client.delete_container()
    else:
        gcs_process.reset(everything=True)
        gcs_process.bucket("pictures")
        gcs_process.access(identities.token("impersonated"))
        yield GIVEN[kind]


def test_a_target_is_made_and_written_to(api: Api, kind: str, given: dict[str, str]) -> None:
    project, path = api.project(), f"/api/storages/export/{kind}"
    body = {"project": project, "prefix": "out", "can_delete_objects": True, **given}
    api.post(f"{path}/validate", body)
    made = api.post(path, body, 201)
    assert (made["type"], made["status"], made["can_delete_objects"]) == (kind, "queued", True)
    secrets, shown = set(PROVIDERS[kind].secrets), {name: value for name, value in given.items() if name in made}
    assert not secrets & set(made)
    assert shown == {name: made[name] for name in given.keys() - secrets}
    assert "presign" not in made
    assert api.get(f"{path}?project={project}") == [made]
    assert api.get(f"/api/storages/{kind}?project={project}") == []
    api.get(f"/api/storages/{kind}/{made['id']}", 404)

    stored = api.ctx.storages.get(made["id"])
    assert stored
    store = api.ctx.open_store(stored.value)
    store.write("out/1", b"{}", content_type="application/json")
    assert [info.key for page in store.pages("out/") for info in page] == ["out/1"]
    assert api.post(f"/api/storages/{kind}/files", {**body, "use_blob_urls": True})["files"][0]["key"] == "out/1"
    store.delete("out/1")
    api.call("PATCH", f"{path}/{made['id']}", json={"title": "x"})
    api.call("DELETE", f"{path}/{made['id']}", 204)


def test_nobody_is_let_in_and_kept_secrets_make_us_nobody_else(api: Api, kind: str, given: dict[str, str]) -> None:
    project, path = api.project(), f"/api/storages/export/{kind}"
    body, other = {"project": project, **given}, OTHER[kind]
    for way in ("", "/validate"):
        assert list(api.post(f"{path}{way}", {**body, **other}, 400)["validation_errors"]) == ["non_field_errors"]
    made = api.post(path, body, 201)
    errors: dict[str, Any] = api.call("PATCH", f"{path}/{made['id']}", 400, json=other)["validation_errors"]
    secrets = sorted(set(PROVIDERS[kind].secrets) & given.keys())
    if secrets:
        assert list(errors) == list(other)
        assert f"give {', '.join(secrets)} again" in errors[next(iter(other))][0]
    else:
        assert list(errors) == ["non_field_errors"]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_what_is_needed_is_asked_for(api: Api, kind: str, direction: str) -> None:
    """By the form, and by every way in as soon as there is a bucket; until then it may be missing."""
    path, provider = base(kind, direction), PROVIDERS[kind]
    form = {field["name"]: field for row in api.get(f"{path}/form") for field in row["fields"]}
    always = {field.name for field in provider.fields if field.needed}
    assert {name for name, field in form.items() if field["required"]} == always
    needed = set(provider.lacking({provider.bucket: "pictures", "auth_mode": "service_principal"}))
    assert needed
    whose = of_project(direction, api.project())
    body = {**whose, provider.bucket: "pictures"}
    for way in ("", "/validate", "/files")[: 2 if direction == "export" else 3]:
        errors = api.post(f"{path}{way}", body, 400)["validation_errors"]
        assert errors == {name: ["This field is required."] for name in needed}
    made = api.post(path, whose, 201)
    assert set(api.call("PATCH", f"{path}/{made['id']}", 400, json=body)["validation_errors"]) == needed
