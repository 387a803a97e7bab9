"""Google Cloud Storage in memory, for tests and measurements: `python -m infra.bench.gcs_server --port 0`.

Six routes of the JSON API: list (prefix, delimiter, startOffset, pageToken, maxResults), one object's metadata, its
content (generations, ranges), upload (uploadType=media or multipart), delete, and a token for a service account.
Objects can be had at `/bucket/key` as well, where signed URLs lead.
Nothing can be asked of a bucket itself, as with object-level roles. Tests steer it by `/-/<name>`: see `Admin` of
`s3_server`; with an access key a request must bear that token.
"""

import base64
import binascii
import json
import re
import time
from bisect import bisect_left
from collections.abc import Mapping
from itertools import count
from typing import Any
from urllib.parse import unquote_to_bytes

from infra.bench.s3_objects import Bucket, Stored, beyond
from infra.bench.s3_server import main
from infra.bench.s3_wire import Request, Response
from infra.bench.signed_urls import Signers

API = (b"/storage/", b"/upload/", b"/download/", b"/token")
OBJECTS = re.compile(rb"/(?:upload/|download/)?storage/v1/b/([^/]+)/o(?:/(.+))?")
TOKENS = "/token"
MAX_PAGE = 1000
MAX_KEY_BYTES = 1024
REFUSED = "At least one of the pre-conditions you specified did not hold."


class GcsRequest(Request):
    """A request of the JSON API; the key of an upload stands in the query."""

    __slots__ = ()

    def _place(self, path: bytes) -> tuple[str, bytes]:
        found = OBJECTS.fullmatch(path)
        if not found:
            return ("", b"") if path.startswith(API) else super()._place(path)
        return found[1].decode("latin-1"), unquote_to_bytes(found[2]) if found[2] else self.param("name")

    def _op(self) -> str:
        if self.path == TOKENS:
            return "token"
        if not self.bucket:
            return "unknown"
        if not self.path.encode("latin-1").startswith(API):
            return "fetch" if self.method in {"GET", "HEAD"} and self.key else "unknown"
        if self.method == "GET" and self.key:
            return "get" if self.query.get("alt") == "media" else "head"
        if self.method == "GET":
            return "list"
        return {"POST": "put", "DELETE": "delete"}.get(self.method, "unknown")


class GcsStored(Stored):
    """An object of one generation."""

    __slots__ = ("generation", "item")

    def __init__(self, body: bytes, content_type: str, modified: int, generation: int) -> None:
        super().__init__(body, content_type, modified)
        self.generation = str(generation)
        updated = self.iso.decode()
        kind = json.dumps(content_type)
        self.item = f'"size":"{len(body)}","generation":"{generation}","updated":"{updated}","contentType":{kind}'


class Gcs:
    """The operations."""

    request = GcsRequest

    def __init__(self, access_key: str = "") -> None:
        self.buckets: dict[str, Bucket] = {}
        self.access_key = access_key
        self.session_token = ""  # what only S3 has
        self.signers = Signers()
        self.blanks = 0
        self.lenient = False
        self._generations = count(1_700_000_000_000_000)

    def stored(self, body: bytes, content_type: str, modified: int) -> GcsStored:
        """An object to put."""
        return GcsStored(body, content_type, modified, next(self._generations))

    def version(self, stored: GcsStored) -> str:
        """Its generation."""
        return stored.generation

    def error(self, status: int, code: str, message: str = "", headers: Mapping[str, str] | None = None) -> Response:
        """An error as Google says it."""
        text = message or code
        told = {"code": status, "message": text, "errors": [{"message": text, "domain": "global", "reason": code}]}
        return answer({"error": told}, status, headers)

    def handle(self, request: GcsRequest) -> Response:
        """Answers a request."""
        if request.op == "token":
            return answer({"access_token": self.access_key or "a-token", "expires_in": 3600, "token_type": "Bearer"})
        if problem := self.signers.refusal(request):
            return Response(400 if "expired" in problem else 403, problem.encode())
        signed = request.op == "fetch" and "X-Goog-Signature" in request.query
        if self.access_key and not signed and request.header(b"authorization") != f"Bearer {self.access_key}":
            return self.error(401, "authError", "Invalid Credentials")
        if request.op == "unknown":
            return self.error(403, "forbidden", "Permission storage.buckets.get denied (or no such route)")
        bucket = self.buckets.get(request.bucket)
        if bucket is None:
            return self.error(404, "notFound", "The specified bucket does not exist.")
        if bucket.forbidden:
            return self.error(403, "forbidden", "The caller does not have storage.objects access.")
        operation: Any = getattr(self, f"_{request.op}")
        found: Response = operation(request, bucket)
        return found

    def _list(self, request: GcsRequest, bucket: Bucket) -> Response:
        prefix, delimiter = request.param("prefix"), request.param("delimiter")
        limit = min(int(request.query.get("maxResults") or MAX_PAGE), MAX_PAGE)
        blanks = self.blanks
        keys, objects = bucket.in_order(), bucket.objects
        at = bisect_left(keys, max(prefix, request.param("startOffset")))
        if token := request.query.get("pageToken"):
            try:
                left, _, start = base64.urlsafe_b64decode(token).partition(b":")
                at, blanks = bisect_left(keys, start), int(left)
            except (binascii.Error, ValueError):
                return self.error(400, "invalid", "Invalid value")
        stop = bisect_left(keys, beyond(prefix), at) if prefix else len(keys)
        rows: list[str] = []
        prefixes: list[str] = []
        if blanks and token:
            return answer({"nextPageToken": to_token(blanks - 1, keys[at] if at < len(keys) else b"\xff")})
        start = b""
        while at < stop and len(rows) + len(prefixes) < limit:
            key = keys[at]
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                common = key[: cut + len(delimiter)]
                prefixes.append(json.dumps(common.decode()))
                start = beyond(common)
                at = bisect_left(keys, start, at)
                continue
            stored: Any = objects[key]
            rows.append(f'{{"name":{json.dumps(key.decode())},{stored.item}}}')
            start = key + b"\0"
            at += 1
        parts = [f'"{name}":[{",".join(found)}]' for name, found in (("items", rows), ("prefixes", prefixes)) if found]
        if at < stop:
            parts.append(f'"nextPageToken":"{to_token(self.blanks, start)}"')
        return Response(200, ("{" + ",".join(parts) + "}").encode(), "application/json")

    def _found(self, request: GcsRequest, bucket: Bucket) -> GcsStored | Response:
        stored: Any = bucket.objects.get(request.key)
        wanted = request.query.get("generation")
        if wanted and not wanted.isdecimal():
            return self.error(400, "invalid", f"Invalid value: {wanted}")
        if stored is None or (wanted and wanted != stored.generation):
            key = request.key.decode("utf-8", "replace")
            return self.error(404, "notFound", f"No such object: {request.bucket}/{key}")
        condition = request.query.get("ifGenerationMatch")
        lenient = self.lenient and request.op == "delete"
        if condition is not None and condition != stored.generation and not lenient:
            return self.error(412, "conditionNotMet", REFUSED)
        return stored if isinstance(stored, GcsStored) else self.error(500, "backendError")

    def _head(self, request: GcsRequest, bucket: Bucket) -> Response:
        found = self._found(request, bucket)
        return found if isinstance(found, Response) else described(request.key, found)

    def _get(self, request: GcsRequest, bucket: Bucket) -> Response:
        found = self._found(request, bucket)
        if isinstance(found, Response):
            return found
        size = len(found.body)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.header(b"range"))
        if not wanted:
            return Response(200, found.body, found.content_type)
        first, last = int(wanted[1]), min(int(wanted[2] or size), size - 1)
        if first > last:
            return self.error(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
        headers = {"Content-Range": f"bytes {first}-{last}/{size}"}
        return Response(206, found.body[first : last + 1], found.content_type, headers)

    def _fetch(self, request: GcsRequest, bucket: Bucket) -> Response:
        found = self._get(request, bucket)
        return found._replace(content_type=request.query.get("response-content-type", found.content_type))

    def _put(self, request: GcsRequest, bucket: Bucket) -> Response:
        body, content_type, key = request.body, request.header(b"content-type"), request.key
        metadata: dict[str, str] = {}
        if request.query.get("uploadType") == "multipart":
            mark = b"--" + content_type.partition("boundary=")[2].strip('"').encode()
            about, content = body.split(mark)[1:3]
            told = json.loads(about.partition(b"\r\n\r\n")[2])
            body = content.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
            key, content_type = key or told["name"].encode(), told.get("contentType", "")
            metadata = told.get("metadata", {})
        if not key or len(key) > MAX_KEY_BYTES or b"\n" in key or b"\r" in key or key in (b".", b".."):
            return self.error(400, "invalid", "Disallowed object name")
        present: Any = bucket.objects.get(key)
        condition = request.query.get("ifGenerationMatch")
        expected = present.generation if present else "0"
        if condition is not None and condition != expected and not self.lenient:
            return self.error(412, "conditionNotMet", REFUSED)
        stored = self.stored(body, content_type or "application/octet-stream", int(time.time()))
        stored.about = {f"x-goog-meta-{name}": value for name, value in metadata.items()}
        if kms_key := request.query.get("kmsKeyName"):
            stored.about["x-goog-encryption-kms-key-name"] = kms_key
        bucket.put(key, stored)
        return described(key, stored)

    def _delete(self, request: GcsRequest, bucket: Bucket) -> Response:
        found = self._found(request, bucket)
        if isinstance(found, Response):
            return found
        bucket.delete(request.key)
        return Response(204)


def answer(told: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(status, json.dumps(told).encode(), "application/json", headers or {})


def described(key: bytes, stored: GcsStored) -> Response:
    """What is told of an object."""
    prefix = "x-goog-meta-"
    metadata = {name.removeprefix(prefix): value for name, value in stored.about.items() if name.startswith(prefix)}
    more = json.dumps({"metadata": metadata})[1:-1]
    return Response(200, f'{{"name":{json.dumps(key.decode())},{stored.item},{more}}}'.encode(), "application/json")


def to_token(blanks: int, start: bytes) -> str:
    """Where the next page begins, and how many empty ones come before."""
    return base64.urlsafe_b64encode(b"%d:%b" % (blanks, start)).decode()


if __name__ == "__main__":
    main(Gcs, "Google Cloud Storage in memory.", 9401)
