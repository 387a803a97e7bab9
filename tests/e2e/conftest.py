"""What is killed: a server on this machine, or a process per function on Firestore and Cloud Tasks."""

import pytest

from infra.bench.s3_process import s3_server
from tests.e2e.deployment import functions
from tests.stack import server


@pytest.fixture(scope="module")
def s3():
    with s3_server() as running:
        yield running


@pytest.fixture(params=["embedded", pytest.param("cloud", marks=pytest.mark.emulator)])
def platform(request):
    """The local stack in one process, or a process per function on Firestore and Cloud Tasks."""
    return request.param


@pytest.fixture
def lives(platform, request, tmp_path):
    """A server that can be killed and started again, and how often it will be."""
    if platform == "embedded":
        with server(tmp_path / "data", tmp_path) as one:
            yield one, 5
        return
    firestore = request.getfixturevalue("firestore_emulator")
    with functions(tmp_path, firestore, "api", "sync_chunk", "export_annotations") as one:
        yield one, 3
