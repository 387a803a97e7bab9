"""A second full sync of a target costs pages of its listing and of links, not objects."""

import pytest

from shared.model.providers import GCS
from shared.services.storages import registration
from tests.flows.target_desk import requests

OBJECTS = 1_200
TEMPLATES = ["", "{year}/{month}/{day}/{task}/{annotation}.json"]


@pytest.mark.parametrize("template", TEMPLATES, ids=["plain", "folders"])
@pytest.mark.parametrize("format", ["annotation", "task"])
def test_nothing_changed(targets, template, format):  # noqa: A002
    """0 writes, a page of listing for each part, and documents in proportion to what is read once."""
    named = template if format == "annotation" else template.replace("/{annotation}", "")
    targets.annotate(OBJECTS)
    storage = targets.target(export_format=format, **({"key_template": named} if template else {}))
    targets.work()
    assert ("completed", OBJECTS) == targets.state(storage)[0:3:2]
    _no_op(targets, storage, targets.s3)


@pytest.mark.parametrize("template", TEMPLATES, ids=["plain", "folders"])
def test_nothing_changed_on_gcs(targets, gcs, template):
    """The same on Google Cloud Storage."""
    gcs.reset(everything=True)
    gcs.bucket("bucket")
    targets.annotate(OBJECTS)
    given = {"bucket": "bucket", "project": targets.project, "prefix": "out", "key_template": template or None}
    storage = registration.create(targets.ctx, GCS, given, "export", user=targets.admin).id
    targets.work()
    assert ("completed", OBJECTS) == targets.state(storage)[0:3:2]
    _no_op(targets, storage, gcs)


def _no_op(targets, storage, server):
    parts = 2 * (OBJECTS // targets.ctx.settings.chunk_target + 2)
    server.reset()
    targets.ctx.documents.reset()

    second = targets.sync(storage)

    assert ("completed", OBJECTS, 0) == (second.status, second.last_sync_count, second.meta["objects_written"])
    told = requests(server)
    assert not told.keys() & {"put", "delete", "get", "head"}
    assert told["list"] <= OBJECTS // 1_000 + parts + 2
    reads, writes = targets.ctx.documents.reads, targets.ctx.documents.writes
    # Each is looked at in the walk over annotations, when it is settled, and beside the listing.
    assert max(reads["annotations"], reads["tasks"], reads["links"]) <= 4 * OBJECTS
    assert 0 == writes["links"] == writes["annotations"] == writes["tasks"]
    assert writes["chunks"] <= 2 * parts
