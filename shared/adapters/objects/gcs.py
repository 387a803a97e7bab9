"""A Google Cloud Storage bucket, by its JSON API."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

import orjson

from shared.adapters.objects.gcs_errors import MISSING
from shared.adapters.objects.gcs_listing import ALL_FIELDS, FIELDS, Page, parse_object, parse_page
from shared.adapters.objects.http import InvalidRangeError
from shared.adapters.objects.metadata import checked
from shared.errors import (
    BucketNotFoundError,
    InvalidKeyError,
    ObjectNotFoundError,
    PrefixEmptyError,
    VersionMismatchError,
)
from shared.model.order import by_utf8
from shared.ports import ObjectInfo, Order, SignedMethod, SignedUrl, Stat

if TYPE_CHECKING:
    from shared.adapters.objects.gcs_client import GcsClient
    from shared.adapters.objects.gcs_identity import GcsIdentity

PAGE = 1000
MAX_KEY_BYTES = 1024
RESERVED = ".well-known/acme-challenge/"
MAX_GENERATION = 2**63


class GcsObjects:
    """A bucket. Credentials are the service account's key given, the `identity`, or Application Default Credentials.

    Connects at the first use. Permissions on objects are enough (list, get; create and delete to write): nothing is
    asked of the bucket itself. `project` pays where the bucket wants a payer named. An `endpoint` is another server
    than Google's; without a key or an identity it is used anonymously. Versions are generations, of which none comes
    twice. An object stored with `Content-Encoding: gzip` is read as it is stored. `kms_key` (projects/…/cryptoKeys/…)
    encrypts what is written; without it the bucket's own setting does.
    """

    order: Order = "bytes"
    seek = True
    conditional = True
    keeps_metadata = True

    def __init__(
        self,
        bucket: str,
        *,
        credentials_json: str | None = None,
        identity: "GcsIdentity | None" = None,
        project: str | None = None,
        endpoint: str | None = None,
        kms_key: str | None = None,
        iam_url: str = "https://iamcredentials.googleapis.com",
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        attempts: int = 4,
    ) -> None:
        self._bucket, self._kms_key = bucket, kms_key
        self._options: dict[str, Any] = {
            "credentials_json": (credentials_json or "").strip() or None,
            "identity": identity,
            "project": project or None,
            "endpoint": endpoint or None,
            "iam_url": iam_url,
            "connect_timeout": connect_timeout,
            "read_timeout": read_timeout,
            "attempts": attempts,
        }
        self._lock = Lock()
        self._made: GcsClient | None = None

    def uri(self, key: str) -> str:
        """`gs://bucket/key`, the key as it is."""
        return f"gs://{self._bucket}/{key}"

    def sort_key(self, key: str) -> bytes:
        """The key's UTF-8."""
        return by_utf8(key)

    def check(self, prefix: str = "", *, need_object: bool = False) -> None:
        """Lists one object: what a sync needs first, and no permission on the bucket."""
        page = self._page(prefix, limit=1)
        while need_object and not page.objects:
            if not page.token:
                raise PrefixEmptyError(f"No blobs found in {self._bucket}/{prefix} or prefix doesn't exist")
            page = self._page(prefix, limit=1, pageToken=page.token)

    def pages(self, prefix: str = "", after: str = "", *, recursive: bool = True) -> Iterator[list[ObjectInfo]]:
        """Pages as Google cuts them; one may be short or empty and yet not the last."""
        more: dict[str, Any] = {} if recursive else {"delimiter": "/"}
        if after:
            more["startOffset"] = after
        while True:
            page = self._page(prefix, **more)
            objects = page.objects
            if after and objects and objects[0].key == after:
                del objects[0]  # the offset itself is listed too
            yield objects
            if not page.token:
                return
            more["pageToken"] = page.token

    def stat(self, key: str) -> Stat:
        """The object as it is now."""
        if not _is_legal(key):
            raise ObjectNotFoundError(f"{key!r} can't name an object in Google Cloud Storage")
        try:
            return parse_object(self._client().ask("GET", key, fields=ALL_FIELDS, prettyPrint="false").body)
        except ObjectNotFoundError:
            self._page(key, limit=1)  # or is it the bucket that is gone? Some may list only what begins like this
            raise

    def read(self, key: str, version: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Asks for the generation, which is nowhere else to be had once the object was replaced."""
        if length is None:
            limits = f"bytes={offset}-" if offset else ""
        else:
            # There is no empty range, but an empty read must notice a replaced object as well.
            limits = f"bytes={offset}-{offset + max(length, 1) - 1}"
        if not _is_legal(key):
            raise ObjectNotFoundError(f"{key!r} can't name an object in Google Cloud Storage")
        try:
            generation = self._generation(key, version)
        except VersionMismatchError:
            self.stat(key)
            raise
        pinned: dict[str, Any] = {"generation": generation, "ifGenerationMatch": generation}
        try:
            body = (
                self._client().ask("GET", key, headers={"range": limits} if limits else {}, alt="media", **pinned).body
            )
        except InvalidRangeError:
            return b""
        except ObjectNotFoundError:
            self.stat(key)
            raise VersionMismatchError(f"{self.uri(key)} was replaced") from None
        return body if length is None else body[:length]

    def write(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,
        expect: str | None = None,
        metadata: Mapping[str, str] = {},
    ) -> str:
        """Puts the object, on condition of its generation or of its absence."""
        if not _is_legal(key):
            raise InvalidKeyError(f"{key!r} can't name an object in Google Cloud Storage")
        more: dict[str, Any] = {"kmsKeyName": self._kms_key} if self._kms_key else {}
        if expect is not None:
            more["ifGenerationMatch"] = self._generation(key, expect) if expect else "0"
        # In two parts, as Google's own clients do it: fake-gcs-server ignores the condition of a bare upload.
        mark = secrets.token_hex(16)
        about = orjson.dumps({"name": key, "contentType": content_type, "metadata": checked(metadata)}).decode()
        head = f"--{mark}\r\ncontent-type: application/json\r\n\r\n{about}\r\n--{mark}\r\ncontent-type: {content_type}"
        try:
            answer = self._client().ask(
                "POST",
                api="/upload/storage/v1",
                headers={"content-type": f"multipart/related; boundary={mark}"},
                body=b"%b\r\n\r\n%b\r\n--%b--\r\n" % (head.encode(), body, mark.encode()),
                conditional=expect is not None,
                uploadType="multipart",
                name=key,
                fields=FIELDS,
                prettyPrint="false",
                **more,
            )
        except ObjectNotFoundError as caught:  # nothing else can be missing
            raise BucketNotFoundError(f"{self._bucket}: {MISSING}", detail=caught.detail) from None
        return parse_object(answer.body).version

    def delete(self, key: str, *, expect: str | None = None) -> None:
        """Removes the object, on condition of its generation."""
        if not _is_legal(key):
            return
        more: dict[str, Any] = {}
        try:
            if expect is not None:
                more["ifGenerationMatch"] = self._generation(key, expect)
            self._client().ask("DELETE", key, **more)
        except ObjectNotFoundError:
            self._page(key, limit=1)
        except VersionMismatchError:
            with suppress(ObjectNotFoundError):  # which is refused in this way as well
                self.stat(key)
                raise

    def presign(
        self, key: str, *, seconds: float, method: SignedMethod = "GET", content_type: str = ""
    ) -> SignedUrl | None:
        """A V4 signature by the key, else by Google's signBlob as the service account that this is.

        None for an identity that is no service account. Of an anonymous store (an emulator), the bare URL.
        """
        if not _is_legal(key):
            raise ObjectNotFoundError(f"{key!r} can't name an object in Google Cloud Storage")
        return self._client().signed(key, seconds=seconds, method=method, content_type=content_type)

    def close(self) -> None:
        """Closes the connections."""
        with self._lock:
            if self._made:
                self._made.close()

    def _generation(self, key: str, version: str) -> str:
        """A version that may be a generation; with another one Google refuses the request itself."""
        if not (version.isdecimal() and version.isascii() and 0 < int(version) < MAX_GENERATION):
            raise VersionMismatchError(f"{self.uri(key)} has no version {version[:50]!r}")
        return version

    def _client(self) -> "GcsClient":
        if self._made is None:
            with self._lock:
                if self._made is None:
                    # google-auth takes its time to import, which a settings check without a bucket need not spend.
                    from shared.adapters.objects.gcs_client import GcsClient

                    self._made = GcsClient(self._bucket, **self._options)
        return self._made

    def _page(self, prefix: str, *, limit: int | None = None, **more: Any) -> Page:
        if not _encodes(prefix):
            return Page([], "")
        answer = self._client().ask(
            "GET",
            prefix=prefix,
            maxResults=limit or PAGE,
            fields=f"items({FIELDS}),nextPageToken",
            prettyPrint="false",
            **more,
        )
        return parse_page(answer.body)


def _is_legal(key: str) -> bool:
    """What Google takes as an object's name."""
    if not key or key in {".", ".."} or "\r" in key or "\n" in key or key.startswith(RESERVED):
        return False
    return _encodes(key) and len(key.encode()) <= MAX_KEY_BYTES


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
