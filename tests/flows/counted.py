"""A context whose reads and writes of documents are counted, and syncs on the thread of the test."""

import pytest

from functions.runtime import deliver
from infra.counting import CountingDocuments
from infra.local import local_settings
from shared import app
from shared.services.storages import views
from shared.services.sync import runs


@pytest.fixture
def ctx(tmp_path, store):
    ctx = app.build(local_settings(tmp_path / "data", tmp_path), deliver, documents=CountingDocuments(store))
    yield ctx
    app.close(ctx)


def synced(ctx, storage):
    """What is told of a storage after one run."""
    runs.start_run(ctx, storage)
    while ctx.queue.step():
        pass
    stored = ctx.storages.get(storage)
    assert stored is not None
    return views.storage_info(ctx, stored.value)
