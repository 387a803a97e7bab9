"""A connection to addresses that were checked before, which can be ended at any moment from another thread."""

import socket
import threading
import time
from collections.abc import Sequence
from http.client import HTTPException
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

BROKEN = (HTTPError, HTTPException, OSError, ValueError)
"""What a connection that ends at a bad moment may raise."""


class _Pinned:
    """A connection to addresses that were checked. Its host stays the name: for TLS and for the Host header."""

    addresses: Sequence[str] = ()
    until: float = 0.0
    watched: socket.socket | None = None
    """The same connection as the one in use, which TLS takes apart and puts together again."""
    was_cut = False
    ready = False
    """Whether the connection stands, encrypted where it has to be."""

    def _new_conn(self) -> socket.socket:
        port: int = self.port  # type: ignore[attr-defined]
        error: OSError = OSError("no address")
        for address in self.addresses:
            try:
                made = socket.create_connection((address, port), timeout=max(self.until - time.monotonic(), 0.01))
            except OSError as caught:
                error = caught
                continue
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.watched = made.dup()
            if self.was_cut:
                self.cut()
            return made
        raise error

    def cut(self) -> None:
        """Ends the connection, whatever it is waiting for."""
        self.was_cut = True
        if self.watched is not None:
            try:
                self.watched.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has ended by itself

    def release(self) -> None:
        """Closes everything."""
        self.close()  # type: ignore[attr-defined]
        if self.watched is not None:
            self.watched.close()


class _Plain(_Pinned, HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.ready = True


class _Encrypted(_Pinned, HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.ready = True


Connection = _Plain | _Encrypted


class Cut:
    """Ends the connection when the time is over (each byte that trickles in would renew a socket's own), or on exit."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        self._connection = connection
        self._timer = threading.Timer(seconds, connection.cut)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        self._connection.release()


def open_connection(scheme: str, host: str, port: int, addresses: Sequence[str], timeout: float) -> Connection:
    """A connection to `host` at one of the addresses; nothing is sent yet."""
    options: dict[str, Any] = {"port": port, "timeout": timeout}
    made: Connection = _Plain(host, **options)
    if scheme == "https":
        made = _Encrypted(host, cert_reqs="CERT_REQUIRED", **options)
    made.addresses, made.until = addresses, time.monotonic() + timeout
    return made
