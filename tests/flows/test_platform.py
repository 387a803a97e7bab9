"""The platform refuses to call the function: that is told, instead of waited for until the end of time."""

import time

import pytest

from infra.local import local_settings
from shared import app
from shared.adapters.queues.inprocess import InProcessQueue
from shared.model.providers import LOCAL_FILES
from shared.services import projects
from shared.services.accounts import users
from shared.services.context import QUEUES
from shared.services.storages import registration
from shared.services.sync import runs, status
from shared.services.sync.status import MAX_DISPATCHES


@pytest.fixture
def ctx(tmp_path):
    settings = local_settings(tmp_path / "data", tmp_path, storage_in_progress_timer=0.01)
    refused = InProcessQueue(
        ":memory:", queues=QUEUES, deliver=lambda _delivery: 403, min_backoff=0.0, max_backoff=0.0, workers=1
    )
    ctx = app.build(settings, lambda _ctx, _delivery: 403, queue=refused)
    yield ctx
    app.close(ctx)


def test_a_message_that_is_always_refused_fails_the_run(ctx, tmp_path):
    """Ten deliveries, each answered 403, none of which led to work: failed, and the status is named."""
    (tmp_path / "files").mkdir()
    project = projects.create(ctx, {"title": "project"}, user=1)
    given = {"project": project.id, "path": str(tmp_path / "files"), "use_blob_urls": True}
    storage = registration.create(ctx, LOCAL_FILES, given, user=users.first(ctx))
    runs.start_run(ctx, storage.id)
    for _ in range(MAX_DISPATCHES - 1):
        assert ctx.queue.step()
    ctx.clock = lambda: time.time() + 60
    status.ensure_status(ctx, storage.id)
    assert ctx.gates.get(storage.id).value.run

    assert ctx.queue.step()
    status.ensure_status(ctx, storage.id)

    ended = registration.get(ctx, LOCAL_FILES, storage.id)
    assert "failed" == ended.status
    assert "HTTP 403" in ended.traceback
