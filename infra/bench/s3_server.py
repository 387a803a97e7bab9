"""An S3 server in memory, for tests and measurements: `python -m infra.bench.s3_server --port 0` prints host:port.

Speaks what boto3 and obstore need, path-style: ListBuckets, Create/Head/DeleteBucket, GetBucketLocation, ListObjectsV2,
Get/Head/Put/Delete/DeleteObjects with conditions and ranges. Signatures are not verified, but for those of signed URLs
where a test wants it; with `--access-key` a request must name that key in its credential scope, else it gets 403 as
from S3 (with a session's, its token too). Any bytes can be a key.

Tests steer it by JSON posted to `/-/<name>`: see `Admin`. The fault rules are described at `s3_wire.Rule`.
"""

import argparse
import asyncio
import base64
import json
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from infra.bench.s3_objects import S3, Bucket, Stored
from infra.bench.s3_wire import Connection, Response, Rule, Service, Wire
from infra.bench.signed_urls import Signers


class Buckets(Service, Protocol):
    """A service whose buckets are these."""

    buckets: dict[str, Bucket]
    access_key: str
    session_token: str
    signers: Signers
    blanks: int
    lenient: bool

    def stored(self, body: bytes, content_type: str, modified: int) -> Stored:
        """An object to put."""

    def version(self, stored: Any) -> str:
        """What tells this content from another under the same key."""


class Admin:
    """The routes `/-/<method name>`: each takes its arguments as a JSON object and answers JSON."""

    def __init__(self, service: "Buckets") -> None:
        self._service = service
        self.wire = Wire(service, self._call, self._mutate)

    def bucket(self, name: str, *, forbidden: bool = False) -> None:
        """Makes a bucket if need be; a forbidden one answers AccessDenied."""
        self._bucket(name).forbidden = forbidden

    def drop(self, name: str) -> None:
        """Removes a bucket with all that is in it."""
        self._service.buckets.pop(name, None)

    def fill(
        self,
        bucket: str,
        n: int,
        *,
        prefix: str = "",
        kind: str = "blob",
        size: int = 200,
        rows: int = 1,
        start: int = 0,
    ) -> int:
        """Adds n objects of about `size` bytes, named by a number; a jsonl has `rows` rows of that size each."""
        target, now = self._bucket(bucket), int(time.time())
        suffix, content_type, make = KINDS[kind]
        for i in range(start, start + n):
            key = f"{prefix}{i:08d}.{suffix}".encode()
            target.put(key, self._service.stored(make(bucket, i, size, rows), content_type, now), bulk=True)
        return len(target.objects)

    def put(self, bucket: str, key: str, body64: str, content_type: str = "binary/octet-stream") -> str:
        """Stores one object and answers its version; credentials and conditions don't matter."""
        stored = self._service.stored(base64.b64decode(body64), content_type, int(time.time()))
        self._bucket(bucket).put(key.encode(), stored)
        return self._service.version(stored)

    def put_many(self, bucket: str, bodies64: dict[str, str]) -> None:
        """Stores many objects."""
        for key, body64 in bodies64.items():
            self.put(bucket, key, body64)

    def get(self, bucket: str, key: str) -> str | None:
        """One object's body, base64, or null."""
        stored = self._bucket(bucket).objects.get(key.encode())
        return base64.b64encode(stored.body).decode() if stored else None

    def about(self, bucket: str, key: str) -> dict[str, str] | None:
        """What was said of an object besides its content, or null: Content-Type, metadata, encryption."""
        stored = self._bucket(bucket).objects.get(key.encode())
        return {"content-type": stored.content_type, **stored.about} if stored else None

    def delete(self, bucket: str, keys: list[str]) -> None:
        """Removes objects."""
        for key in keys:
            self._bucket(bucket).delete(key.encode())

    def keys(self, bucket: str) -> list[str]:
        """All keys of a bucket, in order."""
        return [key.decode("utf-8", "replace") for key in self._bucket(bucket).in_order()]

    def access(self, key: str, token: str = "") -> None:
        """Which access key is accepted from now on, with which session token; "" takes every request."""
        self._service.access_key, self._service.session_token = key, token

    def signers(self, secret: str = "", public_key: str = "") -> None:
        """Whose signed URLs count from now on; "" takes those of anybody."""
        self._service.signers = Signers(secret, public_key)

    def lenient(self, *, on: bool) -> None:
        """Whether conditions of writes and deletes are ignored, as old clones of S3 do."""
        self._service.lenient = on

    def empty_pages(self, count: int) -> None:
        """How many empty pages, each with a token, stand between any two pages of a listing (GCS only)."""
        self._service.blanks = count

    def faults(self, rules: list[dict[str, Any]]) -> None:
        """Replaces all fault rules and lets held requests go."""
        self.wire.replace_rules([Rule(**rule) for rule in rules])

    def stats(self) -> dict[str, Any]:
        """Requests per operation and status since the last reset, connections, and requests held just now."""
        ops, statuses = dict(self.wire.ops), {str(k): n for k, n in self.wire.statuses.items()}
        return {"ops": ops, "statuses": statuses, "connections": self.wire.connections, "held": self.wire.held}

    def reset(self, *, everything: bool = False) -> None:
        """Sets the counters to zero; `everything` also drops buckets, rules and the access key."""
        self.wire.ops.clear()
        self.wire.statuses.clear()
        self.wire.connections = 0
        if everything:
            self._service.buckets.clear()
            self._service.access_key = self._service.session_token = ""
            self._service.signers = Signers()
            self._service.blanks = 0
            self._service.lenient = False
            self.wire.replace_rules([])

    def _bucket(self, name: str) -> Bucket:
        return self._service.buckets.setdefault(name, Bucket())

    def _mutate(self, bucket: str, rule: Rule) -> None:
        if rule.body is None:
            self._bucket(bucket).delete(rule.target.encode())
        else:
            stored = self._service.stored(rule.body.encode(), "binary/octet-stream", int(time.time()))
            self._bucket(bucket).put(rule.target.encode(), stored)

    def _call(self, name: str, body: bytes) -> Response:
        method = None if name.startswith("_") else getattr(self, name, None)
        try:
            answer = method(**json.loads(body or b"{}")) if callable(method) else None
        except (TypeError, ValueError, KeyError) as caught:
            return Response(400, repr(caught).encode(), "text/plain")
        if not callable(method):
            return Response(404, b"no such route", "text/plain")
        return Response(200, json.dumps(answer).encode(), "application/json")


def _blob(_bucket: str, i: int, size: int, _rows: int) -> bytes:
    return (b"\xff\xd8\xff\xe0" + i.to_bytes(8, "big")).ljust(size, b"\0")


def _task(bucket: str, i: int, size: int, _rows: int = 1) -> bytes:
    data = {"image": f"s3://{bucket}/images/{i:08d}.jpg", "id": i, "text": ""}
    missing = size - len(json.dumps({"data": data}))
    data["text"] = ("lorem ipsum dolor sit amet " * (missing // 27 + 1))[: max(0, missing)]
    return json.dumps({"data": data}).encode()


def _lines(bucket: str, i: int, size: int, rows: int) -> bytes:
    return b"".join(_task(bucket, i * rows + row, size) + b"\n" for row in range(rows))


KINDS: dict[str, tuple[str, str, Callable[[str, int, int, int], bytes]]] = {
    "blob": ("jpg", "image/jpeg", _blob),
    "json": ("json", "application/json", _task),
    "jsonl": ("jsonl", "application/x-ndjson", _lines),
}


async def serve(service: Buckets, host: str, port: int, *, until_stdin_closes: bool) -> None:
    """Runs a server until it is told to stop."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    wire = Admin(service).wire
    server = await loop.create_server(lambda: Connection(wire), host, port, backlog=1024)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        loop.add_reader(sys.stdin, stop.set)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"{host}:{port}", flush=True)
    await stop.wait()
    server.close()
    for connection in list(wire.open):
        connection.close()


def main(make: Callable[[str], Buckets], description: str, port: int) -> None:
    """The command line of a server; `make` is given the access key."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=port, help="0 takes a free one")
    parser.add_argument("--access-key", default="", help="refuse requests that name another access key")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the starting process does")
    args = parser.parse_args()
    asyncio.run(serve(make(args.access_key), args.host, args.port, until_stdin_closes=args.until_stdin_closes))


if __name__ == "__main__":
    main(S3, "An S3 server in memory.", 9400)
