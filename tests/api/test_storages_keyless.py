"""Storages without keys where the process is a Google service account, over HTTP: checks, syncs, refusals, secrets."""

import io
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.bench.s3_process import S3Server
from infra.emulators.azurite import ACCOUNT
from shared.adapters.objects import google_identity
from shared.settings import Settings
from tests.api.client import Api
from tests.api.test_secrets import Listener, files
from tests.api.test_storages_cloud import refusal, synced
from tests.google_machine import UNIQUE_ID
from tests.identities import TOKENS, google_workload, identities, identity_settings
from tests.identity_servers import AZURE_AUDIENCE, CLIENT, EXTERNAL_ID, ROLE, WEB_ROLE, Identities

__all__ = ["identities", "identity_settings"]

STRANGERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
AZURE = {"account_name": ACCOUNT, "container": "pictures", "auth_mode": "workload_identity"}


@pytest.fixture
def settings(settings: Settings, identity_settings: Callable[..., Settings]) -> Settings:
    """Of a process that is a role of AWS's and an application of Microsoft's; no blobs are anywhere."""
    nobody = "http://127.0.0.1:9/{account}"
    more = {"aws_web_identity_role_arn": WEB_ROLE, "azure_blob_url": nobody, **google_workload()}
    return identity_settings(settings, **more)


@pytest.fixture
def bucket(s3: S3Server, identities: Identities) -> dict[str, Any]:
    """The fields of a storage whose bucket only the process's role reads."""
    s3.access(identities.web_session[0], identities.web_session[2])
    return {"bucket": "pictures", "prefix": "img", "s3_endpoint": s3.endpoint, "use_blob_urls": True}


def test_a_fresh_one_and_its_sync(api: Api, bucket: dict[str, Any], identities: Identities):
    body = {"project": api.project(), **bucket}

    api.post("/api/storages/s3/validate", body)
    made = api.post("/api/storages/s3/", body, 201)
    first, second = synced(api, made), synced(api, made)

    assert (first["status"], first["last_sync_count"]) == ("completed", 10)
    assert (second["status"], second["last_sync_count"]) == ("completed", 0)
    stored = api.ctx.storages.get(made["id"])
    assert stored
    assert stored.value.secrets == b""
    assert [operation for operation, _ in identities.asked] == ["AssumeRoleWithWebIdentity"]


@pytest.mark.parametrize("kind", ["s3", "s3s", "export/s3", "dataset/s3"])
def test_a_refusal_is_a_400_that_says_what_to_do(kind: str, api: Api, bucket: dict[str, Any], identities: Identities):
    identities.trusting = False
    project = {} if kind.startswith("dataset") else {"project": api.project()}

    told = refusal(api, kind, {**project, **bucket, **({"role_arn": ROLE} if kind == "s3s" else {})})

    [text] = told["non_field_errors"]
    assert text.startswith(f"AWS does not let this server assume {WEB_ROLE}: the role's trust policy must allow ")
    assert f"are {UNIQUE_ID} (the unique id of this server's service account)" in text


def test_an_application_that_does_not_trust_it_is_a_400(api: Api, identities: Identities):
    identities.machine.subject = "1"

    told = refusal(api, "azure_spi", {"project": api.project(), **AZURE})

    [text] = told["non_field_errors"]
    assert text.startswith(f"Microsoft does not let application {CLIENT} of tenant ")
    assert f"subject 1 (the unique id of this server's service account) and audience {AZURE_AUDIENCE}" in text


class TestNowhere:
    @pytest.fixture
    def settings(self, settings: Settings, identity_settings: Callable[..., Settings]) -> Settings:
        return identity_settings(settings, google_metadata_host="127.0.0.1:9")

    @pytest.mark.parametrize(
        ("kind", "setting"),
        [("s3", "SLUICE_AWS_WEB_IDENTITY_ROLE_ARN"), ("azure_spi", "SLUICE_AZURE_GOOGLE_IDENTITY")],
    )
    def test_a_server_that_is_not_at_google_says_so(self, kind: str, setting: str, api: Api, bucket: dict[str, Any]):
        told = refusal(api, kind, {"project": api.project(), **(bucket if kind == "s3" else AZURE)})

        [text] = told["non_field_errors"]
        assert text.startswith(f"{setting} needs a Google service account for this server to be, but nothing answers ")
        assert "it runs nowhere on Google Cloud" in text


def test_canaries(
    api: Api,
    bucket: dict[str, Any],
    s3: S3Server,
    identities: Identities,
    log_lines: io.StringIO,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    """No token, and nothing that was granted for it, in answers, logs and files, whoever refuses whatever."""
    ask = Listener(api)
    project = api.project()
    s3.access("")  # who is refused is refused where identities are had
    identities.life = 60.0  # so each use needs another session, and
    later = SimpleNamespace(time=lambda: time.time() + 7200.0)
    monkeypatch.setattr(google_identity, "time", later)  # another token
    monkeypatch.setattr("shared.adapters.objects.attempts.BACKOFF", 0.001)
    bodies = {
        "s3": bucket,
        "s3s": {**bucket, "role_arn": ROLE, "external_id": EXTERNAL_ID},
        "azure_spi": AZURE,
    }
    made = {}
    for kind in ("s3", "s3s"):
        assert ask("POST", f"/api/storages/{kind}", json={"project": project, **bodies[kind]}) == 201
        made[kind] = api.get(f"/api/storages/{kind}?project={project}")[0]["id"]

    changes = [
        *[(identities, "trusting", False), (identities, "knows_google", False), (identities, "busy", True)],
        *[(identities.machine, "busy", True), (identities.machine, "account", False)],
        *[(identities.machine, "subject", "1"), (identities.machine, "key", STRANGERS_KEY)],
    ]
    for owner, name, value in changes:
        before = getattr(owner, name)
        setattr(owner, name, value)
        for kind, body in bodies.items():
            for path in (f"{kind}/validate", f"{kind}/files", kind):
                assert ask("POST", f"/api/storages/{path}", json={"project": project, **body}) == 400
            if kind in made:
                assert ask("PATCH", f"/api/storages/{kind}/{made[kind]}", json={"prefix": "rows"}) == 400
        setattr(owner, name, before)
    identities.trusting = False
    for kind, number in made.items():
        assert ask("POST", f"/api/storages/{kind}/{number}/sync") == 200
    api.work()
    ask("GET", f"/api/storages/?project={project}")

    assert ask.heard[-1].count('"failed"') == 2
    assert {name for name, _ in identities.asked} == {"AssumeRoleWithWebIdentity", "AssumeRole", "sign-in"}
    assert len(identities.machine.issued) > 10
    granted = [*identities.session[1:], *identities.web_session[1:], *(key for key, *_ in identities.issued)]
    for secret in (*granted, TOKENS, EXTERNAL_ID):
        for text in (*ask.heard, log_lines.getvalue(), caplog.text):
            assert secret not in text
            assert quote(secret, safe="") not in text
        assert not [path for path in files(settings.data_dir) if secret.encode() in path.read_bytes()]
