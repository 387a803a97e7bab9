"""How fast a target is filled: a full sync through the whole stack, beside the bare storage client's writes."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from infra.bench.measures import BUCKET, FETCH_THREADS, KEYS
from infra.bench.s3_process import S3Server
from infra.bench.writing import rate
from infra.processes import LocalProcess
from shared.adapters.objects.s3 import S3Objects

BATCH = 1_000
RESULT = [{"from_name": "c", "to_name": "i", "type": "choices", "value": {"choices": ["cat"]}}]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFigures:
    """One target, filled and synced once more, in a server process."""

    objects: int
    seconds: float
    cpu_us: float
    """CPU of the server process per object, in microseconds."""
    again_seconds: float
    """A second full sync, with nothing to do."""
    peak_mb: float


def bare_writing(s3: S3Server, objects: int) -> float:
    """Objects per second that the storage client alone creates, from as many threads as an invocation uses."""
    s3.bucket("bare")
    store = S3Objects("bare", endpoint=s3.endpoint, access_key="key", secret_key="secret")  # noqa: S106
    try:
        return rate(store, FETCH_THREADS, objects)[0]
    finally:
        store.close()


def fill(s3: S3Server, folder: Path, objects: int, format: Literal["annotation", "task"]) -> TargetFigures:  # noqa: A002
    """Fills a new target of a fresh server with one object for each of so many annotated tasks."""
    s3.bucket(BUCKET)
    server = LocalProcess(folder / format, folder)
    server.start()
    try:
        with httpx.Client(base_url=server.url, headers={"Authorization": f"Token {server.token}"}, timeout=120) as http:
            project = http.post("/api/projects/", json={"title": "bench"}).json()["id"]
            for first in range(0, objects, BATCH):
                rows = [{"data": {"n": first + at}, "annotations": [{"result": RESULT}]} for at in range(BATCH)]
                http.post(f"/api/projects/{project}/import", json=rows).raise_for_status()
            settings = {"project": project, "bucket": BUCKET, "prefix": format, "export_format": format}
            settings |= {"s3_endpoint": s3.endpoint, "synchronizable": True, **KEYS}
            cpu, begin = server.cpu_seconds(), time.perf_counter()
            storage = http.post("/api/storages/export/s3", json=settings).json()["id"]
            seconds = _ended(http, storage, objects, begin)
            cpu = server.cpu_seconds() - cpu
            begin = time.perf_counter()
            http.post(f"/api/storages/export/s3/{storage}/sync").raise_for_status()
            again = _ended(http, storage, objects, begin)
            return TargetFigures(
                objects=objects,
                seconds=seconds,
                cpu_us=cpu / objects * 1e6,
                again_seconds=again,
                peak_mb=server.peak_memory(),
            )
    finally:
        server.stop()


def _ended(http: httpx.Client, storage: int, objects: int, begin: float) -> float:
    while (now := http.get(f"/api/storages/export/s3/{storage}").json())["status"] in {"queued", "in_progress"}:
        time.sleep(0.05)
    if (now["status"], now["last_sync_count"]) != ("completed", objects):
        raise RuntimeError(f"the sync ended {now['status']} with {now['last_sync_count']}: {now['traceback']}")
    return time.perf_counter() - begin
