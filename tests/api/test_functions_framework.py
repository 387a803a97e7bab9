"""The functions as they are deployed: started by functions-framework, one process each."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import main
from functions import sweep, sync_chunk
from tests.api.client import TOKEN, Api

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def deployed(target: str, data: Path, how: str) -> Iterator[httpx.Client]:
    """A function behind a port, with ASGI asked for by an option or by a variable."""
    port = free_port()
    command = [sys.executable, "-m", "functions_framework", f"--target={target}", "--source=main.py"]
    env = {"SLUICE_DATA_DIR": str(data), "SLUICE_TOKEN": TOKEN, "LOCAL_FILES_SERVING_ENABLED": "true"}
    env["SLUICE_TRUST_CALLERS"] = "true"  # who may call is for tests/unit/test_callers.py
    env |= {"LOCAL_FILES_DOCUMENT_ROOT": str(data.parent), "PYTHONWARNINGS": "error"} | {"PATH": os.environ["PATH"]}
    if how == "option":
        command.append("--asgi")
    else:
        env["FUNCTION_USE_ASGI"] = "true"
    process = subprocess.Popen([*command, "--host=127.0.0.1", f"--port={port}"], cwd=ROOT, env=env)
    try:
        headers = {"Authorization": f"Token {TOKEN}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as client:
            wait_until_it_listens(process, port)
            yield client
    finally:
        process.terminate()
        process.wait(10)


def wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the function did not start"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            os.sched_yield()
        else:
            return
    raise TimeoutError


def test_main_exports_the_targets_and_nothing_else():
    notified, queued = ["bucket_event", "bucket_webhook"], ["deliver_webhook", "export_annotations"]
    assert main.__all__ == ["add_records", "api", *notified, *queued, "sweep", "sync_chunk"]
    assert {name for name in vars(main) if not name.startswith("_")} == set(main.__all__)


@pytest.mark.parametrize("how", ["option", "variable"])
def test_api(tmp_path: Path, how: str):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").touch()
    with deployed("api", tmp_path / "data", how) as client:
        assert client.get("/health").json() == {"status": "UP"}
        project = client.post("/api/projects/", json={"title": "Deployed"})
        assert (project.status_code, project.headers["content-type"]) == (201, "application/json")
        body = {"project": project.json()["id"], "path": str(tmp_path / "pictures"), "use_blob_urls": True}
        storage = client.post("/api/storages/localfiles/", json=body).json()
        assert client.post(f"/api/storages/localfiles/{storage['id']}/sync").json()["status"] in (
            "queued",
            "in_progress",
            "completed",
        )
        assert client.post("/api/storages/localfiles/validate", json=body).content == b""
        assert client.delete(f"/api/storages/localfiles/{storage['id']}").status_code == 204
        assert client.get("/nothing").json()["status_code"] == 404
        assert client.get("/api/projects/", headers={"Authorization": ""}).status_code == 401
        assert client.get("/docs").status_code == 200


def test_sync_chunk_and_sweep(tmp_path: Path):
    with deployed("sync_chunk", tmp_path / "one", "option") as client:
        assert client.post("/", content=b"nonsense").status_code == 200
        permit = {"storage": 1, "ticket": 1, "run": "gone", "lane": 0}
        assert client.post("/", json=permit).status_code == 200
    with deployed("sweep", tmp_path / "two", "option") as client:
        assert client.post("/").status_code == 200


def test_what_buckets_notify(tmp_path: Path):
    with deployed("bucket_event", tmp_path / "one", "option") as client:
        body = {"message": {"attributes": {"eventType": "OBJECT_FINALIZE", "bucketId": "b", "objectId": "k"}}}
        assert client.post("/", json=body).json() == {"honoured": 0, "ignored": 1, "malformed": 0}
        event = {"ce-type": "google.cloud.storage.object.v1.finalized", "ce-id": "1", "ce-source": "s"}
        assert client.post("/", json={"bucket": "b", "name": "k"}, headers=event).status_code == 200
        assert client.post("/", content=b"nonsense").status_code == 400
    with deployed("bucket_webhook", tmp_path / "two", "option") as client:
        assert client.post("/", json={"Records": []}).status_code == 403  # no setting admits anybody
        assert client.request("OPTIONS", "/", headers={"WebHook-Request-Origin": "x.example"}).status_code == 403
        assert client.get("/").status_code == 405


POISON = [b"", b"nonsense", b"[]", b"{}", b'{"storage": "x", "ticket": 1, "run": "r"}', b'{"storage": 1, "ticket": 1}']


@pytest.mark.parametrize("body", [*POISON, b'{"storage": 1, "ticket": 1, "run": "r", "more": 1}', b"\xff"])
def test_poison_is_acknowledged(api: Api, body: bytes):
    assert sync_chunk.handle(api.ctx, {}, body) == 200


def test_a_defect_is_delivered_again(api: Api, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(sync_chunk.syncing, "run_permit", broken)
    assert sync_chunk.handle(api.ctx, {}, b'{"storage": 1, "ticket": 1, "run": "r", "lane": 0}') == 500
    monkeypatch.setattr(sweep.sweeping, "sweep", broken)
    assert sweep.handle(api.ctx, {}, b"") == 500
