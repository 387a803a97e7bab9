"""A proxy on loopback that lets a request through and cuts the connection instead of giving back the answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CONTINUE = b"HTTP/1.1 100"


class CuttingProxy:
    """Stands before the server at `target`; `port` is its own."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._verb, self._left = b"", 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, verb: str, count: int = 1) -> None:
        """From now on: the answers to so many requests that say `verb`."""
        with self._lock:
            self._verb, self._left = verb.encode(), count

    @property
    def left(self) -> int:
        """How many answers are still to be lost."""
        return self._left

    def close(self) -> None:
        """Ends all connections."""
        for opened in [self._listener, *self._sockets]:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._sockets += [client, server]
            cut = threading.Event()
            threading.Thread(target=self._requests, args=(client, server, cut), daemon=True).start()
            threading.Thread(target=self._answers, args=(client, server, cut), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        for data in pieces(client):
            with self._lock:
                if self._left and self._verb in data:
                    self._left -= 1
                    cut.set()
            with suppress(OSError):
                server.sendall(data)
        end(client, server)

    def _answers(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        for data in pieces(server):
            if cut.is_set() and not data.startswith(CONTINUE):
                break  # the server has done it, and nobody learns of it
            with suppress(OSError):
                client.sendall(data)
        end(client, server)


def pieces(source: socket.socket) -> Iterator[bytes]:
    with suppress(OSError):
        while data := source.recv(65536):
            yield data


def end(*sockets: socket.socket) -> None:
    for opened in sockets:
        with suppress(OSError):
            opened.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting_proxy(target: int) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
