"""A stack in this process, quick to notice what died, and an S3 server."""

import pytest

from functions.runtime import deliver
from infra import local
from infra.bench.s3_process import s3_server
from shared.adapters.documents.indexes import load_indexes
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.adapters.queues.inprocess import Delivery
from shared.app import INDEXES
from shared.services.context import QUEUES
from tests.cloud_tasks import calling
from tests.flows.target_desk import bucket, gcs, targets
from tests.flows.webhook_desk import desk, receiver
from tests.indexes import CheckedIndexes
from tests.stack import Api

__all__ = ["bucket", "desk", "gcs", "receiver", "targets"]
TIMER = 0.2


@pytest.fixture(scope="module")
def s3():
    with s3_server() as running:
        yield running


@pytest.fixture(params=["embedded", pytest.param("cloud", marks=pytest.mark.emulator)])
def platform(request):
    """What the stack stands on: SQLite and the in-process queue, or Firestore and Cloud Tasks."""
    return request.param


@pytest.fixture
def store(tmp_path, request, platform):
    """Documents, which refuse a query whose index is not declared; closed with the stack."""
    if platform == "cloud":
        return CheckedIndexes(request.getfixturevalue("new_firestore")())
    (tmp_path / "data").mkdir()
    return CheckedIndexes(SqliteDocuments(str(tmp_path / "data" / "documents.sqlite3"), indexes=load_indexes(INDEXES)))


@pytest.fixture
def queue(platform, called):
    """Cloud Tasks, which calls the functions by HTTP; None: the stack's own queue."""
    if platform == "embedded":
        yield None
        return
    with calling(lambda *delivery: deliver(called[0], Delivery(*delivery)), QUEUES) as one:
        yield one


@pytest.fixture
def called():
    """The context of the stack, once it runs: what the queue's calls work on."""
    return []


@pytest.fixture
def stack(tmp_path, request, store, queue, called):
    """The running stack; `@pytest.mark.parametrize("stack", [settings], indirect=True)` changes its settings."""
    settings = getattr(request, "param", {})
    with local.running(
        tmp_path / "data",
        files_root=tmp_path,
        storage_in_progress_timer=TIMER,
        sweep_interval=3600,
        chunk_target=200,
        store=store,
        queue=queue,
        **settings,
    ) as running:
        called.append(running.ctx)
        yield running


@pytest.fixture
def api(stack):
    client = Api(stack.url, stack.token)
    yield client
    client.close()
