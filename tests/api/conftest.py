"""The API behind a real server on loopback, over the embedded adapters."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from functions.app import create_app
from functions.runtime import deliver
from infra.bench.s3_process import S3Server, s3_server
from shared import app
from shared.settings import Settings
from tests.api import documented
from tests.api.client import TOKEN, Api
from tests.indexes import CheckedIndexes


class Switch:
    """One server for all tests; each puts its own application in."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def switch() -> Iterator[tuple[Switch, str]]:
    switch = Switch()
    # The protocol is named because asyncio sends small packets at once only on sockets that say it.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(switch, lifespan="off", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()  # connections wait in the listener's queue until the server is up
        host, port = listener.getsockname()
        yield switch, f"http://{host}:{port}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    root = tmp_path / "files"
    (root / "digits").mkdir(parents=True)
    return Settings(
        data_dir=str(tmp_path / "data"),
        token=TOKEN,
        local_files_document_root=str(root),
        local_files_serving_enabled=True,
        connect_timeout=1.0,
        read_timeout=5.0,
    )


@pytest.fixture
def api(switch: tuple[Switch, str], settings: Settings) -> Iterator[Api]:
    Path(settings.data_dir).mkdir()
    ctx = app.build(settings, deliver, documents=CheckedIndexes(app.open_documents(settings)))
    switch[0].app = create_app(lambda: ctx)
    headers = {"Authorization": f"Token {TOKEN}"}
    with documented.client(base_url=switch[1], headers=headers) as client:
        api = Api(ctx, client)
        yield api
        for other in api.others:
            other.close()
    app.close(ctx)


@pytest.fixture(scope="session")
def s3_process() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(s3_process: S3Server) -> Iterator[S3Server]:
    """An S3 server with one bucket, "pictures": ten images and two files of tasks."""
    s3_process.reset(everything=True)
    s3_process.fill("pictures", 10, prefix="img/")
    s3_process.fill("pictures", 2, prefix="rows/", kind="json")
    yield s3_process
    s3_process.reset(everything=True)
