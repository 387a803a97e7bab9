"""The deployed shape: separate processes per function, Firestore and Cloud Tasks between them, one of them killed."""

import signal
import threading
import time

import httpx
import pytest

from infra.bench.s3_process import gcs_server
from shared.services.context import QUEUE_FUNCTIONS
from tests.e2e.deployment import deployed
from tests.emulators import firestore_emulator  # noqa: F401
from tests.receiver import receiving

OBJECTS = 5_000

pytestmark = pytest.mark.emulator


def test_an_import_survives_the_death_of_its_function(firestore_emulator, tmp_path):  # noqa: F811
    """5,000 objects of a GCS bucket, the worker's processes killed with -9 on the way: a task per object, none twice.

    If it died in a transaction, Firestore keeps that one's locks for a minute, and everybody waits for them.
    """
    pause = threading.Event()
    with (
        gcs_server() as gcs,
        deployed(
            tmp_path, firestore_emulator, only=("api", "sync_chunk", "sweep"), STORAGE_EMULATOR_HOST=gcs.endpoint
        ) as (cloud, api),
        cloud.sweeping(2.0),
    ):
        gcs.fill("bucket", OBJECTS, prefix="images/")
        project = api.project()
        settings = {"bucket": "bucket", "prefix": "images", "recursive_scan": True, "use_blob_urls": True}
        storage = api.storage(project, kind="gcs", **settings)
        begun = time.monotonic()
        gcs.faults({"action": "hold", "op": "list", "skip": 6, "count": -1})  # so that it can't end before
        api.sync(storage)
        while not 500 <= (api.read(storage)["last_sync_count"] or 0) < OBJECTS:
            assert api.read(storage)["status"] in {"queued", "in_progress"}, cloud.logs()
            assert time.monotonic() - begun < 60, cloud.logs()
            pause.wait(0.05)
        worker = cloud.functions["sync_chunk"]
        worker.end(signal.SIGKILL)
        killed_at = time.monotonic() - begun
        assert api.read(storage)["status"] == "in_progress"
        gcs.faults()
        worker.start()

        ended = api.wait(storage, 120)

        print(f"\nkilled after {killed_at:.1f} s, completed after {time.monotonic() - begun:.1f} s")
        assert ("completed", OBJECTS, None) == (ended["status"], ended["last_sync_count"], ended["traceback"])
        keys = [task["storage_filename"] for task in api.tasks(project)]
        assert sorted(gcs.keys("bucket")) == sorted(keys)
        assert set(cloud.swept) == {200}


def test_only_queue_and_timer_may_call(firestore_emulator, tmp_path):  # noqa: F811
    with deployed(tmp_path, firestore_emulator) as (cloud, api):
        assert api.project() > 0
        for name in (*QUEUE_FUNCTIONS, "sweep"):
            assert httpx.post(cloud.functions[name].url, json={}).status_code == 401


def test_a_webhook_is_posted_by_its_own_function(firestore_emulator, tmp_path):  # noqa: F811
    """Although it was dead for a while: the queue comes again."""
    wanted, env = ("api", "deliver_webhook"), {"SLUICE_WEBHOOK_ALLOW_PRIVATE": "true"}
    with receiving() as receiver, deployed(tmp_path, firestore_emulator, only=wanted, **env) as (cloud, api):
        body = {"url": receiver.url, "headers": {"X-Key": "a-key-of-the-receiver"}}
        assert api.http.post("/api/webhooks/", json=body).status_code == 201
        cloud.functions["deliver_webhook"].end(signal.SIGKILL)
        project = api.project()
        cloud.functions["deliver_webhook"].start()

        told = receiver.next()

        assert ("PROJECT_CREATED", project) == (told.json["action"], told.json["project"]["id"])
        assert "a-key-of-the-receiver" == told.headers["X-Key"]
        assert "a-key-of-the-receiver" not in "".join(cloud.functions[name].log.read_text() for name in wanted)


def test_a_deployment_posts_to_public_addresses_alone(firestore_emulator, tmp_path):  # noqa: F811
    with deployed(tmp_path, firestore_emulator, only=("api",)) as (_cloud, api):
        for url in ("http://127.0.0.1:8080/", "http://169.254.169.254/computeMetadata/v1/", "http://localhost/"):
            answer = api.http.post("/api/webhooks/", json={"url": url})
            assert 400 == answer.status_code
            assert "not a public address" in answer.json()["validation_errors"]["url"][0]
