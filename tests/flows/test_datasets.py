"""Datasets on both platforms: what they cost, and that notifications and schedules work as they do for imports."""

import time
from dataclasses import replace

import httpx
import pytest

from shared.adapters.objects.memory import MemoryObjects
from shared.model.dataset_record import RecordFilter
from shared.model.providers import S3
from shared.ports import Query
from shared.services.accounts import users
from shared.services.datasets import records
from shared.services.storages import registration
from shared.services.sweeping import sweep
from shared.settings import Settings
from tests.flows.counted import ctx, synced
from tests.notices import bridged, until
from tests.simulation.world import STORAGE, World

__all__ = ["ctx"]

SECRET = "a-secret-of-the-sender-0001"
KEYS = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}


@pytest.fixture
def objects(request):
    """How many: 200,000, and fewer where the server is slow."""
    return 20_000 if request.node.get_closest_marker("emulator") else 200_000


def documents(ctx):
    """How many there are of everything that a storage has."""
    names = ("storages", "gates", "runs", "lanes", "chunks", "ledgers", "hints", "tasks", "event_work")
    return {name: ctx.documents.count(Query(collection=name)) for name in names}


def test_documents_follow_chunks_and_reads_are_bounded(ctx, s3, objects, platform):
    """Of so many objects: documents and reads in proportion to chunks, first pages by a few of them, true counts."""
    ctx.settings = replace(ctx.settings, records_seconds=600.0)
    s3.drop("bucket")
    s3.fill("bucket", objects - 1000, prefix="images/")
    s3.fill("bucket", 1000, prefix="rows/", kind="jsonl")
    given = {"bucket": "bucket", "s3_endpoint": s3.endpoint, **KEYS}
    dataset = registration.create(ctx, S3, given, "dataset", user=users.first(ctx))
    began = time.perf_counter()
    first = synced(ctx, dataset.id)
    print(f"{platform}: {objects} objects in {time.perf_counter() - began:.1f} s")
    assert (first.status, first.last_sync_count) == ("completed", objects)
    chunks, lanes = objects // ctx.settings.chunk_target + 1, ctx.settings.max_lanes
    there = documents(ctx)
    assert there["tasks"] == 0
    assert there["ledgers"] <= there["chunks"] <= chunks
    assert sum(there.values()) <= 2 * chunks + lanes + 10, there

    def timed(name, ask):
        ctx.documents.reset()
        began = time.perf_counter()
        found = ask()
        print(f"{platform}: {name} in {1000 * (time.perf_counter() - began):.0f} ms, reads {dict(ctx.documents.reads)}")
        return found, ctx.documents.reads

    page, reads = timed("first page", lambda: records.page(ctx, dataset, RecordFilter(), after="", size=100))
    assert [entry.key for entry in page.entries] == [f"images/{number:08d}.jpg" for number in range(100)]
    assert reads["ledgers"] == 1
    wanted = RecordFilter.of({"glob": "images/*7.jpg", "content_type": "image/*", "min_size": "1"}, storage_prefix="")
    found, reads = timed("filtered count", lambda: records.count(ctx, dataset, wanted, after=""))
    assert found == ((objects - 1000) // 10, None)
    assert reads["ledgers"] <= chunks
    assert reads["chunks"] <= 2 * chunks + 60
    found, reads = timed("count by prefix", lambda: records.count(ctx, dataset, RecordFilter("rows/"), after=""))
    assert found == (1000, None)
    assert reads["ledgers"] <= 3
    ctx.documents.reset()
    s3.reset()
    again = synced(ctx, dataset.id)
    assert (again.status, again.last_sync_count, again.meta["records_updated"]) == ("completed", 0, 0)
    assert ctx.documents.writes["ledgers"] == 0
    assert s3.stats()["ops"].get("get", 0) == 0


@pytest.mark.parametrize("stack", [{"notice_secrets": SECRET, "event_window": 0.2}], indirect=True)
def test_uploads_become_records(stack, api, s3):
    s3.drop("bucket")
    s3.fill("bucket", 300, prefix="img/")  # two chunks
    given = {"bucket": "bucket", "s3_endpoint": s3.endpoint, "auto_sync": True, "glob_filter": "**/*.jpg", **KEYS}
    path = f"/api/storages/dataset/s3/{api.http.post('/api/storages/dataset/s3', json=given).json()['id']}"

    def read(more="", **query):
        return api.http.get(path + more, params=query).json()

    api.http.post(f"{path}/sync")
    until(lambda: read()["status"] == "completed")
    before = read()
    s3.fill("bucket", 320, prefix="img/", start=300)  # the last chunk is cut by it
    s3.delete("bucket", "img/00000000.jpg")
    with httpx.Client(base_url=stack.url, headers={"x-sluice-secret": SECRET}, timeout=60) as sender:
        told = [bridged("bucket", f"img/{number:08d}.jpg") for number in (0, *range(300, 620))]
        assert sender.post("/bucket_webhook", json=told).json()["honoured"] == 321
        assert sender.post("/bucket_webhook", json=[bridged("bucket", "img/x.png")]).json()["honoured"] == 0
    until(lambda: read("/records/count")["count"] == 619)
    until(lambda: read()["meta"].get("event_records_created") == 320)
    assert read("/records", prefix="img/00000000")["records"] == []
    after = read()
    kept = ("status", "last_sync", "last_sync_count", "last_sync_job", "traceback")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def test_a_schedule_syncs_it():
    objects = MemoryObjects()
    world = World(objects, Settings(max_lanes=1), config={"sync_interval": 60}, direction="dataset")
    for seq in (1, 2):
        objects.put(f"k{seq}", b"")
        sweep(world.ctx)
        while world.waiting:
            world.run_to_end(world.deliver(next(iter(world.waiting))))
        stored = world.ctx.storages.get(STORAGE).value
        assert (stored.status, stored.last_sync_count, stored.meta["trigger"]) == ("completed", 1, "schedule")
        assert world.gate().run_seq == seq
        sweep(world.ctx)
        assert world.gate().run_seq == seq
        world.now += 3600
    assert world.task_keys() == ["k1", "k2"]
    assert world.problems == []
