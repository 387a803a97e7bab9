"""`sluice doctor`: what keeps objects from being seen, found by a process of its own on real servers."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, CorsRule

from infra.bench.s3_process import S3Server, s3_server
from infra.client import Client, Storage
from infra.emulators import Running
from infra.emulators.azurite import ACCOUNT, KEY
from infra.local import Stack, running
from tests.e2e.test_cli import client, environment, run, stack
from tests.emulators_buckets import azure_emulator
from tests.identity_servers import WEB_ROLE, identity_server

__all__ = ["azure_emulator", "client", "stack"]

SECRETS = {"aws_access_key_id": "AKIDFORTESTS", "aws_secret_access_key": "a-secret-for-tests"}
PAGE = "https://label.example.org"


@pytest.fixture
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        server.put("pictures", "img/1.jpg", "body")
        server.signers(secret=SECRETS["aws_secret_access_key"])
        yield server


def connect(client: Client, kind: str, **settings: Any) -> Storage:
    return client.create_storage(kind, client.create_project("Doctor").id, {"prefix": "img", **settings})


def examined(stack: Stack, storage: Storage, *more: str, code: int) -> dict[str, dict[str, Any]]:
    """Findings by their step, after a look for what must not be told."""
    out, err = run("doctor", storage.id, *more, "--json", env=environment(stack), code=code)
    for secret in (*SECRETS.values(), KEY, "Signature=", "sig="):
        assert secret not in out + err
    return {finding["step"]: finding for finding in json.loads(out)}


def test_a_bucket_without_cors_rules(stack: Stack, client: Client, s3: S3Server):
    storage = connect(client, "s3", bucket="pictures", s3_endpoint=s3.endpoint, **SECRETS)
    found = examined(stack, storage, code=2)
    assert [(step, it["well"]) for step, it in found.items()] == [
        *((step, True) for step in ("bucket", "objects", "signing", "loading")),
        ("cors", False),
    ]
    remedy = found["cors"]["remedy"]
    rule = json.loads(remedy[remedy.index("{") : remedy.rindex("}") + 1])["CORSRules"][0]
    assert rule["AllowedOrigins"] == [stack.url]
    assert "Content-Range" in rule["ExposeHeaders"]
    command = "aws s3api put-bucket-cors --bucket pictures --cors-configuration file://cors.json --endpoint-url"
    assert f"{command} {s3.endpoint}" in remedy
    # A page of another server is nobody once it was redirected.
    remedy = examined(stack, storage, "--origin", PAGE, code=2)["cors"]["remedy"]
    assert json.loads(remedy[remedy.index("{") : remedy.rindex("}") + 1])["CORSRules"][0]["AllowedOrigins"] == ["*"]


def test_what_comes_before(stack: Stack, client: Client, s3: S3Server):
    settings = {"bucket": "pictures", "s3_endpoint": s3.endpoint, **SECRETS}
    streamed = connect(client, "s3", presign=False, **settings)
    assert "streams the objects itself" in examined(stack, streamed, code=0)["signing"]["text"]
    storage = connect(client, "s3", **settings)
    s3.faults({"action": "status", "op": "get", "status": 403, "code": "AccessDenied", "count": -1})
    found = examined(stack, storage, code=2)
    assert found["loading"]["text"].endswith("answers 403 AccessDenied")
    assert "s3:GetObject" in found["loading"]["remedy"]
    s3.faults()
    hidden = connect(client, "s3", s3_public_endpoint="http://127.0.0.1:1", **settings)
    found = examined(stack, hidden, code=2)
    assert "127.0.0.1:1 can't be reached from here" in found["loading"]["text"]
    assert "s3_public_endpoint" in found["loading"]["remedy"]
    s3.delete("pictures", "img/1.jpg")
    s3.signers()
    assert list(examined(stack, storage, code=2)) == ["bucket"]
    s3.drop("pictures")
    assert "Cannot find bucket" in examined(stack, storage, code=2)["bucket"]["text"]
    run("doctor", 99_999, env=environment(stack), code=1)


def test_a_folder_needs_nothing(stack: Stack, client: Client):
    folder = Path(stack.ctx.settings.local_files_document_root) / "doctor"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"picture")
    storage = client.create_storage("localfiles", client.create_project("Doctor").id, {"path": str(folder)})
    assert [it["well"] for it in examined(stack, storage, code=0).values()] == [True] * 3


@pytest.mark.emulator
def test_the_rule_that_it_names_mends_it(stack: Stack, client: Client, azure_emulator: Running):
    endpoint, name = f"{azure_emulator.url}/{ACCOUNT}", f"c{uuid.uuid4().hex}"
    with BlobServiceClient(endpoint, credential={"account_name": ACCOUNT, "account_key": KEY}) as service:
        container = service.create_container(name)
        container.upload_blob("img/1.jpg", b"body")
        fields = {"container": name, "azure_endpoint": endpoint, "account_name": ACCOUNT, "account_key": KEY}
        storage = connect(client, "azure", **fields)
        found = examined(stack, storage, code=2)
        assert not found["cors"]["well"]
        remedy = found["cors"]["remedy"]
        assert "az storage cors add --services b --methods GET HEAD" in remedy
        rule = json.loads(remedy[remedy.index("{") : remedy.rindex("}") + 1])
        service.set_service_properties(
            cors=[
                CorsRule(
                    rule["origins"],
                    rule["methods"],
                    allowed_headers=["*"],
                    exposed_headers=rule["exposedHeaders"],
                    max_age_in_seconds=rule["maxAge"],
                )
            ]
        )
        try:
            found = examined(stack, storage, code=0)
            assert found["cors"]["text"] == f"The bucket lets pages of {stack.url} in."
        finally:
            service.set_service_properties(cors=[])
            service.delete_container(name)


def test_a_server_whose_role_was_taken_away(tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shared.adapters.objects.attempts.BACKOFF", 0.001)
    (tmp_path / "files").mkdir()
    with identity_server() as identities:
        s3.access(identities.web_session[0], identities.web_session[2])
        s3.signers(secret=identities.web_session[1])
        identities.life = 60.0  # so each use needs another session
        asked = {"aws_sts_endpoint": identities.url, "google_metadata_host": identities.url.removeprefix("http://")}
        with (
            running(
                tmp_path / "data", files_root=tmp_path / "files", aws_web_identity_role_arn=WEB_ROLE, **asked
            ) as own,
            Client(own.url, own.token) as client,
        ):
            storage = connect(client, "s3", bucket="pictures", s3_endpoint=s3.endpoint)
            assert examined(own, storage, code=2)["loading"]["well"]
            identities.trusting = False
            found = examined(own, storage, code=2)
    assert [(step, it["well"]) for step, it in found.items()] == [("bucket", False)]
    assert f"AWS does not let this server assume {WEB_ROLE}" in found["bucket"]["text"]
