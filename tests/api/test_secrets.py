"""Secrets that were planted appear in no answer, no log line and no file."""

import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from infra.bench.s3_process import GcsServer, S3Server, gcs_server
from shared.services.secrets import Vault
from shared.settings import Settings
from tests.api.client import TOKEN, Api
from tests.identities import (
    AS_APPLICATION,
    AS_MEMBER,
    AS_READER,
    AS_ROLE,
    google_process,
    identities,
    identity_settings,
    own_key,
)
from tests.identity_servers import AWS_KEYS, CLIENT_SECRET, EXTERNAL_ID, ROLE, SUBJECT, Identities

__all__ = ["google_process", "identities", "identity_settings", "own_key"]

CANARIES = {
    "aws_access_key_id": "AKIACANARYCANARY0001",
    "aws_secret_access_key": "canary/secret+value=0002",
    "aws_session_token": "canary-session-token-0003==",
}
FORMS = [*CANARIES.values(), "canary%2Fsecret", "canary-session-token", TOKEN]


class Listener:
    """Makes requests and keeps everything that came back."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.heard: list[str] = []

    def __call__(self, method: str, path: str, **more: Any) -> int:
        answer = self.api.http.request(method, path, **more)
        self.heard.append(f"{answer.status_code} {answer.headers} {answer.text}")
        return answer.status_code


DATASETS = ("dataset/s3", "dataset/s3/validate", "dataset/s3/files")


def test_canaries(api: Api, s3: S3Server, log_lines: io.StringIO, settings: Settings):
    ask = Listener(api)
    project = api.project()
    body = {"project": project, "bucket": "pictures", "prefix": "img", "s3_endpoint": s3.endpoint, **CANARIES}
    key = {"Idempotency-Key": CANARIES["aws_session_token"]}
    for path in ("s3/", "s3/validate", "s3/files", "export/s3/validate", "export/s3", "export/s3", *DATASETS):
        assert ask("POST", f"/api/storages/{path}", json=body, headers=key) in (200, 201)
    goal = api.get(f"/api/storages/export/s3?project={project}")[0]["id"]
    storage = api.get(f"/api/storages/s3?project={project}")[0]["id"]
    one = f"/api/storages/s3/{storage}"
    wrong: list[dict[str, Any]] = [
        {"bucket": "missing"},
        {"bucket": "no/bucket"},
        {"s3_endpoint": "http://127.0.0.1:1"},
        {"s3_endpoint": s3.endpoint.replace("//", f"//{CANARIES['aws_access_key_id']}:x@")},
        {"region_name": "not a region"},
        {"prefix": "nothing"},
        {"regex_filter": "["},
        {"project": "x"},
    ]
    for fields in wrong:
        for method, path in (("POST", "/api/storages/s3"), ("POST", "/api/storages/s3/validate"), ("PATCH", one)):
            assert 400 <= ask(method, path, json={**body, **fields}) < 500
    for rule in ({"status": 403}, {"status": 500}, {"status": 400}, {"action": "reset"}):
        s3.faults({"action": "status", "op": "list", **rule})
        ask("POST", "/api/storages/s3/validate", json={"id": storage, **body})
        ask("POST", "/api/storages/s3/files", json={"id": storage, **body})
        ask("PATCH", f"/api/storages/export/s3/{goal}", json={"prefix": "rows"})
        ask("PATCH", one, json={"prefix": "rows"})
    s3.faults()
    ask("GET", one)
    ask("GET", f"/api/storages/?project={project}")
    ask("GET", f"/api/storages/export?project={project}")
    ask("GET", f"/api/storages/export/s3/{goal}")
    ask("GET", "/api/storages/export/s3/form")
    dataset = api.get("/api/storages/dataset/s3")[0]["id"]
    for path in ("", "/s3", f"/s3/{dataset}", f"/s3/{dataset}/records", "/s3/form"):
        ask("GET", f"/api/storages/dataset{path}")
    ask("PUT", one, json=body)
    ask("POST", f"{one}/sync")
    s3.access("SOMEBODYELSE")
    api.work()
    ask("GET", one)
    ask("POST", "/api/storages/s3", content=b'{"aws_secret_access_key": "canary/secret+value=0002", }')
    ask("POST", "/api/storages/s3", json=[CANARIES])
    for text in ("/openapi.json", "/docs", "/api/projects/", f"/api/tasks/?project={project}"):
        ask("GET", text)

    s3.access("")

    def broken(*_: Any) -> Any:
        raise RuntimeError("boom")

    documents, opener = api.ctx.documents.commit, api.ctx.open_store
    api.ctx.documents.commit = broken  # type: ignore[method-assign]
    assert ask("POST", "/api/storages/s3", json=body) == 500
    assert ask("PATCH", one, json={**body, "title": "x"}) == 500
    api.ctx.documents.commit = documents  # type: ignore[method-assign]
    api.ctx.open_store = broken
    assert ask("POST", "/api/storages/s3/validate", json=body) == 500
    api.ctx.open_store = opener

    logged = log_lines.getvalue()
    assert "storage created" in logged
    assert "boom" in logged
    for form in FORMS:
        assert form not in logged
        assert not [text for text in ask.heard if form in text]
        assert not [path for path in files(settings.data_dir) if form.encode() in path.read_bytes()]
    assert not any("boom" in text or "Traceback (most" in text for text in ask.heard)


@pytest.fixture
def gcs() -> Iterator[GcsServer]:
    with gcs_server() as server:
        server.fill("pictures", 3, prefix="img/")
        yield server


class TestOtherIdentities:
    @pytest.fixture
    def settings(self, settings: Settings, identity_settings: Callable[..., Settings], gcs: GcsServer) -> Settings:
        nobody = "http://127.0.0.1:9/{account}"
        return identity_settings(settings, storage_emulator_host=gcs.address, azure_blob_url=nobody)

    def test_canaries(
        self,
        api: Api,
        s3: S3Server,
        gcs: GcsServer,
        identities: Identities,
        google_process: None,
        log_lines: io.StringIO,
        settings: Settings,
        caplog: pytest.LogCaptureFixture,
    ):
        """What users enter, what this process is known by, and what is granted for it."""
        ask = Listener(api)
        project = api.project()
        s3.access(identities.session[0], identities.session[2])
        gcs.access(identities.token("impersonated"))
        bucket = {"bucket": "pictures", "prefix": "img", "use_blob_urls": True}
        bodies = {
            "s3s": {**AS_ROLE, **bucket, "s3_endpoint": s3.endpoint},
            "gcs_sa": {**AS_READER, **bucket},
            "gcswif": {**AS_MEMBER, **bucket},
            "azure_spi": AS_APPLICATION,
        }
        wrong = {
            "s3s": {"role_arn": ROLE + "2"},
            "gcs_sa": {"target_service_account_email": "x@y.z"},
            "gcswif": {"google_wif_pool_id": "x"},
            "azure_spi": {"tenant_id": "x", "container": "x"},
        }
        for kind, body in bodies.items():
            assert ask("POST", f"/api/storages/{kind}/", json={"project": project, **body}) == 201
            one = f"/api/storages/{kind}/{api.get(f'/api/storages/{kind}?project={project}')[0]['id']}"
            for path in (f"/api/storages/{kind}/", f"/api/storages/{kind}/validate"):
                assert ask("POST", path, json={"project": project, **body, **wrong[kind]}) == 400
            assert ask("PATCH", one, json=body | wrong[kind]) == 400
            assert ask("POST", f"{one}/sync") == 200
            api.work()
            ask("GET", one)
        assert ask("PATCH", one, json={**AS_APPLICATION, "container": "x"}) == 400
        identities.generation = 2  # nothing that was granted so far is good any more
        s3.access(identities.session[0], identities.session[2])
        gcs.access(identities.token("impersonated"))
        for storage in api.get(f"/api/storages/?project={project}"):
            ask("POST", f"/api/storages/{storage['type']}/{storage['id']}/sync")
        api.work()
        ask("GET", f"/api/storages/?project={project}")
        assert '"failed"' in ask.heard[-1]
        assert len({operation for operation, _ in identities.asked}) == 4
        own = json.loads(Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())["private_key"]
        granted = [secret for issued in identities.issued for secret in issued]
        planted = [*AWS_KEYS, EXTERNAL_ID, CLIENT_SECRET, SUBJECT, own.splitlines()[1], *granted]
        for secret in planted:
            for text in (*ask.heard, log_lines.getvalue(), caplog.text):
                assert secret not in text
                assert quote(secret, safe="") not in text
            assert not [path for path in files(settings.data_dir) if secret.encode() in path.read_bytes()]


def files(folder: str) -> list[Path]:
    return [path for path in Path(folder).iterdir() if path.is_file()]


def test_a_500_can_be_found_in_the_log(api: Api, log_lines: io.StringIO):
    def broken(*_: Any) -> Any:
        raise RuntimeError("boom")

    api.ctx.documents.commit = broken  # type: ignore[method-assign]
    error = api.post("/api/projects/", {"title": "Some"}, 500)
    assert list(error) == ["id", "status_code", "version", "detail", "exc_info"]
    assert error["exc_info"] is None
    assert error["id"] in log_lines.getvalue()


def test_credentials_that_cannot_be_decrypted_can_be_entered_again(api: Api, s3: S3Server):
    storage = api.s3(api.project(), s3.endpoint)
    stored = api.ctx.storages.get(storage["id"])
    assert stored is not None
    foreign = replace(stored.value, secrets=Vault.throwaway().seal(CANARIES))
    api.ctx.documents.commit([api.ctx.storages.update(stored, foreign)])
    path = f"/api/storages/s3/{storage['id']}"
    error = api.call("PATCH", path, 400, json={"prefix": "rows"})
    assert "can't be read with this server's key" in error["validation_errors"]["non_field_errors"][0]
    api.call("PATCH", path, json={"prefix": "rows", **CANARIES})
    assert api.ctx.vault.open(api.ctx.storages.get(storage["id"]).value.secrets) == CANARIES
