"""A way to a server that can hold a request, refuse some, and answer in other words."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

LIMIT = 120
PASSED = ("Content-Type", "Location")


def creations(method: str, path: str) -> bool:
    """Requests that make a storage."""
    return method == "POST" and path.startswith("/api/storages/")


class Door:
    """Holds the next request that `which` takes: `before` the server gets it, or its answer `after`."""

    def __init__(self, target: str) -> None:
        self.url = ""
        self.target = target
        self.which: Callable[[str, str], bool] = creations
        self.hold = ""
        self.held, self.let_go, self.over = threading.Event(), threading.Event(), threading.Event()
        self.refused: set[str] = set()
        """Methods that are answered with 403, and that the server never sees."""
        self.statuses: dict[str, int] = {}
        """What the answers to a method say instead, without a body."""

    def wait(self, when: str) -> bool:
        """Whether a request was held here."""
        if self.hold != when:
            return False
        self.hold = ""
        self.held.set()
        assert self.let_go.wait(LIMIT)
        return True

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """The server's answer."""
        if method in self.refused:
            return httpx.Response(403)
        found = httpx.request(method, self.target + path, content=body, headers=headers, timeout=LIMIT)
        if method in self.statuses:
            return httpx.Response(self.statuses[method])
        return found


@contextmanager
def door(target: str) -> Iterator[Door]:
    """A door to the server at the URL."""
    one = Door(target)

    class Forwarding(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            wanted = one.which(self.command, self.path)
            held = wanted and one.wait("before")
            kept = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
            answer = one.ask(self.command, self.path, body, kept)
            held = (wanted and one.wait("after")) or held
            if held:
                one.over.set()  # who asked may be dead, or wait no longer
            try:
                self.send_response(answer.status_code)
                for name in PASSED:
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)
            except (BrokenPipeError, ConnectionResetError):
                assert held

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

    with ThreadingHTTPServer(("127.0.0.1", 0), Forwarding) as server:
        one.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield one
        finally:
            one.let_go.set()
            server.shutdown()
            thread.join()
