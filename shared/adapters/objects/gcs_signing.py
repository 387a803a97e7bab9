"""Signed URLs of Google Cloud Storage (V4), by a key or by IAM's signBlob."""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlencode, urlsplit

import orjson

from shared.adapters.objects.http import Answer, Http
from shared.adapters.objects.redact import redact
from shared.errors import AccessDeniedError, StoreError, StoreUnavailableError
from shared.ports import SignedMethod, SignedUrl

ALGORITHM = "GOOG4-RSA-SHA256"
NOT_ALLOWED = (
    "Google does not let this server sign URLs as {account}: grant the role Service Account Token Creator on that "
    "account to whoever asks (mostly the account itself)"
)


class Signer(Protocol):
    """A service account that signs."""

    def account(self) -> str:
        """Its address. Raises `StoreError`."""

    def sign(self, text: bytes) -> bytes:
        """An RSA signature over SHA-256. Raises `StoreError`."""


class KeySigner(NamedTuple):
    """Signs by itself, with a service account's key (google-auth's credentials)."""

    credentials: Any

    def account(self) -> str:
        """The key's."""
        return str(self.credentials.service_account_email)

    def sign(self, text: bytes) -> bytes:
        """Takes a fifth of a millisecond, all of it RSA."""
        return bytes(self.credentials.sign_bytes(text))


class RemoteSigner:
    """Asks IAM to sign as `account`, or as the service account that the credentials are; a request per signature.

    `headers` authenticates a request, and `credentials` are what it does that with.
    """

    def __init__(
        self,
        credentials: Any,
        headers: Callable[[Any], Mapping[str, str]],
        *,
        account: str,
        iam_url: str,
        secrets: Callable[[], list[str]],
        **patience: Any,
    ) -> None:
        self._credentials, self._headers, self._account, self._secrets = credentials, headers, account, secrets
        self._http = Http(iam_url, place="Google's IAM", secrets=secrets, **patience)

    def account(self) -> str:
        """The machine's own is known once it was asked for a token."""
        if not self._account:
            self._headers(self._credentials)
            self._account = str(self._credentials.service_account_email)
        return self._account

    def sign(self, text: bytes) -> bytes:
        """Asks for it, again if need be."""
        answer = self._http.ask(
            "POST",
            f"/v1/projects/-/serviceAccounts/{quote(self.account(), safe='@')}:signBlob",
            headers=lambda: {**self._headers(self._credentials), "content-type": "application/json"},
            explain=self._explain,
            body=orjson.dumps({"payload": base64.b64encode(text).decode()}),
        )
        return base64.b64decode(json.loads(answer.body)["signedBlob"])

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _explain(self, answer: Answer) -> StoreError | None:
        if answer.status == 200 and b'"signedBlob"' in answer.body:
            return None
        detail = redact(answer.body[:1000].decode("utf-8", "replace"), self._secrets())
        if answer.status in {408, 429} or answer.status >= 500:
            return StoreUnavailableError("Google's IAM signs nothing just now", detail=detail)
        return AccessDeniedError(NOT_ALLOWED.format(account=self._account), detail=detail)


class Wanted(NamedTuple):
    """What a URL is for. `query`: what it says besides the signature."""

    method: SignedMethod
    bucket: str
    key: str
    seconds: float
    query: Mapping[str, str]


def bare_url(url: str, wanted: Wanted) -> str:
    """The address of an object that needs no signature."""
    parts = urlsplit(url)
    query = f"?{_encoded(wanted.query)}" if wanted.query else ""
    return f"{parts.scheme}://{parts.netloc}{_path(parts.path, wanted)}{query}"


def sign(signer: Signer, url: str, wanted: Wanted) -> SignedUrl:
    """The URL of an object at a server, signed. Raises `StoreError`."""
    parts, now = urlsplit(url), int(time.time())
    stamp = f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}"
    scope = f"{stamp[:8]}/auto/storage/goog4_request"
    query = _encoded(
        {
            **wanted.query,
            "X-Goog-Algorithm": ALGORITHM,
            "X-Goog-Credential": f"{signer.account()}/{scope}",
            "X-Goog-Date": stamp,
            "X-Goog-Expires": str(int(wanted.seconds)),
            "X-Goog-SignedHeaders": "host",
        }
    )
    path = _path(parts.path, wanted)
    canonical = f"{wanted.method}\n{path}\n{query}\nhost:{parts.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signature = signer.sign(f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}".encode()).hex()
    address = f"{parts.scheme}://{parts.netloc}{path}?{query}&X-Goog-Signature={signature}"
    return SignedUrl(address, now + int(wanted.seconds))


def _path(prefix: str, wanted: Wanted) -> str:
    return f"{prefix.rstrip('/')}/{quote(wanted.bucket, safe='')}/{quote(wanted.key, safe='/~')}"


def _encoded(query: Mapping[str, str]) -> str:
    return urlencode(sorted(query.items()), quote_via=quote, safe="~")
