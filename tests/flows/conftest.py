"""A stack in this process, quick to notice what died, and an S3 server."""

import pytest

from infra import local
from infra.bench.s3_process import s3_server
from shared.adapters.documents.indexes import load_indexes
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.app import INDEXES
from tests.indexes import CheckedIndexes
from tests.stack import Api

TIMER = 0.2


@pytest.fixture(scope="module")
def s3():
    with s3_server() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("firestore", marks=pytest.mark.emulator)])
def store(tmp_path, request):
    """Documents, which refuse a query whose index is not declared; closed with the stack."""
    if request.param == "firestore":
        return CheckedIndexes(request.getfixturevalue("new_firestore")())
    (tmp_path / "data").mkdir()
    return CheckedIndexes(SqliteDocuments(str(tmp_path / "data" / "documents.sqlite3"), indexes=load_indexes(INDEXES)))


@pytest.fixture
def stack(tmp_path, request, store):
    """The running stack; `@pytest.mark.parametrize("stack", [settings], indirect=True)` changes its settings."""
    settings = getattr(request, "param", {})
    with local.running(
        tmp_path / "data",
        files_root=tmp_path,
        storage_in_progress_timer=TIMER,
        sweep_interval=3600,
        chunk_target=200,
        store=store,
        **settings,
    ) as running:
        yield running


@pytest.fixture
def api(stack):
    client = Api(stack.url, stack.token)
    yield client
    client.close()
