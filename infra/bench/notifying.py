"""How soon an upload is a task that can be seen, with notifications: from the end of the PUT to the list of tasks.

Uploads come one by one, a tenth of a second apart, so that some open a window and most fall into one that is open.
"""

import json
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
from azure.storage.blob import ContainerClient

from infra.bench.s3_process import s3_server
from infra.client import Client
from infra.emulators import Missing, azurite, gcs, pubsub, running
from infra.emulators.push import push_to, push_topic
from infra.local import Stack
from infra.local import running as local_stack

BUCKET, SECRET, APART = "bucket", "a-secret-of-the-benchmark", 0.1
PATIENCE = 60.0
POLL = 0.05

Upload = Callable[[str], Any]


class Latency(NamedTuple):
    """Seconds from upload to task."""

    name: str
    seconds: list[float]

    def at(self, share: float) -> float:
        """What so many of the uploads took at most."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def latencies(uploads: int) -> Iterator[Latency]:
    """S3 by a raw delivery of SNS, Azure by an event of Event Grid, GCS by a push of Pub/Sub: whose servers are here.

    The first two are told by the benchmark itself, right after the upload.
    """
    with _by_sns() as (stack, storage, upload):
        yield Latency("S3, raw SNS", _measure(stack, storage, upload, uploads))
    container = azurite.find()
    if not isinstance(container, Missing):
        with running(container) as server, _by_event_grid(server.url) as (stack, storage, upload):
            yield Latency("Azure, Event Grid", _measure(stack, storage, upload, uploads))
    broker = pubsub.find()
    if isinstance(broker, Missing):
        return
    with running(broker) as server:
        topic = push_topic(server, "bench")
        source = gcs.find(pubsub=server.host, topic=topic)
        if isinstance(source, Missing):
            return
        with running(source) as objects, _by_pubsub(objects.url) as (stack, storage, upload):
            push_to(server, topic, f"{stack.url}/bucket_event")
            yield Latency("GCS, Pub/Sub push", _measure(stack, storage, upload, uploads))


@contextmanager
def _by_sns() -> Iterator[tuple[Stack, dict[str, Any], Upload]]:
    with tempfile.TemporaryDirectory() as folder, s3_server() as s3:
        s3.put(BUCKET, "first.jpg", b"x")
        with local_stack(Path(folder), files_root=folder, notice_secrets=SECRET) as stack:
            keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "s3_endpoint": s3.endpoint}

            def upload(key: str) -> None:
                s3.put(BUCKET, key, b"x")
                about = {"bucket": {"name": BUCKET}, "object": {"key": key}}
                body = json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": about}]}).encode()
                _post(f"{stack.url}/bucket_webhook", body, {"X-Sluice-Secret": SECRET})

            yield stack, _storage(stack, "s3", keys), upload


@contextmanager
def _by_event_grid(url: str) -> Iterator[tuple[Stack, dict[str, Any], Upload]]:
    endpoint = f"{url}/{azurite.ACCOUNT}"
    account = {"account_name": azurite.ACCOUNT, "account_key": azurite.KEY}
    with (
        ContainerClient(endpoint, BUCKET, credential=account) as container,
        tempfile.TemporaryDirectory() as folder,
        local_stack(Path(folder), files_root=folder, notice_secrets=SECRET) as stack,
    ):
        container.create_container()
        container.upload_blob("first.jpg", b"x")

        def upload(key: str) -> None:
            container.upload_blob(key, b"x")
            event = {
                "specversion": "1.0",
                "type": "Microsoft.Storage.BlobCreated",
                "source": f"/subscriptions/s/providers/Microsoft.Storage/storageAccounts/{azurite.ACCOUNT}",
                "subject": f"/blobServices/default/containers/{BUCKET}/blobs/{key}",
                "id": key,
                "data": {"url": f"{endpoint}/{BUCKET}/{key}"},
            }
            body = json.dumps(event).encode()
            _post(f"{stack.url}/bucket_webhook?secret={SECRET}", body, {"Content-Type": "application/cloudevents+json"})

        yield stack, _storage(stack, "azure", {"container": BUCKET, "azure_endpoint": endpoint, **account}), upload


@contextmanager
def _by_pubsub(url: str) -> Iterator[tuple[Stack, dict[str, Any], Upload]]:
    _post(f"{url}/storage/v1/b?project=demo", json.dumps({"name": BUCKET}).encode(), {})

    def upload(key: str) -> None:
        query = urlencode({"uploadType": "media", "name": key})
        _post(f"{url}/upload/storage/v1/b/{BUCKET}/o?{query}", b"x", {})

    upload("first.jpg")
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {"storage_emulator_host": url, "trust_callers": True}
        with local_stack(Path(folder), files_root=folder, **settings) as stack:
            yield stack, _storage(stack, "gcs", {}), upload


def _storage(stack: Stack, kind: str, access: dict[str, Any]) -> dict[str, Any]:
    """A storage that was synced once, and listens."""
    settings = {"bucket": BUCKET, "use_blob_urls": True, "auto_sync": True, **access}
    with Client(stack.url, stack.token) as client:
        project = client.create_project("bench", None)
        storage = client.sync(client.create_storage(kind, project.id, settings))
        while storage.active:
            time.sleep(POLL)
            storage = client.storage(storage)
    return {"id": storage.id, "project": project.id}


def _measure(stack: Stack, storage: dict[str, Any], upload: Upload, uploads: int) -> list[float]:
    uploaded: dict[str, float] = {}
    seen: dict[str, float] = {}

    def load() -> None:
        for number in range(uploads):
            upload(f"{number:05d}.jpg")
            uploaded[f"{number:05d}.jpg"] = time.monotonic()
            time.sleep(APART)

    loader = threading.Thread(target=load, name="uploads")
    loader.start()
    end = time.monotonic() + uploads * APART + PATIENCE
    headers = {"Authorization": f"Token {stack.token}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=30) as http:
        while len(seen) < uploads and time.monotonic() < end:
            answer = http.get("/api/tasks", params={"project": storage["project"], "page_size": 1000})
            now = time.monotonic()
            for task in answer.json()["tasks"]:
                seen.setdefault(task["storage_filename"], now)
            seen.pop("first.jpg", None)
            time.sleep(POLL)
    loader.join()
    return [seen.get(key, end) - moment for key, moment in uploaded.items()]


def _post(url: str, body: bytes, headers: dict[str, str]) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310  this machine's
        return
