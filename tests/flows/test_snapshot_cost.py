"""Snapshots of many records: what they read, write and find."""

import orjson
import pytest

from shared.model.providers import S3
from shared.services.accounts import users
from shared.services.datasets import comparing, freezing, manifests
from shared.services.storages import registration
from tests.flows.counted import ctx, synced

__all__ = ["ctx"]

SORT_KEY = S3.sort_key


@pytest.fixture
def objects(request):
    """How many: as many as are promised, and fewer where the server is slow."""
    return 10_000 if request.node.get_closest_marker("emulator") else 200_000


@pytest.fixture
def storage(ctx, s3, objects):
    """A dataset of so many objects, synced."""
    s3.drop("many")
    s3.fill("many", objects, prefix="images/")
    given = {"bucket": "many", "s3_endpoint": s3.endpoint, "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    storage = registration.create(ctx, S3, given, "dataset", user=users.first(ctx))
    assert synced(ctx, storage.id).status == "completed"
    return storage


def test_a_hundred_changes_among_very_many(ctx, s3, storage, objects):
    """Apart from each other, so that each is in a piece of its own: added, changed and removed."""
    first = freezing.take(ctx, storage)
    assert first.records == objects
    step = objects // 100
    wanted = {}
    for number in range(100):
        key = f"images/{number * step + 7:08d}.jpg"
        match number % 3:
            case 0:
                s3.put("many", key, b"another")
                wanted[key] = "changed"
            case 1:
                s3.delete("many", key)
                wanted[key] = "removed"
            case _:
                s3.put("many", f"{key}.copy", b"new")
                wanted[f"{key}.copy"] = "added"
    assert synced(ctx, storage.id).status == "completed"
    chunks = ctx.documents.count(ctx.chunks.query(("map", "==", first.map)))
    ctx.documents.reset()
    second = freezing.take(ctx, storage)
    reads, writes = ctx.documents.reads, ctx.documents.writes
    assert reads["ledgers"] <= chunks + 1
    assert reads["chunks"] <= 3 * chunks + 20
    assert reads["frozen"] <= 103  # those that are new, not to be written twice
    assert writes["frozen"] <= 103
    assert sum(reads.values()) <= 4 * chunks + 160, reads
    assert sum(writes.values()) <= 103 + 20, writes

    ctx.documents.reset()
    found = comparing.compare(ctx, first, second, SORT_KEY, after="", size=100)
    assert sum(ctx.documents.reads.values()) <= 220, ctx.documents.reads
    assert found.after is None
    assert {change.key: what(change) for change in found.found} == wanted
    assert [change.key for change in found.found] == sorted(wanted)

    lines = b"".join(manifests.lines(ctx, second, ctx.open_store(storage))).splitlines()
    assert len(lines) == second.records == objects
    assert orjson.loads(lines[0])["key"] == "images/00000000.jpg"


def what(change):
    return "added" if change.before is None else "removed" if change.after is None else "changed"
