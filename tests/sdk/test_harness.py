"""What the tests of the SDK rely on: a method that is not called, a retry and a redirect don't go unnoticed."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.sdk.client import Sdk, SdkError, Worker


@pytest.fixture
def answering() -> Iterator[tuple[str, list[int]]]:
    """A server that answers with these statuses, then with 200."""
    statuses: list[int] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = statuses.pop(0) if statuses else 200
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", statuses
        server.shutdown()
        thread.join()


@pytest.fixture
def lonely(worker: Worker, answering: tuple[str, list[int]]) -> Sdk:
    return Sdk(worker, answering[0], "a-token")


@pytest.mark.parametrize("status", [301, 307, 408, 409, 429, 500, 503])
def test_a_retry_or_redirect_is_noticed(lonely: Sdk, answering: tuple[str, list[int]], status: int):
    answering[1][:] = [status]
    with pytest.raises(AssertionError, match="retries or is sent elsewhere"):
        lonely.users.whoami()
    assert [one.status for one in lonely.sent] == [status, 200]
    assert lonely.users.whoami() is not None


def test_an_error_of_the_client_itself_is_told(lonely: Sdk):
    with pytest.raises(SdkError, match="TypeError"):
        lonely.projects.get()
    assert lonely.sent == []


def test_a_method_that_is_not_called_is_noticed(lonely: Sdk):
    with pytest.raises(AssertionError, match=r"versions\.get"), lonely.covering("versions"):
        pass
    with pytest.raises(AssertionError, match="not listed"), lonely.covering("workspaces"):
        pass


def test_a_pager_that_does_not_stop_is_told(worker: Worker):
    """Whatever page is asked for, there is a task on it."""

    class Endless(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = b'{"tasks": [' + b",".join([b'{"id": 1}'] * 1000) + b'], "total": 1}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        client = Sdk(worker, f"http://127.0.0.1:{server.server_port}", "a-token")
        with pytest.raises(SdkError, match="does not stop"):
            client.tasks.list(project=1)
        server.shutdown()
        thread.join()
