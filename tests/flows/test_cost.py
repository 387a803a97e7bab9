"""A second sync of an unchanged bucket costs chunks, not objects."""

import pytest

from shared.model.providers import S3
from shared.services import projects
from shared.services.accounts import users
from shared.services.storages import registration
from tests.flows.counted import ctx, synced

__all__ = ["ctx"]


@pytest.fixture
def objects(request):
    """How many: enough for the promise to show, and fewer where the server is slow."""
    return 5_000 if request.node.get_closest_marker("emulator") else 20_000


def test_a_no_op_sync_reads_and_writes_chunks(ctx, s3, objects):
    """Second sync of so many objects: 0 created, all existed, documents in proportion to chunks, no object fetched."""
    most_chunks = objects // 1_000 + 1
    s3.drop("bucket")
    s3.fill("bucket", objects, prefix="images/")
    project = projects.create(ctx, {"title": "project"}, user=1)
    settings = {"bucket": "bucket", "s3_endpoint": s3.endpoint, "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    settings |= {"project": project.id, "prefix": "images", "recursive_scan": True, "use_blob_urls": True}
    storage = registration.create(ctx, S3, settings, user=users.first(ctx))
    first = synced(ctx, storage.id)
    assert ("completed", objects) == (first.status, first.last_sync_count)
    ctx.documents.reset()
    s3.reset()

    second = synced(ctx, storage.id)

    assert ("completed", 0, objects) == (second.status, second.last_sync_count, second.meta["tasks_existed"])
    writes, reads, lanes = ctx.documents.writes, ctx.documents.reads, ctx.settings.max_lanes
    assert 0 == writes["tasks"] == reads["tasks"]
    assert 0 == writes["ledgers"]
    assert most_chunks >= reads["ledgers"]
    assert 2 * most_chunks >= writes["chunks"]
    assert sum(writes.values()) <= 2 * most_chunks + 4 * lanes + 20
    assert sum(reads.values()) <= 12 * most_chunks + 12 * lanes + 40, reads
    operations = s3.stats()["ops"]
    assert 0 == operations.get("get", 0)
    assert 2 * most_chunks >= operations["list"]
