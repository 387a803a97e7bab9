"""An S3 bucket, of Amazon or of anyone who speaks the same protocol."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Any, TypeVar

import obstore
from botocore.awsrequest import AWSRequest
from obstore.exceptions import UnauthenticatedError

from shared.adapters.objects.attempts import tried
from shared.adapters.objects.google_identity import WebIdentity
from shared.adapters.objects.metadata import checked
from shared.adapters.objects.s3_client import Clients, S3Access
from shared.adapters.objects.s3_errors import InvalidRangeError, S3Faults
from shared.adapters.objects.s3_listing import Page, parse_page
from shared.adapters.objects.s3_signing import sign
from shared.errors import (
    InvalidKeyError,
    ObjectNotFoundError,
    PrefixEmptyError,
    StoreError,
    StoreUnavailableError,
    VersionMismatchError,
)
from shared.model.order import by_utf8
from shared.ports import ObjectInfo, Order, SignedMethod, SignedUrl, Stat

R = TypeVar("R")

PAGE = 1000

_lost_by_obstore = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[\x00-\x1f\x7f]").search


def survives_path(key: str) -> bool:
    """Whether obstore asks for exactly this key: it refuses some (`a//b`, `..`, control characters), alters others."""
    return not _lost_by_obstore(key)


class S3Objects:
    """A bucket. Credentials are the keys given, else what boto3's default chain finds, else (`anonymous`) none.

    With `web_identity` its role's credentials take the place of that chain.

    Connects at the first use. Without `region` and `endpoint`, S3 is asked where the bucket is. An `endpoint` is used
    path-style. What is written is encrypted with `kms_key`, else with S3's own keys if `encrypt` says so, else as the
    bucket has it. Versions are ETags without their quotes: mostly the content's MD5, so equal content is an equal one.

    URLs for browsers are signed for `public_endpoint` if there is one.

    With `role_arn` (and `external_id`) the credentials only serve to assume that role, at `sts_endpoint` or at AWS.
    """

    order: Order = "bytes"
    seek = True
    conditional = True
    keeps_metadata = True

    def __init__(
        self,
        bucket: str,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        session_token: str | None = None,
        role_arn: str | None = None,
        external_id: str | None = None,
        sts_endpoint: str | None = None,
        web_identity: WebIdentity | None = None,
        public_endpoint: str | None = None,
        anonymous: bool = False,
        kms_key: str | None = None,
        encrypt: bool = False,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        attempts: int = 4,
    ) -> None:
        self._bucket = bucket
        self._attempts = attempts
        self._encryption: dict[str, str] = {"ServerSideEncryption": "AES256"} if encrypt else {}
        if kms_key:
            self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key}
        self._access = S3Access(
            bucket=bucket,
            region=region or None,
            endpoint=endpoint or None,
            access_key=(access_key or "").strip() or None,
            secret_key=(secret_key or "").strip() or None,
            session_token=(session_token or "").strip() or None,
            role_arn=role_arn or None,
            external_id=external_id or None,
            sts_endpoint=sts_endpoint or None,
            web_identity=web_identity,
            public_endpoint=public_endpoint or None,
            anonymous=anonymous,
            encryption=self._encryption,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            attempts=attempts,
        )
        self._faults = S3Faults(bucket, endpoint, self._access.secrets)
        self._lock = Lock()
        self._made: Clients | None = None

    def uri(self, key: str) -> str:
        """`s3://bucket/key`, the key as it is."""
        return f"s3://{self._bucket}/{key}"

    def sort_key(self, key: str) -> bytes:
        """The key's UTF-8."""
        return by_utf8(key)

    def check(self, prefix: str = "", *, need_object: bool = False) -> None:
        """Lists one object: what a sync needs first, and all that `s3:ListBucket` allows."""
        page = self._page(prefix, limit=1)
        while need_object and not page.objects:
            if not page.token:
                raise PrefixEmptyError(f"{self.uri(prefix)} not found.")
            page = self._page(prefix, limit=1, ContinuationToken=page.token)

    def pages(self, prefix: str = "", after: str = "", *, recursive: bool = True) -> Iterator[list[ObjectInfo]]:
        """Pages as S3 cuts them; one may be short or empty and yet not the last."""
        fixed: dict[str, Any] = {} if recursive else {"Delimiter": "/"}
        start: dict[str, Any] = {"StartAfter": after} if after else {}
        while True:
            page = self._page(prefix, **fixed, **start)
            yield page.objects
            if not page.token:
                return
            start = {"ContinuationToken": page.token}

    def stat(self, key: str) -> Stat:
        """The object as it is now."""
        self._must_exist(key)
        try:
            found = self._boto("head_object", key)
        except StoreError as caught:
            # The answer to HEAD has no body: whether the object is amiss, the bucket or the keys, a listing tells.
            if caught.permanent:
                self._page("", limit=1)
            raise
        modified = found["LastModified"].timestamp()
        metadata = {name.lower(): value for name, value in found["Metadata"].items()}
        info = ObjectInfo(key, found["ContentLength"], found["ETag"].strip('"'), modified)
        # "aws-chunked" is how some clients sent the object, not how it is stored.
        encoding = found.get("ContentEncoding", "").replace("aws-chunked", "").strip(", ")
        return Stat(info, found.get("ContentType", ""), metadata, encoding)

    def read(self, key: str, version: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Asks for the object on condition of its ETag."""
        self._must_exist(key)
        # S3 has no empty range, but an empty read must notice a replaced object as well.
        stop = None if length is None else offset + max(length, 1)
        try:
            if survives_path(key):
                body = self._faults.call(key, self._get, key, version, offset, stop)
            else:
                body = self._try(key, self._get_by_boto, key, version, offset, stop)
        except InvalidRangeError:
            return b""
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
        """Puts the object, on condition of its ETag or of its absence."""
        if not _is_legal(key):
            raise InvalidKeyError(f"{key!r} can't name an object in S3")
        put = self._put if survives_path(key) else self._put_by_boto
        about = checked(metadata)
        try:
            etag = self._try(key, put, key, body, content_type, expect, about, conditional=expect is not None)
        except ObjectNotFoundError:
            raise VersionMismatchError(f"{self.uri(key)} does not exist") from None
        return etag.strip('"')

    def delete(self, key: str, *, expect: str | None = None) -> None:
        """Removes the object, on condition of its ETag."""
        if not _is_legal(key):
            return
        more = {} if expect is None else {"IfMatch": f'"{expect}"'}
        with suppress(ObjectNotFoundError):
            try:
                self._boto("delete_object", key, **more)
            except VersionMismatchError:
                self.stat(key)  # what is not there is no match either
                raise

    def presign(
        self, key: str, *, seconds: float, method: SignedMethod = "GET", content_type: str = ""
    ) -> SignedUrl | None:
        """A URL with a query signature, made without a request."""
        self._must_exist(key)
        make = partial(sign, seconds=seconds, method=method, content_type=content_type)
        return self._faults.call(key, make, self._clients(), self._bucket, key)

    def close(self) -> None:
        """Closes the connections."""
        with self._lock:
            if self._made:
                self._made.boto.close()
                self._made.signer.close()
                self._made.http.close()

    def _clients(self) -> Clients:
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = self._try("", self._access.connect)
        return self._made

    def _page(self, prefix: str, *, limit: int | None = None, **more: Any) -> Page:
        return parse_page(self._fetch({"Bucket": self._bucket, "Prefix": prefix, "MaxKeys": limit or PAGE, **more}))

    def _fetch(self, params: dict[str, Any]) -> bytes:
        """One page's XML. boto3 only signs the URL: parsing would cost it twenty times of what all the rest costs."""
        clients = self._clients()
        url = self._faults.call(
            "", clients.boto.generate_presigned_url, "list_objects_v2", Params=params | {"EncodingType": "url"}
        )
        request = AWSRequest("GET", url).prepare()

        def send() -> bytes:
            response = clients.http.send(request)
            body = bytes(response.content)
            if response.status_code != 200:
                raise self._faults.responded(response.status_code, body, response.headers)
            if int(response.headers.get("content-length", len(body))) != len(body):
                raise self._faults.interrupted("the answer is incomplete")
            return body

        return self._try("", send)

    def _get(self, key: str, version: str, offset: int, stop: int | None) -> bytes:
        options: Any = {"if_match": f'"{version}"'}
        if stop is not None:
            options["range"] = (offset, stop)
        elif offset:
            options["range"] = {"offset": offset}
        reader = self._clients().reader
        return self._by_obstore(lambda: bytes(obstore.get(reader, key, options=options).bytes()))

    def _get_by_boto(self, key: str, version: str, offset: int, stop: int | None) -> bytes:
        more = {}
        if offset or stop is not None:
            more["Range"] = f"bytes={offset}-{'' if stop is None else stop - 1}"
        answer = self._clients().boto.get_object(Bucket=self._bucket, Key=key, IfMatch=f'"{version}"', **more)
        with answer["Body"] as stream:
            return bytes(stream.read())

    def _put(self, key: str, body: bytes, content_type: str, expect: str | None, about: Mapping[str, str]) -> str:
        mode: Any = "overwrite" if expect is None else {"e_tag": f'"{expect}"'} if expect else "create"
        attributes: Any = {"Content-Type": content_type, **about}
        put = partial(obstore.put, attributes=attributes, mode=mode, use_multipart=False)
        answer = self._by_obstore(lambda: put(self._clients().writer, key, body))
        if not answer["e_tag"]:
            raise StoreUnavailableError("The store's answer lacks the ETag of what was written")
        return answer["e_tag"]

    def _put_by_boto(
        self, key: str, body: bytes, content_type: str, expect: str | None, about: Mapping[str, str]
    ) -> str:
        more: dict[str, Any] = dict(self._encryption)
        if expect is not None:
            more |= {"IfMatch": f'"{expect}"'} if expect else {"IfNoneMatch": "*"}
        answer = self._clients().boto.put_object(
            Bucket=self._bucket, Key=key, Body=body, ContentType=content_type, Metadata=dict(about), **more
        )
        return str(answer["ETag"])

    def _by_obstore(self, ask: Callable[[], R]) -> R:
        credentials = self._clients().credentials
        try:
            return ask()
        except UnauthenticatedError:
            if credentials is None:
                raise
        # obstore can't tell what is wrong with the credentials. Out here, as its error may hold some.
        credentials.get_frozen_credentials()
        return ask()

    def _boto(self, operation: str, key: str, **more: Any) -> Any:
        function = getattr(self._clients().boto, operation)
        return self._try(key, function, Bucket=self._bucket, Key=key, **more)

    def _try(self, key: str, function: Callable[..., R], *args: Any, conditional: bool = False, **more: Any) -> R:
        return tried(self._attempts, lambda: self._faults.call(key, function, *args, **more), conditional=conditional)

    def _must_exist(self, key: str) -> None:
        if not _is_legal(key):
            raise ObjectNotFoundError(f"{key!r} can't name an object in S3")


def _is_legal(key: str) -> bool:
    try:
        return bool(key.encode())
    except UnicodeEncodeError:
        return False
