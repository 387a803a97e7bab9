"""Storages of Google Cloud Storage, Azure and Redis over HTTP: shapes, validate, sync, secrets, moves."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from azure.storage.blob import ContainerClient

from infra.bench.s3_process import GcsServer, gcs_server
from infra.emulators import Running
from infra.emulators.azurite import ACCOUNT, KEY
from shared.model.providers import PROVIDERS
from shared.model.storage import identity_of
from shared.settings import Settings
from tests.api.client import Api
from tests.emulators_buckets import azure_emulator, redis_emulator

__all__ = ["azure_emulator", "redis_emulator"]

INFO = ["last_sync", "last_sync_count", "last_sync_job", "status", "traceback", "meta"]
ABOUT = ["title", "description", "created_at"]
OWN = ["glob_filter", "sidecar", "on_changed", "on_deleted", "auto_sync", "sync_interval"]
GCS_KEYS = [
    *["id", "type", "synchronizable", "presign", "bucket", "prefix", "regex_filter", "use_blob_urls"],
    *["google_project_id", *INFO, *ABOUT, "presign_ttl", "recursive_scan", "project", *OWN],
]
AZURE_KEYS = [
    *["id", "type", "synchronizable", "presign", "container", "prefix", "regex_filter", "use_blob_urls"],
    *["azure_endpoint", *INFO, *ABOUT, "presign_ttl", "recursive_scan", "project", *OWN],
]
REDIS_KEYS = [
    *["id", "type", "synchronizable", "path", "host", "port", "regex_filter", "use_blob_urls"],
    *[*INFO, *ABOUT, "db", "project", "glob_filter", "sync_interval"],
]


@pytest.fixture(scope="module")
def gcs_process() -> Iterator[GcsServer]:
    with gcs_server() as server:
        yield server


@pytest.fixture
def gcs(gcs_process: GcsServer) -> GcsServer:
    gcs_process.reset(everything=True)
    gcs_process.fill("pictures", 10, prefix="img/")
    return gcs_process


@pytest.fixture
def settings(settings: Settings, gcs_process: GcsServer) -> Settings:
    return replace(settings, storage_emulator_host=gcs_process.address)


@pytest.fixture
def container(azure_emulator: Running, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The fields of a storage whose container holds three blobs."""
    endpoint = f"{azure_emulator.url}/{ACCOUNT}"
    name = request.node.name.replace("_", "-")[-60:].strip("-")
    with ContainerClient(endpoint, name, credential={"account_name": ACCOUNT, "account_key": KEY}) as client:
        client.create_container()
        for i in range(3):
            client.upload_blob(f"img/{i}.jpg", b"picture")
        yield {"container": name, "azure_endpoint": endpoint, "account_name": ACCOUNT, "account_key": KEY}
        client.delete_container()


@pytest.fixture
def database(redis_emulator: Running) -> Iterator[redis.Redis]:
    with redis.Redis(port=redis_emulator.port, db=0) as client:
        client.flushdb()
        yield client


def synced(api: Api, storage: dict[str, Any]) -> dict[str, Any]:
    path = f"/api/storages/{storage['type']}/{storage['id']}"
    api.post(f"{path}/sync")
    api.work()
    return dict(api.get(path))


def refusal(api: Api, kind: str, body: dict[str, Any]) -> Any:
    """What both ways in say of settings that are not right."""
    answers = [api.post(f"/api/storages/{kind}/{way}", body, 400) for way in ("", "validate")]
    assert answers[0]["validation_errors"] == answers[1]["validation_errors"]
    return answers[0]["validation_errors"]


class TestGcs:
    def test_a_fresh_one_and_its_sync(self, api: Api, gcs: GcsServer):
        project = api.project()
        body = {"project": project, "bucket": "pictures", "prefix": "img", "use_blob_urls": True}
        api.post("/api/storages/gcs/validate", body)
        made = api.post("/api/storages/gcs/", body, 201)
        assert list(made) == GCS_KEYS
        assert (made["type"], made["bucket"], made["presign_ttl"]) == ("gcs", "pictures", 1)
        assert api.get(f"/api/storages/gcs?project={project}") == [made]
        done = synced(api, made)
        assert (done["status"], done["last_sync_count"]) == ("completed", 10)
        task = api.get(f"/api/tasks/?project={project}&resolve_uri=false")["tasks"][0]
        assert task["data"] == {"image": "gs://pictures/img/00000000.jpg"}
        assert synced(api, made)["last_sync_count"] == 0
        assert gcs.stats()["ops"].get("unknown", 0) == 0, "a bucket was asked for itself"

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"bucket": "nowhere"}, "The specified bucket does not exist."),
            ({"prefix": "zzz"}, "No blobs found in pictures/zzz/ or prefix doesn't exist"),
            (
                {"google_application_credentials": "no json"},
                "Google Application Credentials must be valid JSON string. Expecting value: line 1 column 1 (char 0)",
            ),
            ({"google_application_credentials": '{"type": "external_account"}'}, "must be the JSON key of a service"),
        ],
    )
    def test_what_is_wrong_is_told(self, fields: dict[str, Any], message: str, api: Api, gcs: GcsServer):
        errors = refusal(api, "gcs", {"project": api.project(), "bucket": "pictures", **fields})
        assert message in errors["non_field_errors"][0]

    def test_a_key_is_never_shown(self, api: Api, gcs: GcsServer):
        key = json.dumps({"type": "service_account", "private_key": "PLANTED", "client_email": "a@b", "token_uri": "x"})
        body = {"project": api.project(), "bucket": "pictures", "google_application_credentials": key}
        assert "PLANTED" not in json.dumps(refusal(api, "gcs", body))


@pytest.mark.emulator
class TestAzure:
    def test_a_fresh_one_and_its_sync(self, api: Api, container: dict[str, Any]):
        project = api.project()
        body = {"project": project, "prefix": "img", "use_blob_urls": True, **container}
        api.post("/api/storages/azure/validate", body)
        made = api.post("/api/storages/azure/", body, 201)
        assert list(made) == AZURE_KEYS
        assert api.get(f"/api/storages/azure?project={project}") == [made]
        done = synced(api, made)
        assert (done["status"], done["last_sync_count"]) == ("completed", 3)
        task = api.get(f"/api/tasks/?project={project}&resolve_uri=false")["tasks"][0]
        assert task["data"] == {"image": f"azure-blob://{container['container']}/img/0.jpg"}
        assert synced(api, made)["last_sync_count"] == 0

    def test_what_is_wrong_is_told(self, api: Api, container: dict[str, Any]):
        body = {"project": api.project(), **container}
        assert refusal(api, "azure", {**body, "container": "nowhere"}) == {
            "non_field_errors": ["Container not found: nowhere"]
        }
        assert refusal(api, "azure", {**body, "prefix": "zzz"}) == {
            "non_field_errors": [f"azure-blob://{container['container']}/zzz/ not found."]
        }
        wrong = refusal(api, "azure", {**body, "account_key": "d3Jvbmcga2V5"})["non_field_errors"][0]
        assert "credentials" in wrong
        assert "d3Jvbmcga2V5" not in wrong
        assert "azure_endpoint" in refusal(api, "azure", {**body, "azure_endpoint": "nonsense"})

    def test_another_account_is_another_place(self, api: Api, container: dict[str, Any]):
        """A kept signature never goes to an account it was not entered for, and the ledger is that account's own."""
        made = api.post("/api/storages/azure/", {"project": api.project(), **container}, 201)
        path = f"/api/storages/azure/{made['id']}"
        error = api.call("PATCH", path, 400, json={"account_name": "another"})
        assert "give account_key again" in error["validation_errors"]["account_name"][0]
        error = api.call("PATCH", path, 400, json={"azure_endpoint": "http://127.0.0.1:9/x"})
        assert "account_key, account_name again" in error["validation_errors"]["azure_endpoint"][0]
        before = api.ctx.storages.get(made["id"])
        api.call("PATCH", path, json={"account_key": KEY + " ", "title": "same"})
        same = api.ctx.storages.get(made["id"])
        text = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
        text += f"BlobEndpoint={container['azure_endpoint']};"
        api.call("PATCH", path, json={"connection_string": text, "account_name": "", "account_key": ""})
        after = api.ctx.storages.get(made["id"])
        assert before
        assert same
        assert after
        assert before.value.location == same.value.location != after.value.location
        named = [identity_of(PROVIDERS["azure"], {"account_name": name}) for name in ("one", "two")]
        said = identity_of(PROVIDERS["azure"], {"connection_string": "AccountName=one;EndpointSuffix=core.windows.net"})
        assert said == named[0] != named[1]


def test_azure_without_credentials_says_where_they_can_be(api: Api):
    errors = refusal(api, "azure", {"project": api.project(), "container": "c"})
    assert errors == {
        "non_field_errors": [
            "Azure account name and key must be set using environment variables AZURE_BLOB_ACCOUNT_NAME and "
            "AZURE_BLOB_ACCOUNT_KEY or account_name and account_key fields."
        ]
    }


@pytest.mark.emulator
class TestRedis:
    def test_a_fresh_one_and_its_sync(self, api: Api, redis_emulator: Running, database: redis.Redis):
        project = api.project()
        for i in range(3):
            database.set(f"tasks/{'deep/' * i}{i}", json.dumps({"image": f"http://x/{i}.jpg"}))
        database.set("tasks/end/", json.dumps([{"image": "http://x/a.jpg"}, {"image": "http://x/b.jpg"}]))
        database.rpush("tasks-list", "no string")
        database.set("other", "{}")
        # Blob mode means nothing here, as in Label Studio; port is text, db may be 0.
        body = {"project": project, "path": "tasks", "port": str(redis_emulator.port), "db": 0, "use_blob_urls": True}
        api.post("/api/storages/redis/validate", body)
        made = api.post("/api/storages/redis/", {**body, "regex_filter": "tasks.*"}, 201)
        assert list(made) == REDIS_KEYS
        assert (made["db"], made["host"], made["path"]) == (0, None, "tasks")
        assert api.get(f"/api/storages/redis?project={project}") == [made]
        done = synced(api, made)
        assert (done["status"], done["last_sync_count"]) == ("completed_with_errors", 5)
        assert "The value is not a string" in done["traceback"]
        assert synced(api, made)["last_sync_count"] == 0
        api.call("PATCH", f"/api/storages/redis/{made['id']}", json={"path": "tasks/"})
        assert synced(api, made)["status"] == "completed"

    def test_what_is_wrong_is_told(self, api: Api, redis_emulator: Running):
        body = {"project": api.project(), "host": "127.0.0.1", "port": redis_emulator.port}
        assert "port" in refusal(api, "redis", {**body, "port": "x"})
        assert "host" in refusal(api, "redis", {**body, "host": "redis://a/b"})
        assert "no database of that number" in refusal(api, "redis", {**body, "db": 99})["non_field_errors"][0]
        told = refusal(api, "redis", {**body, "port": "9", "password": "PLANTED"})["non_field_errors"][0]
        assert told.startswith("Can't connect to Redis server.")
        assert "PLANTED" not in told

    def test_a_kept_password_never_goes_to_another_server(self, api: Api, redis_emulator: Running):
        body = {"project": api.project(), "host": "127.0.0.1", "port": redis_emulator.port}
        made = api.post("/api/storages/redis/", body, 201)
        api.call("PATCH", f"/api/storages/redis/{made['id']}", json={"host": "localhost"})
        stored = api.ctx.storages.get(made["id"])
        assert stored
        sealed = replace(stored.value, secrets=api.ctx.vault.seal({"password": "p"}))
        api.ctx.documents.commit([api.ctx.storages.update(stored, sealed)])
        error = api.call("PATCH", f"/api/storages/redis/{made['id']}", 400, json={"host": "elsewhere.example"})
        assert "give password again" in error["validation_errors"]["host"][0]
