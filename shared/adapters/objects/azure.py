"""A container of Azure Blob Storage, by its REST API."""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

from shared.adapters.objects.azure_listing import Page, described, parse_page, version_in
from shared.adapters.objects.google_identity import IdentityToken
from shared.adapters.objects.http import Answer, InvalidRangeError
from shared.adapters.objects.metadata import checked
from shared.errors import InvalidKeyError, ObjectNotFoundError, PrefixEmptyError, VersionMismatchError
from shared.model.order import by_utf16
from shared.ports import ObjectInfo, Order, SignedMethod, SignedUrl, Stat

if TYPE_CHECKING:
    from shared.adapters.objects.azure_client import AzureClient

PAGE = 1000
MAX_KEY = 1024
META = "x-ms-meta-"

_no_xml = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]").search
"""What listings can't say in plain XML: read where others wrote it, but never written."""


class AzureObjects:
    """A container, by its account's name and key, a shared access signature, or a connection string (which wins).

    Or by an application, with its secret, a file that holds a federated token, or `google_token`; it signs in at
    `login_url`.

    Connects at the first use. `endpoint` is the account's URL, where that is not the one of Azure's public cloud.

    Keys come in the order of their UTF-16 code units. A listing can't be started at a key: markers have no documented
    life, and `startFrom` is ignored by some servers; so it is walked from the start. Accounts with a hierarchical
    namespace list by path segment instead, which a sync tells as an error; their directories are not listed.

    A version is the content's MD5 and size where Azure keeps them, else the ETag, which edits of metadata change too.
    Either way a read is of exactly that version: each answer says what it is of, in the same breath as its content.
    An expected version costs a request more, which finds the ETag that it has just now.
    """

    order: Order = "utf16"
    seek = False
    conditional = True
    keeps_metadata = True

    def __init__(
        self,
        container: str,
        *,
        account_name: str | None = None,
        account_key: str | None = None,
        sas_token: str | None = None,
        connection_string: str | None = None,
        endpoint: str | None = None,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        token_file: str | None = None,
        google_token: IdentityToken | None = None,
        login_url: str | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        attempts: int = 4,
    ) -> None:
        self._container = container
        given = {
            "account_name": account_name,
            "account_key": account_key,
            "sas_token": sas_token,
            "connection_string": connection_string,
            "endpoint": endpoint,
            "tenant_id": tenant_id,
            "client_id": client_id,
            "client_secret": client_secret,
            "token_file": token_file,
            "login_url": login_url,
        }
        self._options: dict[str, Any] = {
            **{name: (value or "").strip() or None for name, value in given.items()},
            "google_token": google_token,
            "connect_timeout": connect_timeout,
            "read_timeout": read_timeout,
            "attempts": attempts,
        }
        self._lock = Lock()
        self._made: AzureClient | None = None

    def uri(self, key: str) -> str:
        """`azure-blob://container/key`, the key as it is."""
        return f"azure-blob://{self._container}/{key}"

    def sort_key(self, key: str) -> bytes:
        """The key's UTF-16, high bytes first."""
        return by_utf16(key)

    def check(self, prefix: str = "", *, need_object: bool = False) -> None:
        """Lists one blob, which is what a sync needs first."""
        page = self._page(prefix, limit=1)
        while need_object and not page.objects:
            if not page.marker:
                raise PrefixEmptyError(f"{self.uri(prefix)} not found.")
            page = self._page(prefix, limit=1, marker=page.marker)

    def pages(self, prefix: str = "", after: str = "", *, recursive: bool = True) -> Iterator[list[ObjectInfo]]:
        """Pages as Azure cuts them, walked from the start of the prefix; one may be empty and yet not the last."""
        more: dict[str, Any] = {} if recursive else {"delimiter": "/"}
        low = self.sort_key(after) if after else b""
        while True:
            page = self._page(prefix, **more)
            # Compared only until the start is reached: from there on all lies behind it.
            yield [info for info in page.objects if self.sort_key(info.key) > low] if low else page.objects
            if low and page.objects and self.sort_key(page.objects[-1].key) > low:
                low = b""
            if not page.marker:
                return
            more["marker"] = page.marker

    def stat(self, key: str) -> Stat:
        """The blob as it is now."""
        return self._stat(key)[0]

    def read(self, key: str, version: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Asks for the content, by its ETag if that is its version; else the answer tells by its digest."""
        self._must_exist(key)
        headers: dict[str, str] = {}
        if length is not None:
            # There is no empty range, but an empty read must notice a replaced blob as well.
            headers["x-ms-range"] = f"bytes={offset}-{offset + max(length, 1) - 1}"
        elif offset:
            headers["x-ms-range"] = f"bytes={offset}-"
        if version.startswith("etag:"):
            headers["if-match"] = f'"{version.removeprefix("etag:")}"'
        try:
            answer = self._client().ask("GET", key, headers=headers)
        except InvalidRangeError:
            if self.stat(key).version != version:
                raise self._replaced(key) from None
            return b""
        # A condition that held needs no second look: Azurite makes up digests for blobs that have none.
        if "if-match" not in headers and version_in(answer.headers, _size(answer)) != version:
            raise self._replaced(key)
        return answer.body if length is None else answer.body[:length]

    def write(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,
        expect: str | None = None,
        metadata: Mapping[str, str] = {},
    ) -> str:
        """Puts a block blob, on condition of its ETag or of its absence."""
        if not _is_legal(key) or _no_xml(key):
            raise InvalidKeyError(f"{key[:100]!r} can't name a blob in Azure")
        digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        headers = {"x-ms-blob-type": "BlockBlob", "x-ms-blob-content-md5": digest, "content-type": content_type}
        headers |= {META + name: value for name, value in checked(metadata).items()}
        if expect:
            try:
                headers["if-match"] = self._etag(key, expect)
            except ObjectNotFoundError:
                raise VersionMismatchError(f"{self.uri(key)} does not exist") from None
        elif expect is not None:
            headers["if-none-match"] = "*"
        self._client().ask("PUT", key, headers=headers, body=body, conditional=expect is not None)
        return f"md5:{digest}:{len(body)}"

    def delete(self, key: str, *, expect: str | None = None) -> None:
        """Removes the blob, on condition of its ETag; one with snapshots stays, and Azure says so."""
        if not _is_legal(key):
            return
        with suppress(ObjectNotFoundError):
            headers = {} if expect is None else {"if-match": self._etag(key, expect)}
            try:
                self._client().ask("DELETE", key, headers=headers)
            except VersionMismatchError:
                self._stat(key)  # what is not there is no match either
                raise

    def presign(
        self,
        key: str,
        *,
        seconds: float,
        method: SignedMethod = "GET",  # noqa: ARG002  one signature is good for both
        content_type: str = "",
    ) -> SignedUrl | None:
        """A URL with a signature that reads this blob alone, made of the account's key or of a delegated one.

        None where all we have is somebody's signature, which may be good for more than reading this.
        """
        self._must_exist(key)
        return self._client().signed(key, seconds=seconds, content_type=content_type)

    def close(self) -> None:
        """Closes the connections."""
        with self._lock:
            if self._made:
                self._made.close()

    def _stat(self, key: str) -> tuple[Stat, str]:
        """The blob as it is now, and its ETag."""
        self._must_exist(key)
        said = self._client().ask("HEAD", key).headers
        info = described(key, said, int(said.get("content-length", 0)))
        metadata = {
            name.lower().removeprefix(META): value for name, value in said.items() if name.lower().startswith(META)
        }
        return Stat(info, said.get("content-type", ""), metadata, said.get("content-encoding", "")), said.get(
            "etag", ""
        )

    def _etag(self, key: str, version: str) -> str:
        """The ETag of a blob at this version. Raises `VersionMismatchError`, `ObjectNotFoundError`."""
        now, etag = self._stat(key)
        if now.version != version:
            raise VersionMismatchError(f"{self.uri(key)} is not at the expected version")
        return etag

    def _page(self, prefix: str, *, limit: int | None = None, **more: str) -> Page:
        if not _encodes(prefix):
            return Page([], "")
        # Metadata tells directories from empty objects.
        fixed = {"restype": "container", "comp": "list", "include": "metadata", "maxresults": str(limit or PAGE)}
        return parse_page(self._client().ask("GET", query={**fixed, "prefix": prefix, **more}).body)

    def _client(self) -> "AzureClient":
        if self._made is None:
            with self._lock:
                if self._made is None:
                    # Azure's SDK takes its time to import, which a settings check without a container need not spend.
                    from shared.adapters.objects.azure_client import AzureClient

                    self._made = AzureClient(self._container, **self._options)
        return self._made

    def _must_exist(self, key: str) -> None:
        if not _is_legal(key):
            raise ObjectNotFoundError(f"{key[:100]!r} can't name a blob in Azure")

    def _replaced(self, key: str) -> VersionMismatchError:
        return VersionMismatchError(f"{self.uri(key)} was replaced")


def _size(answer: Answer) -> int:
    """The size of the whole blob, of which the answer may hold a part."""
    total = answer.headers.get("content-range", "").rpartition("/")[2]
    return int(total) if total.isdecimal() else len(answer.body)


def _is_legal(key: str) -> bool:
    """Azure reads a backslash as a slash."""
    return bool(key) and _encodes(key) and len(key) <= MAX_KEY and "\\" not in key


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
