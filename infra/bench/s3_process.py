"""The project's S3 and GCS servers, each in a process of its own, for tests and benchmarks.

@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server

s3.fill("bucket", 2500, prefix="images/")
s3.faults({"action": "status", "op": "list", "skip": 1, "status": 503})
store = S3Objects("bucket", endpoint=s3.endpoint, access_key="a", secret_key="s")
assert s3.stats()["ops"]["list"] == 4
"""

import base64
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class S3Server:
    """A running server. Buckets come into being when something is put into them. Safe to use from many threads."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.endpoint = f"http://{address}"

    def bucket(self, name: str, *, forbidden: bool = False) -> None:
        """Makes a bucket; a forbidden one answers 403 AccessDenied to everything."""
        self._call("bucket", name=name, forbidden=forbidden)

    def drop(self, name: str) -> None:
        """Removes a bucket and all that is in it."""
        self._call("drop", name=name)

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
        """Adds n objects `{prefix}{i:08d}.{jpg|json|jsonl}` of kind blob, json or jsonl; returns how many there are.

        A json is a task of about `size` bytes, a jsonl has `rows` of them.
        """
        wanted = {"prefix": prefix, "kind": kind, "size": size, "rows": rows, "start": start}
        return int(self._call("fill", bucket=bucket, n=n, **wanted))

    def put(self, bucket: str, key: str, body: bytes | str = b"", content_type: str = "binary/octet-stream") -> str:
        """Stores an object behind everyone's back and returns its version."""
        data = body.encode() if isinstance(body, str) else body
        body64 = base64.b64encode(data).decode()
        return str(self._call("put", bucket=bucket, key=key, body64=body64, content_type=content_type))

    def put_many(self, bucket: str, objects: Mapping[str, bytes]) -> None:
        """Stores many objects in one call."""
        bodies = {key: base64.b64encode(body).decode() for key, body in objects.items()}
        self._call("put_many", bucket=bucket, bodies64=bodies)

    def get(self, bucket: str, key: str) -> bytes | None:
        """An object's content, None if it is not there."""
        body = self._call("get", bucket=bucket, key=key)
        return None if body is None else base64.b64decode(body)

    def about(self, bucket: str, key: str) -> dict[str, str] | None:
        """What was said of an object besides its content: Content-Type, metadata, encryption."""
        told: dict[str, str] | None = self._call("about", bucket=bucket, key=key)
        return told

    def delete(self, bucket: str, *keys: str) -> None:
        """Removes objects."""
        self._call("delete", bucket=bucket, keys=keys)

    def keys(self, bucket: str) -> list[str]:
        """All keys, in order."""
        return list(self._call("keys", bucket=bucket))

    def access(self, key: str, token: str = "") -> None:
        """Accepts only this access key from now on, with just this session token; "" accepts all."""
        self._call("access", key=key, token=token)

    def signers(self, *, secret: str = "", public_key: str = "") -> None:
        """Takes only signed URLs that are made with this secret (S3) or with this key's private half (Google)."""
        self._call("signers", secret=secret, public_key=public_key)

    def lenient(self, *, on: bool = True) -> None:
        """Ignores the conditions of writes and deletes from now on, or no more."""
        self._call("lenient", on=on)

    def faults(self, *rules: dict[str, Any]) -> None:
        """Replaces all fault rules (see `infra.bench.s3_wire.Rule`) and lets held requests go; none clears them."""
        self._call("faults", rules=rules)

    def stats(self) -> dict[str, Any]:
        """`ops` and `statuses` counted since the last reset, `connections`, and requests `held` just now."""
        return dict(self._call("stats"))

    def reset(self, *, everything: bool = False) -> None:
        """Sets the counters to zero; `everything` also drops buckets, rules and the access key."""
        self._call("reset", everything=everything)

    def _call(self, route: str, **arguments: Any) -> Any:
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request("POST", f"/-/{route}", json.dumps(arguments))
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise ValueError(f"{route}: {body.decode()}")
        return json.loads(body)


@contextmanager
def s3_server(*, access_key: str = "") -> Iterator[S3Server]:
    """Starts a server on a free loopback port and stops it in the end; it also ends if this process dies."""
    with _process("infra.bench.s3_server", access_key) as address:
        yield S3Server(address)


class GcsServer(S3Server):
    """A running server of Google Cloud Storage's JSON API; versions are generations, the access key is a token."""

    def empty_pages(self, count: int) -> None:
        """Answers this many empty pages, each with a token, in the middle of every listing from now on."""
        self._call("empty_pages", count=count)


@contextmanager
def gcs_server(*, token: str = "") -> Iterator[GcsServer]:
    """Like `s3_server`, for Google Cloud Storage. With a token, requests must bear it."""
    with _process("infra.bench.gcs_server", token) as address:
        yield GcsServer(address)


@contextmanager
def _process(module: str, access_key: str) -> Iterator[str]:
    command = [sys.executable, "-m", module, "--port", "0", "--until-stdin-closes", "--access-key", access_key]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("pipes were asked for")
        try:
            address = process.stdout.readline().strip()
            if not address:
                raise RuntimeError(f"{module} did not start")
            yield address
        finally:
            process.stdin.close()
            process.wait(10)
