"""What the in-memory S3 server does: buckets, objects and the operations on them."""

import base64
import binascii
import re
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping
from email.utils import formatdate
from hashlib import md5
from urllib.parse import quote_from_bytes
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from infra.bench.s3_wire import Request, Response, error, unchunk
from infra.bench.signed_urls import Signers

XML = b'<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = b'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
CONTENTS = (
    b"<Contents><Key>%b</Key><LastModified>%b</LastModified><ETag>&quot;%b&quot;</ETag><Size>%d</Size>"
    b"<StorageClass>STANDARD</StorageClass></Contents>"
)
SUMMARY = b"<Name>%b</Name><Prefix>%b</Prefix><KeyCount>%d</KeyCount><MaxKeys>%d</MaxKeys><IsTruncated>%b</IsTruncated>"
PLAIN = re.compile(rb"[A-Za-z0-9_.\-/]*").fullmatch
MAX_KEY_BYTES = 1024


class Stored:
    """An object's content and what S3 tells of it; `about` is its metadata and encryption, as headers."""

    __slots__ = ("about", "body", "content_type", "etag", "iso", "modified")

    def __init__(self, body: bytes, content_type: str, modified: int) -> None:
        self.body = body
        self.content_type = content_type
        self.about: dict[str, str] = {}
        self.etag = md5(body, usedforsecurity=False).hexdigest().encode()
        self.modified = modified
        self.iso = iso(modified)


class Bucket:
    """Objects and their keys in byte order."""

    def __init__(self) -> None:
        self.objects: dict[bytes, Stored] = {}
        self.forbidden = False
        self._keys: list[bytes] = []
        self._sorted = True

    def put(self, key: bytes, stored: Stored, *, bulk: bool = False) -> None:
        """Stores an object; `bulk` leaves the sorting for later."""
        if key not in self.objects:
            if bulk or not self._sorted:
                self._sorted = False
            else:
                insort(self._keys, key)
        self.objects[key] = stored

    def delete(self, key: bytes) -> None:
        """Removes an object, if it is there."""
        if self.objects.pop(key, None) and self._sorted:
            del self._keys[bisect_left(self._keys, key)]

    def in_order(self) -> list[bytes]:
        """All keys, sorted."""
        if not self._sorted:
            self._keys, self._sorted = sorted(self.objects), True
        return self._keys


class S3:
    """The operations."""

    request = Request

    def __init__(self, access_key: str = "") -> None:
        self.buckets: dict[str, Bucket] = {}
        self.access_key = access_key
        self.session_token = ""
        self.signers = Signers()
        self.blanks = 0
        self.lenient = False

    def error(self, status: int, code: str, message: str = "", headers: Mapping[str, str] | None = None) -> Response:
        """An S3 error."""
        return error(status, code, message, headers)

    def stored(self, body: bytes, content_type: str, modified: int) -> Stored:
        """An object to put."""
        return Stored(body, content_type, modified)

    def version(self, stored: Stored) -> str:
        """What tells this content from another under the same key."""
        return stored.etag.decode()

    def handle(self, request: Request) -> Response:
        """Answers a request."""
        if refusal := self._authorise(request):
            return refusal
        if request.op == "list_buckets":
            found = "".join(f"<Bucket><Name>{escape(name)}</Name></Bucket>" for name in self.buckets)
            return document(b"ListAllMyBucketsResult", f"<Buckets>{found}</Buckets>".encode())
        if request.op == "create_bucket":
            self.buckets.setdefault(request.bucket, Bucket())
            return Response(headers={"Location": f"/{request.bucket}"})
        bucket = self.buckets.get(request.bucket)
        if bucket is None:
            return error(404, "NoSuchBucket", "The specified bucket does not exist")
        if bucket.forbidden:
            return error(403, "AccessDenied", "Access Denied")
        if len(request.key) > MAX_KEY_BYTES:
            return error(400, "KeyTooLongError", "Your key is too long")
        operation: Callable[[Request, Bucket], Response] | None = getattr(self, f"_{request.op}", None)
        return operation(request, bucket) if operation else error(400, "NotImplemented", request.op)

    def _authorise(self, request: Request) -> Response | None:
        if problem := self.signers.refusal(request):
            return error(403, "AccessDenied" if "expired" in problem else "SignatureDoesNotMatch", problem)
        if not self.access_key:
            return None
        credential = request.query.get("X-Amz-Credential", "")
        if not credential and (found := re.search(r"Credential=([^,\s]+)", request.header(b"authorization"))):
            credential = found[1]
        if not credential:
            return error(403, "AccessDenied", "Access Denied")
        if credential.split("/")[0] != self.access_key:
            message = "The AWS Access Key Id you provided does not exist in our records."
            return error(403, "InvalidAccessKeyId", message)
        token = request.query.get("X-Amz-Security-Token") or request.header(b"x-amz-security-token")
        if self.session_token and token != self.session_token:
            return error(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
        return None

    def _head_bucket(self, _request: Request, _bucket: Bucket) -> Response:
        return Response(headers={"x-amz-bucket-region": "us-east-1"})

    def _location(self, _request: Request, _bucket: Bucket) -> Response:
        return document(b"LocationConstraint", b"")

    def _delete_bucket(self, request: Request, bucket: Bucket) -> Response:
        if bucket.objects:
            return error(409, "BucketNotEmpty")
        del self.buckets[request.bucket]
        return Response(204)

    def _list(self, request: Request, bucket: Bucket) -> Response:
        if request.query.get("list-type") != "2":
            return error(400, "NotImplemented", "only ListObjectsV2")
        prefix, delimiter, after = request.param("prefix"), request.param("delimiter"), request.param("start-after")
        limit = min(int(request.query.get("max-keys") or 1000), 1000)
        keys, objects = bucket.in_order(), bucket.objects
        if token := request.query.get("continuation-token"):
            try:
                at = bisect_left(keys, base64.urlsafe_b64decode(token))
            except binascii.Error:
                return error(400, "InvalidArgument", "The continuation token provided is incorrect")
        else:
            at = bisect_right(keys, after) if after else 0
            at = max(at, bisect_left(keys, prefix))
        encoded = request.query.get("encoding-type") == "url"
        text = url_text if encoded else xml_text
        stop = bisect_left(keys, beyond(prefix), at) if prefix else len(keys)
        rows: list[bytes] = []
        prefixes: list[bytes] = []
        start = b""
        while at < stop and len(rows) + len(prefixes) < limit:
            key = keys[at]
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                common = key[: cut + len(delimiter)]
                prefixes.append(b"<CommonPrefixes><Prefix>%b</Prefix></CommonPrefixes>" % text(common))
                start = beyond(common)
                at = bisect_left(keys, start, at)
                continue
            found = objects[key]
            rows.append(CONTENTS % (text(key), found.iso, found.etag, len(found.body)))
            start = key + b"\0"
            at += 1
        more = at < stop and limit > 0
        counts = (len(rows) + len(prefixes), limit, b"true" if more else b"false")
        out = [SUMMARY % (request.bucket.encode(), text(prefix), *counts)]
        if encoded:
            out.append(b"<EncodingType>url</EncodingType>")
        if more:
            out.append(b"<NextContinuationToken>%b</NextContinuationToken>" % base64.urlsafe_b64encode(start))
        return document(b"ListBucketResult", b"".join(out + rows + prefixes))

    def _get(self, request: Request, bucket: Bucket) -> Response:
        stored = bucket.objects.get(request.key)
        if stored is None:
            return error(404, "NoSuchKey", "The specified key does not exist.")
        headers = {
            "ETag": f'"{stored.etag.decode()}"',
            "Last-Modified": formatdate(stored.modified, usegmt=True),
            "Accept-Ranges": "bytes",
            **stored.about,
        }
        if (match := request.header(b"if-match")) and not names(match, stored):
            return error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        if (match := request.header(b"if-none-match")) and names(match, stored):
            return Response(304, headers=headers)
        content_type = request.query.get("response-content-type", stored.content_type)
        if not (wanted := request.header(b"range")):
            return Response(200, stored.body, content_type, headers)
        size = len(stored.body)
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted)
        if not found or not (found[1] or found[2]):
            return Response(200, stored.body, content_type, headers)
        first = int(found[1]) if found[1] else max(0, size - int(found[2]))
        last = min(int(found[2]), size - 1) if found[1] and found[2] else size - 1
        if first > last:
            return error(416, "InvalidRange", "The requested range is not satisfiable")
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        return Response(206, stored.body[first : last + 1], content_type, headers)

    _head = _get

    def _put(self, request: Request, bucket: Bucket) -> Response:
        if refusal := self._condition(request, bucket):
            return refusal
        body = request.body
        signed_chunks = request.header(b"x-amz-content-sha256").startswith("STREAMING-")
        if signed_chunks or "aws-chunked" in request.header(b"content-encoding"):
            content = unchunk(body)
            if content is None:
                return error(400, "IncompleteBody")
            body = content[0]
        stored = Stored(body, request.header(b"content-type") or "binary/octet-stream", int(time.time()))
        stored.about = request.headers(b"x-amz-meta-") | request.headers(b"x-amz-server-side-encryption")
        bucket.put(request.key, stored)
        return Response(headers={"ETag": f'"{stored.etag.decode()}"'})

    def _condition(self, request: Request, bucket: Bucket) -> Response | None:
        """The refusal of a write or a delete that expects something else."""
        present = bucket.objects.get(request.key)
        match, other = request.header(b"if-match"), request.header(b"if-none-match") == "*"
        if self.lenient or not (match or other):
            return None
        if match and present is None:
            return error(404, "NoSuchKey", "The specified key does not exist.")
        if present and (other or not names(match, present)):
            return error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        return None

    def _delete(self, request: Request, bucket: Bucket) -> Response:
        if refusal := self._condition(request, bucket):
            return refusal
        bucket.delete(request.key)
        return Response(204)

    def _delete_many(self, request: Request, bucket: Bucket) -> Response:
        tree = ElementTree.fromstring(request.body)  # noqa: S314  a test's own request
        deleted = [element.text or "" for element in tree.iter() if element.tag.endswith("Key")]
        for key in deleted:
            bucket.delete(key.encode())
        rows = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in deleted)
        return document(b"DeleteResult", rows.encode())


def document(root: bytes, content: bytes) -> Response:
    """An XML answer."""
    return Response(200, b"%b<%b %b>%b</%b>" % (XML, root, NAMESPACE, content, root))


def iso(modified: int) -> bytes:
    """A time as listings have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(modified)).encode()


def names(condition: str, stored: Stored) -> bool:
    """Whether an If-Match (or If-None-Match) header names the object's ETag."""
    return condition == "*" or condition.strip('"') == stored.etag.decode()


def beyond(prefix: bytes) -> bytes:
    """The first possible key behind all that start with `prefix` (which has a byte below 0xff)."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1])


def url_text(key: bytes) -> bytes:
    """A key as `encoding-type=url` has it: like a form, a space is a plus."""
    return key if PLAIN(key) else quote_from_bytes(key, safe="/ ").replace(" ", "+").encode()


def xml_text(key: bytes) -> bytes:
    """A key in plain XML; as with S3, a control character makes the document unreadable."""
    return key if PLAIN(key) else escape(key.decode("utf-8", "replace")).encode()
