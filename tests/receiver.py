"""Receivers of webhooks: real HTTP servers on loopback, whose answers a test chooses."""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

WAIT = 30.0


class Post(NamedTuple):
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Keeps what arrives. `answer` says what it is answered: a status, and perhaps headers."""

    def __init__(self) -> None:
        self.url = ""
        self.arrived: queue.Queue[Post] = queue.Queue()
        self.answer: Callable[[Post], int | tuple[int, dict[str, str]]] = lambda _post: 200

    def next(self) -> Post:
        """The post that arrived first, of those not taken yet; waits for one."""
        return self.arrived.get(timeout=WAIT)

    @property
    def posts(self) -> list[Post]:
        """All that have arrived and were not taken."""
        found = []
        while not self.arrived.empty():
            found.append(self.arrived.get_nowait())
        return found


@contextmanager
def receiving(prepare: Callable[[Any], None] | None = None) -> Iterator[Receiver]:
    """A receiver that runs; `prepare` is given its server first."""
    receiver = Receiver()

    class Endpoint(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            post = Post(self.path, dict(self.headers), body)
            receiver.arrived.put(post)
            answer = receiver.answer(post)
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_POST()  # nobody should ask: it would be seen

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Whoever posts may go away before it is answered."""

    with Server(("127.0.0.1", 0), Endpoint) as server:
        if prepare:
            prepare(server)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
