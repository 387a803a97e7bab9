"""The zip that is deployed does its work alone: unpacked into an empty folder, with its own requirements and no more.

Every function runs as the platform runs it, and does once what it is for.
"""

import hashlib
import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow
import pyarrow.parquet
import pytest

from infra.bench.s3_process import S3Server
from infra.emulators import Running
from infra.emulators.cloud_tasks.oidc import Issuer
from infra.function_process import Code, FunctionProcess
from infra.installing import install
from infra.package import build
from infra.processes import ROOT
from tests.e2e.deployment import Deployment, deployed
from tests.receiver import receiving
from tests.stack import Api

IMAGES, ROWS = 300, 50
EVENTS = "events@sluice-test.iam.gserviceaccount.com"
RESULT = [{"from_name": "ch", "to_name": "img", "type": "choices", "value": {"choices": ["cat"]}}]
HERE = {str(ROOT), *((sys.prefix, os.path.realpath(sys.prefix)) if sys.prefix != sys.base_prefix else ())}
"""The checkout, and the environment that the tests run in."""

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(420)]  # most of it for pip, where wheels have to be fetched


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Code]:
    """The zip, unpacked and installed; nobody may write into its source."""
    folder, begun = tmp_path_factory.mktemp("package"), time.monotonic()
    code = install(build(folder), folder)
    print(f"\ninstalled in {time.monotonic() - begun:.1f} s")
    allow_writing(code.folder, False)
    yield code
    allow_writing(code.folder, True)


def allow_writing(folder: Path, allowed: bool) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod((0o755 if allowed else 0o555) if path.is_dir() else (0o644 if allowed else 0o444))


def digests(folder: Path) -> dict[str, str]:
    """What is in a folder; not the byte code, as permissions do not keep root from writing that."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def variables(pid: int) -> dict[str, str]:
    """The environment that a process was started with."""
    lines = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(line.split("=", 1) for line in lines if line)


def check_where_it_runs(function: FunctionProcess, code: Code) -> list[int]:
    """Where its processes stand, whose libraries they hold, and that nothing tells them of the checkout.

    Returns those that are not the server's own.
    """
    members = function.members()
    for pid in members:
        proc = Path(f"/proc/{pid}")
        assert (proc / "cwd").readlink() == code.folder
        assert not any(place in value for place in HERE for value in variables(pid).values())
        mapped = {line.split(maxsplit=5)[5] for line in (proc / "maps").read_text().splitlines() if "/" in line}
        assert any(name.startswith(f"{code.folder.parent}/env/") for name in mapped)
        assert not any(name.startswith(f"{place}/") for place in HERE for name in mapped)
    servers = [pid for pid in members if code.command[0] in Path(f"/proc/{pid}/cmdline").read_text().split("\0")]
    assert len(servers) >= 2  # gunicorn and its worker
    return sorted(set(members) - set(servers))


def check_the_path(reader: int, code: Code) -> None:
    """Of the process that decodes Parquet: it is given the path on which sync_chunk itself finds modules."""
    paths = variables(reader)["PYTHONPATH"].split(os.pathsep)
    assert str(code.folder) in paths
    assert not [path for path in paths for place in HERE if path.startswith(place)]


def parquet() -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"image": [f"{row}.jpg" for row in range(ROWS)]}), file)
    return file.getvalue()


def eventually(what: Any) -> Any:
    """What a function returns once that is true."""
    pause = threading.Event()
    for _ in range(600):
        if found := what():
            return found
        pause.wait(0.1)
    raise AssertionError("it did not happen within a minute")


def test_the_zip_does_all_that_is_deployed(
    firestore_emulator: Running, s3: S3Server, code: Code, tmp_path: Path
) -> None:
    before = digests(code.folder)
    s3.drop("bucket")
    s3.fill("bucket", IMAGES, prefix="images/")
    s3.put("bucket", "rows/rows.parquet", parquet())
    settings = {"SLUICE_WEBHOOK_ALLOW_PRIVATE": "true", "SLUICE_EVENT_SERVICE_ACCOUNTS": EVENTS}
    begun = time.monotonic()
    with receiving() as receiver, deployed(tmp_path, firestore_emulator, code, **settings) as (cloud, api):
        print(f"\nserves after {time.monotonic() - begun:.1f} s")
        with cloud.sweeping(2.0):
            imports(api, s3)
            readers = {name: check_where_it_runs(function, code) for name, function in cloud.functions.items()}
            exports(api, s3)
            adds_records(api, s3)
            delivers(api, receiver)
            answers_buckets(cloud)
        decoding = readers.pop("sync_chunk")
        assert decoding
        for reader in decoding:
            check_the_path(reader, code)
        assert not any(readers.values())
        held = {name: round(function.memory()) for name, function in cloud.functions.items()}
        print(f"memory after its work, in MB: {held}")
        assert max(held.values()) < 400  # of 512 for most of them
        assert cloud.swept
        assert set(cloud.swept) == {200}, cloud.logs()
    assert digests(code.folder) == before
    print(f"done after {time.monotonic() - begun:.1f} s")


def imports(api: Api, s3: S3Server) -> None:
    """sync_chunk: an object each becomes a task, and a row each of a Parquet file."""
    project = api.project()
    images = api.s3_storage(project, s3.endpoint, prefix="images")
    rows = api.s3_storage(project, s3.endpoint, prefix="rows", use_blob_urls=False)
    for storage, count in ((images, IMAGES), (rows, ROWS)):
        api.sync(storage)
        ended = api.wait(storage)
        assert ("completed", count, None) == (ended["status"], ended["last_sync_count"], ended["traceback"])
    keys = [task["storage_filename"] for task in api.tasks(project)]
    assert sorted(keys) == sorted([*s3.keys("bucket")[:IMAGES], *["rows/rows.parquet"] * ROWS])


def exports(api: Api, s3: S3Server) -> None:
    """export_annotations: what is annotated is an object."""
    project = api.project()
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "s3_endpoint": s3.endpoint}
    fields = {"project": project, "bucket": "target", "prefix": "out", **keys}
    s3.bucket("target")
    api._ok(api.http.post("/api/storages/export/s3", json=fields))
    task = api._ok(api.http.post("/api/tasks/", json={"project": project, "data": {"image": "1.jpg"}}))
    made = api._ok(api.http.post(f"/api/tasks/{task['id']}/annotations/", json={"result": RESULT}))
    assert eventually(lambda: s3.keys("target")) == [f"out/{made['id']}"]


def adds_records(api: Api, s3: S3Server) -> None:
    """add_records: a dataset's records are tasks."""
    project = api.project()
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "s3_endpoint": s3.endpoint}
    made = api._ok(api.http.post("/api/storages/dataset/s3", json={"bucket": "bucket", "prefix": "images", **keys}))
    dataset = {**made, "type": "dataset/s3"}
    api.sync(dataset)
    assert api.wait(dataset)["last_sync_count"] == IMAGES
    path = api.path(dataset)
    asked = {"project": project, "filter": {"prefix": "images/"}}
    added = api._ok(api.http.post(f"{path}/records/add-to-project", json=asked))
    eventually(lambda: api._ok(api.http.get(f"{path}/additions/{added['id']}"))["finished_at"])
    assert len(api.tasks(project)) == IMAGES


def delivers(api: Api, receiver: Any) -> None:
    """deliver_webhook: who wants to know is told."""
    api._ok(api.http.post("/api/webhooks/", json={"url": receiver.url}))
    project = api.project()
    assert ("PROJECT_CREATED", project) == ((told := receiver.next().json)["action"], told["project"]["id"])


def answers_buckets(cloud: Deployment) -> None:
    """bucket_event takes what Pub/Sub says; nobody is admitted to bucket_webhook."""
    url, message = (
        cloud.functions["bucket_event"].url,
        {"eventType": "OBJECT_FINALIZE", "bucketId": "b", "objectId": "k"},
    )
    told = {"Authorization": f"Bearer {Issuer(cloud.key_file).token(EVENTS, url)}"}
    answer = httpx.post(url, json={"message": {"attributes": message}}, headers=told, timeout=60)
    assert answer.json() == {"honoured": 0, "ignored": 1, "malformed": 0}
    assert httpx.post(cloud.functions["bucket_webhook"].url, json={"Records": []}, timeout=60).status_code == 403
