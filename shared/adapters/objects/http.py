"""Asks one HTTP server: kept connections, time-outs, bounded retries. What an answer means is the adapter's to say."""

import io
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.util import parse_url

from shared.adapters.objects.attempts import tried
from shared.adapters.objects.redact import redact
from shared.errors import ObjectError, StoreError, StoreUnavailableError, StoreUnreachableError

CONNECTIONS = 32
PIECE = 256 * 1024
"""A longer body is sent bit by bit, each with the time-out that otherwise the whole of it would have."""


class InvalidRangeError(ObjectError):
    """The range begins behind the object's end."""


class Answer(NamedTuple):
    """An HTTP answer, its body complete. Names of headers are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def pool_manager(url: str, *, connect_timeout: float, read_timeout: float, direct: bool = False) -> urllib3.PoolManager:
    """Connections to wherever `url` is, through the proxy that the environment names for it unless `direct`."""
    parts = urlsplit(url)
    options: dict[str, Any] = {
        "timeout": urllib3.Timeout(connect=connect_timeout, read=read_timeout),
        "maxsize": CONNECTIONS,
        "retries": False,
    }
    proxy = getproxies().get(parts.scheme)
    if proxy and not direct and not proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy if "://" in proxy else f"http://{proxy}", **options)
    return urllib3.PoolManager(**options)


class Http:
    """One server. `place` names it to people; `secrets` gives what must be in no text. Safe for many threads.

    Targets go out as they are: nobody tidies up a path with `..` or `//` in it. Redirects are not followed. `direct`:
    no proxy is used, whatever the environment says.
    """

    def __init__(
        self,
        url: str,
        *,
        place: str,
        secrets: Callable[[], list[str]],
        connect_timeout: float,
        read_timeout: float,
        attempts: int,
        direct: bool = False,
    ) -> None:
        parts = urlsplit(url)
        try:
            valid = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port)
            parse_url(url)  # as the connections will be made
        except (ValueError, LocationValueError):
            valid = False
        if not valid or parts.query:
            raise StoreError(f"{place} has no valid address")
        self._place, self._secrets, self._attempts = place, secrets, attempts
        manager = pool_manager(url, connect_timeout=connect_timeout, read_timeout=read_timeout, direct=direct)
        self._manager = manager
        self._pool = manager.connection_from_url(url)
        # Only https is tunnelled; a proxy has to be told where plain http should go.
        origin = f"{parts.scheme}://{parts.netloc}" if manager.proxy and parts.scheme == "http" else ""
        self._base = origin + parts.path.rstrip("/")

    def ask(
        self,
        method: str,
        target: str,
        *,
        headers: Callable[[], dict[str, str]],
        explain: Callable[[Answer], StoreError | None],
        body: bytes | None = None,
        conditional: bool = False,
    ) -> Answer:
        """The answer that `explain` finds nothing wrong with. Repeats what is worth it, else raises the error.

        The error raised has no trace of the provider's, which may hold a signed URL. `headers` is called for each try.
        `conditional`: see `attempts.tried`.
        """

        def send() -> Answer:
            said = headers()
            content: bytes | io.BytesIO | None = body
            if body is not None and len(body) > PIECE:
                said, content = said | {"content-length": str(len(body))}, io.BytesIO(body)
            try:
                response = self._pool.urlopen(
                    method, self._base + target, body=content, headers=said, redirect=False, decode_content=False
                )
                answer = Answer(response.status, response.headers, response.data)
            except HTTPError as caught:
                error = self.broken(caught)
            else:
                refusal = explain(answer)
                if refusal is None:
                    return answer
                error = refusal
            raise error

        return tried(self._attempts, send, conditional=conditional)

    def broken(self, caught: Exception) -> StoreError:
        """The error for a connection that could not be made, or did not last."""
        detail = redact(f"{type(caught).__name__}: {caught}", self._secrets())
        if isinstance(caught, NewConnectionError | ConnectTimeoutError | ProxyError):
            return StoreUnreachableError(f"Cannot reach {self._place}", detail=detail)
        if isinstance(caught, SSLError):
            return StoreError(f"No trusted connection to {self._place}", detail=detail)
        return StoreUnavailableError(f"The connection to {self._place} broke or was too slow", detail=detail)

    def close(self) -> None:
        """Closes the connections."""
        self._pool.close()
        self._manager.clear()
