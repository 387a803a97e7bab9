"""HTTP and fault rules of the in-memory servers: what they do with bytes on a connection, nothing about buckets."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote_to_bytes
from xml.sax.saxutils import escape

REASONS = {
    200: "OK",
    204: "No Content",
    206: "Partial Content",
    301: "Moved Permanently",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    412: "Precondition Failed",
    416: "Range Not Satisfiable",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Slow Down",
}
ADMIN = "/-/"
"""Paths below this are the test's own; no bucket's name can be that short."""


class Request:
    """One request. Headers stay bytes and are looked up on demand: most requests need none of them."""

    __slots__ = ("_head", "_lower", "body", "bucket", "key", "method", "op", "path", "query")

    def __init__(self, head: bytes, lower: bytes, body: bytes) -> None:
        self._head, self._lower, self.body = head, lower, body
        method, target, _ = head[: head.index(b"\r\n")].split(b" ", 2)
        path, _, query = target.partition(b"?")
        self.method = method.decode()
        self.path = path.decode("latin-1")
        self.query: dict[str, str] = (
            dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape")) if query else {}
        )
        self.bucket, self.key = self._place(path)
        self.op = self._op()

    def header(self, name: bytes) -> str:
        """A header's value, "" if it is not there; `name` in lower case."""
        start = self._lower.find(b"\r\n" + name + b":")
        if start < 0:
            return ""
        start += len(name) + 3
        end = self._head.find(b"\r\n", start)
        return self._head[start : end if end >= 0 else None].strip().decode("latin-1")

    def headers(self, prefix: bytes) -> dict[str, str]:
        """The headers whose name begins so; `prefix` and the names found in lower case."""
        found: dict[str, str] = {}
        at = -1
        while (at := self._lower.find(b"\r\n" + prefix, at + 1)) >= 0:
            name = self._lower[at + 2 : self._lower.index(b":", at)]
            found[name.decode("latin-1")] = self.header(name)
        return found

    def param(self, name: str) -> bytes:
        """A query parameter as the bytes it stood for."""
        return self.query.get(name, "").encode("utf-8", "surrogateescape")

    def _place(self, path: bytes) -> tuple[str, bytes]:
        """The bucket and the key that a path names."""
        bucket, _, key = path[1:].partition(b"/")
        return bucket.decode("latin-1"), unquote_to_bytes(key) if b"%" in key else key

    def _op(self) -> str:
        if self.key:
            return {"GET": "get", "HEAD": "head", "PUT": "put", "DELETE": "delete"}.get(self.method, "unknown")
        if not self.bucket:
            return "list_buckets"
        if self.method == "GET":
            return "location" if "location" in self.query else "list"
        if self.method == "POST" and "delete" in self.query:
            return "delete_many"
        return {"HEAD": "head_bucket", "PUT": "create_bucket", "DELETE": "delete_bucket"}.get(self.method, "unknown")


class Response(NamedTuple):
    """One answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/xml"
    headers: Mapping[str, str] = {}


def error(status: int, code: str, message: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """An S3 error document."""
    text = escape(message or code)
    xml = f"<Error><Code>{code}</Code><Message>{text}</Message><RequestId>0</RequestId></Error>"
    return Response(status, b'<?xml version="1.0" encoding="UTF-8"?>\n' + xml.encode(), headers=headers or {})


@dataclass(slots=True, kw_only=True)
class Rule:
    """A fault: what matches `op`, `bucket` and `key` is passed `skip` times, then hit `count` times (-1: for ever).

    `op` is any, list, get, head, put, delete, delete_many, head_bucket, create_bucket or delete_bucket (GCS: any, list,
    get, head, put or delete).
    Actions: `status` answers with `status`, `code`, `message`, `headers`; `delay` waits `ms` first; `hold` waits until
    the rules are replaced; `drop` closes the connection without an answer; `truncate` closes it after half the body;
    `mutate` puts `body` at `target` after answering, or deletes that if the body is None. A listing's `key` is its
    prefix. `key` is a regular expression that is searched.
    """

    action: str
    op: str = "any"
    bucket: str = ""
    key: str = ""
    skip: int = 0
    count: int = 1
    status: int = 503
    code: str = "SlowDown"
    message: str = "Please reduce your request rate."
    headers: dict[str, str] = field(default_factory=dict)
    ms: float = 0
    target: str = ""
    body: str | None = None

    def hits(self, request: Request) -> bool:
        """Whether the fault happens to this request; counts it if so."""
        if self.count == 0 or self.op not in ("any", request.op) or self.bucket not in ("", request.bucket):
            return False
        subject = request.param("prefix") if request.op == "list" else request.key
        if self.key and not re.search(self.key.encode(), subject):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.count -= self.count > 0
        return True


class Service(Protocol):
    """A protocol: how its requests are read and answered."""

    request: type[Request]

    def handle(self, request: Any) -> Response:
        """Answers a request."""

    def error(self, status: int, code: str, message: str = "", headers: Mapping[str, str] | None = None) -> Response:
        """An error as this protocol says it."""


class Wire:
    """What all connections share: the service, the rules and the counters."""

    def __init__(self, service: Service, admin: Callable[..., Any], mutate: Callable[[str, Rule], None]) -> None:
        self.service, self.admin, self.mutate = service, admin, mutate
        self.rules: list[Rule] = []
        self.ops: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.connections = 0
        self.held = 0
        self.release = asyncio.Event()
        self.open: set[Connection] = set()

    def replace_rules(self, rules: list[Rule]) -> None:
        """Puts other rules in force and lets go of what `hold` held."""
        self.rules = rules
        self.release.set()
        self.release = asyncio.Event()


class Connection(asyncio.Protocol):
    """One client connection: requests are answered in order, also when they come all at once."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._buffer = bytearray()
        self._transport: asyncio.Transport
        self._waiting: asyncio.Task[None] | None = None
        self._continued = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Counts the connection."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._wire.connections += 1
        self._wire.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forgets a request that still waits: nobody is there for the answer."""
        self._wire.open.discard(self)
        if self._waiting:
            self._waiting.cancel()

    def data_received(self, data: bytes) -> None:
        """Answers every request that is complete."""
        self._buffer += data
        self._pump()

    def close(self) -> None:
        """Ends the connection."""
        self._transport.close()

    def _pump(self) -> None:
        while self._waiting is None and self._buffer and (request := self._next()):
            if request.path.startswith(ADMIN):
                self._write(request, self._wire.admin(request.path[len(ADMIN) :], request.body))
                continue
            self._wire.ops[request.op] += 1
            rules = [rule for rule in self._wire.rules if rule.hits(request)] if self._wire.rules else []
            if any(rule.action in ("delay", "hold") for rule in rules):
                self._waiting = asyncio.get_running_loop().create_task(self._later(request, rules))
            else:
                self._answer(request, rules)

    def _next(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self._buffer[:end])
        lower = head.lower()
        start = end + 4
        if b"\r\ntransfer-encoding: chunked" in lower:
            chunked = unchunk(self._buffer, start)
            if chunked is None:
                self._want_more(lower)
                return None
            body, stop = chunked
        else:
            at = lower.find(b"\r\ncontent-length:")
            stop = start + (int(lower[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0)
            if len(self._buffer) < stop:
                self._want_more(lower)
                return None
            body = bytes(self._buffer[start:stop])
        del self._buffer[:stop]
        self._continued = False
        return self._wire.service.request(head, lower, body)

    def _want_more(self, lower: bytes) -> None:
        if b"\r\nexpect: 100-continue" in lower and not self._continued:
            self._continued = True
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def _later(self, request: Request, rules: list[Rule]) -> None:
        self._wire.held += 1
        try:
            if any(rule.action == "hold" for rule in rules):
                await self._wire.release.wait()
            await asyncio.sleep(sum(rule.ms for rule in rules if rule.action == "delay") / 1000)
        finally:
            self._wire.held -= 1
        self._waiting = None
        self._answer(request, rules)
        self._pump()

    def _answer(self, request: Request, rules: list[Rule]) -> None:
        for rule in rules:
            if rule.action == "drop":
                return self._transport.abort()
            if rule.action == "status":
                told = self._wire.service.error(rule.status, rule.code, rule.message, rule.headers)
                return self._write(request, told)
        truncate = any(rule.action == "truncate" for rule in rules)
        self._write(request, self._wire.service.handle(request), truncate=truncate)
        for rule in rules:
            if rule.action == "mutate":
                self._wire.mutate(request.bucket, rule)
        return None

    def _write(self, request: Request, response: Response, *, truncate: bool = False) -> None:
        status, body, content_type, headers = response
        self._wire.statuses[status] += 1
        head = (
            f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\nx-amz-request-id: 0\r\n"
        )
        for name, value in headers.items():
            head += f"{name}: {value}\r\n"
        data = (head + "\r\n").encode("latin-1")
        if request.method != "HEAD" and status not in (204, 304):
            data += body[: len(body) // 2] if truncate else body
        self._transport.write(data)
        if truncate:
            self._transport.close()


def unchunk(data: bytes | bytearray, at: int = 0) -> tuple[bytes, int] | None:
    """Decodes chunked transfer (or aws-chunked) from `at`: the content and where it ends; None if it is not complete.

    Trailers (checksums) and chunk signatures are dropped.
    """
    parts: list[bytes] = []
    while (line := data.find(b"\r\n", at)) >= 0:
        size = int(bytes(data[at:line]).split(b";")[0], 16)
        at = line + 2
        if size == 0:
            if data.startswith(b"\r\n", at):
                return b"".join(parts), at + 2
            end = data.find(b"\r\n\r\n", at)
            return (b"".join(parts), end + 4) if end >= 0 else None
        if len(data) < at + size + 2:
            return None
        parts.append(bytes(data[at : at + size]))
        at += size + 2
    return None
