"""A large object through the proxy of a real server: byte by byte, in bounded memory, and not for who has hung up."""

import hashlib
import http.client
import os
import random
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.bench.s3_process import S3Server, s3_server
from infra.processes import LocalProcess
from tests.stack import Api

SIZE = 200_000_000
KEY = "clips/long.mp4"


@pytest.fixture(scope="module")
def content() -> bytes:
    return os.urandom(SIZE)


@pytest.fixture(scope="module")
def s3(content: bytes) -> Iterator[S3Server]:
    with s3_server() as server:
        server.bucket("bucket")
        connection = http.client.HTTPConnection(server.address)
        connection.request("PUT", f"/bucket/{KEY}", content)
        with connection.getresponse() as answer:
            assert answer.status == 200
        connection.close()
        server.put("bucket", "clips/small.mp4", b"small")
        yield server


@pytest.fixture(scope="module")
def sluice(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalProcess]:
    folder = tmp_path_factory.mktemp("media")
    process = LocalProcess(folder / "data", Path(folder))
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def project(s3: S3Server, sluice: LocalProcess) -> int:
    api = Api(sluice.url, sluice.token)
    with api.http:
        number = api.project()
        api.s3_storage(number, s3.endpoint, prefix="clips", presign=False)
    return number


class Client:
    """One connection to Sluice."""

    def __init__(self, sluice: LocalProcess, project: int) -> None:
        self._path, self._token = f"/projects/{project}/resolve/?fileuri=", sluice.token
        self.connection = http.client.HTTPConnection(sluice.url.removeprefix("http://"), timeout=60)

    def get(self, key: str, **headers: str) -> http.client.HTTPResponse:
        uri = urlsafe_b64encode(f"s3://bucket/{key}".encode()).decode()
        said = {"Authorization": f"Token {self._token}", **headers}
        self.connection.request("GET", self._path + uri, headers=said)
        return self.connection.getresponse()


@pytest.fixture
def client(sluice: LocalProcess, project: int) -> Iterator[Client]:
    client = Client(sluice, project)
    yield client
    client.connection.close()


def test_all_of_it_and_fifty_parts_in_bounded_memory(content: bytes, sluice: LocalProcess, client: Client):
    assert client.get("clips/small.mp4").read() == b"small"
    before = sluice.peak_memory()
    answer = client.get(KEY)
    assert (answer.status, answer.headers["content-length"]) == (200, str(SIZE))
    digest = hashlib.sha256()
    while piece := answer.read(1 << 20):
        digest.update(piece)
    assert digest.digest() == hashlib.sha256(content).digest()
    rng = random.Random(20_261_124)
    for _ in range(50):
        start = rng.randrange(SIZE)
        stop = min(SIZE, start + rng.choice([1, 1000, 1 << 16, 5_000_000]))
        answer = client.get(KEY, Range=f"bytes={start}-{stop - 1}")
        assert answer.status == 206
        assert answer.read() == content[start:stop]
    growth = sluice.peak_memory() - before
    print(f"memory grew by {growth:.1f} MB")
    assert growth < 30


def test_who_hangs_up_is_forgotten(s3: S3Server, sluice: LocalProcess, project: int, client: Client):
    leaving = Client(sluice, project)
    s3.reset()
    answer = leaving.get(KEY)
    assert len(answer.read(1_000_000)) == 1_000_000
    assert leaving.connection.sock is not None
    port = leaving.connection.sock.getsockname()[1]
    assert served(sluice, port)
    answer.close()
    leaving.connection.close()
    wait = threading.Event()
    for _ in range(200):
        if not served(sluice, port):
            break
        wait.wait(0.05)
    assert not served(sluice, port)
    assert client.get("clips/small.mp4").read() == b"small"
    asked = s3.stats()["ops"]["get"]
    assert asked < 20  # of the hundred that it takes: what the sockets' buffers held, and what was read ahead


def served(sluice: LocalProcess, port: int) -> bool:
    """Whether the server still holds its end of a connection to this port of ours."""
    own, ends = int(sluice.url.rpartition(":")[2]), set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *_ = line.split()
        if state in {"01", "08"}:  # established, or left by the other side alone
            ends.add((int(local.partition(":")[2], 16), int(remote.partition(":")[2], 16)))
    return (own, port) in ends
