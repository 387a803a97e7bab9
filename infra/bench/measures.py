"""What the benchmark measures: the bare storage client, a sync through the whole stack, documents per object."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from functions.runtime import deliver
from infra.counting import CountingDocuments
from infra.local import local_settings
from infra.processes import LocalProcess
from shared import app
from shared.adapters.documents.indexes import load_indexes
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.adapters.objects.s3 import S3Objects
from shared.model.providers import S3
from shared.services import projects
from shared.services.accounts import users
from shared.services.storages import registration
from shared.services.sync import runs

KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
BUCKET = "bench"
FETCH_THREADS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncFigures:
    """One sync of a bucket through the HTTP API, the queue and the document store, in a server process."""

    created: int
    seconds: float
    cpu_us: float
    """CPU of the server process per task made, in microseconds."""
    again_seconds: float
    """The same sync once more, with nothing to do."""
    peak_mb: float


def bare_listing(endpoint: str) -> float:
    """Keys per second of the storage client alone."""
    store = S3Objects(BUCKET, endpoint=endpoint, access_key="key", secret_key="secret")  # noqa: S106
    begin = time.perf_counter()
    keys = sum(len(page) for page in store.pages())
    seconds = time.perf_counter() - begin
    store.close()
    return keys / seconds


def bare_fetching(endpoint: str, limit: int = 10_000) -> float:
    """Objects read per second by the storage client alone, from as many threads as an invocation uses."""
    store = S3Objects(BUCKET, endpoint=endpoint, access_key="key", secret_key="secret")  # noqa: S106
    infos = [info for page in store.pages() for info in page][:limit]
    with ThreadPoolExecutor(FETCH_THREADS) as threads:
        begin = time.perf_counter()
        for _ in threads.map(lambda info: store.read(info.key, info.version), infos):
            pass
        seconds = time.perf_counter() - begin
    store.close()
    return len(infos) / seconds


def sync(endpoint: str, folder: Path, *, blob: bool) -> SyncFigures:
    """Syncs the bucket twice in a fresh server."""
    server = LocalProcess(folder / "data", folder)
    server.start()
    try:
        with httpx.Client(base_url=server.url, headers={"Authorization": f"Token {server.token}"}, timeout=60) as http:
            project = http.post("/api/projects/", json={"title": "bench"}).json()["id"]
            settings = {"project": project, **_settings(endpoint, blob=blob)}
            storage = http.post("/api/storages/s3/", json=settings).json()["id"]
            cpu = server.cpu_seconds()
            seconds, ended = _run(http, storage)
            cpu = server.cpu_seconds() - cpu
            again, _ = _run(http, storage)
            return SyncFigures(
                created=ended["last_sync_count"],
                seconds=seconds,
                cpu_us=cpu / ended["last_sync_count"] * 1e6,
                again_seconds=again,
                peak_mb=server.peak_memory(),
            )
    finally:
        server.stop()


def _settings(endpoint: str, *, blob: bool) -> dict[str, object]:
    return {"bucket": BUCKET, "s3_endpoint": endpoint, "recursive_scan": True, "use_blob_urls": blob, **KEYS}


def _run(http: httpx.Client, storage: int) -> tuple[float, dict[str, object]]:
    path = f"/api/storages/s3/{storage}"
    begin = time.perf_counter()
    http.post(f"{path}/sync").raise_for_status()
    while (now := http.get(path).json())["status"] in {"queued", "in_progress"}:
        time.sleep(0.05)
    if now["status"] != "completed":
        raise RuntimeError(f"the sync ended {now['status']}: {now['traceback']}")
    return time.perf_counter() - begin, now


def documents_per_object(endpoint: str, folder: Path, *, blob: bool) -> tuple[float, float, float]:
    """Documents read and written per task in a first sync, and documents of both kinds per task in a second."""
    settings = local_settings(folder / "counted", folder)
    (folder / "counted").mkdir()
    inner = SqliteDocuments(str(folder / "counted" / "documents.sqlite3"), indexes=load_indexes(app.INDEXES))
    documents = CountingDocuments(inner)
    ctx = app.build(settings, deliver, documents=documents)
    try:
        project = projects.create(ctx, {"title": "bench"}, user=1)
        storage = registration.create(
            ctx, S3, {"project": project.id, **_settings(endpoint, blob=blob)}, user=users.first(ctx)
        )
        figures: list[tuple[int, int]] = []
        for _ in range(2):
            documents.reset()
            runs.start_run(ctx, storage.id)
            while ctx.queue.step():  # type: ignore[attr-defined]
                pass
            figures.append((sum(documents.reads.values()), sum(documents.writes.values())))
        made = ctx.tasks.count(project.id)
    finally:
        app.close(ctx)
    (reads, writes), again = figures
    return reads / made, writes / made, sum(again) / made
