"""Who asks Google Cloud Storage, and how: google-auth knows the identity, requests are plain HTTP."""

import json
import time
from contextlib import suppress
from threading import Lock
from typing import Any
from urllib.parse import quote, urlencode

import google.auth
import google.auth.transport.urllib3
import urllib3
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.oauth2 import service_account

from shared.adapters.objects.gcs_errors import NOT_A_KEY, NOT_JSON, answered, lacks_payer, unidentified
from shared.adapters.objects.gcs_identity import CLOUD_PLATFORM, GcsIdentity
from shared.adapters.objects.gcs_signing import KeySigner, RemoteSigner, Signer, Wanted, bare_url, sign
from shared.adapters.objects.http import Answer, Http, pool_manager
from shared.adapters.objects.redact import redact
from shared.errors import CredentialsError, StoreError
from shared.ports import SignedMethod, SignedUrl

URL = "https://storage.googleapis.com"
SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)


class _Tokens:
    """Sends google-auth's own requests, and knows the last answer's status."""

    def __init__(self, manager: urllib3.PoolManager) -> None:
        self._request = google.auth.transport.urllib3.Request(manager)
        self.status = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        answer = self._request(*args, **kwargs)
        self.status = answer.status
        return answer


class GcsClient:
    """Sends requests for one bucket, as the service account of `credentials_json`, as `identity` or as whom ADC finds.

    With an `endpoint` and neither, nobody is named: an emulator is there, which has no users.
    """

    def __init__(
        self,
        bucket: str,
        *,
        credentials_json: str | None,
        identity: GcsIdentity | None,
        project: str | None,
        endpoint: str | None,
        iam_url: str,
        connect_timeout: float,
        read_timeout: float,
        attempts: int,
    ) -> None:
        self._bucket, self._project = bucket, project
        self._payer, self._payer_known = "", not project
        self._known = [credentials_json] if credentials_json else []
        self._lock = Lock()
        self._identity = identity
        if identity:
            self._credentials = identity.credentials(SCOPES)
        elif credentials_json:
            self._credentials = self._of_key(credentials_json)
        elif endpoint:
            self._credentials = AnonymousCredentials()
        else:
            self._credentials = self._default()
        timeouts: dict[str, Any] = {"connect_timeout": connect_timeout, "read_timeout": read_timeout}
        self._tokens = pool_manager("https://oauth2.googleapis.com", **timeouts)
        self._url, self._iam_url = endpoint or URL, iam_url
        self._patience: dict[str, Any] = {**timeouts, "attempts": attempts}
        self._http = Http(self._url, place="Google Cloud Storage", secrets=self.secrets, **self._patience)
        self._signing = Lock()
        self._signers: list[Signer | None] = []
        self._path = f"/b/{quote(bucket, safe='')}/o"

    def secrets(self) -> list[str]:
        """What must be in no text."""
        token = getattr(self._credentials, "token", None) if hasattr(self, "_credentials") else None
        return [*self._known, token] if token else self._known

    def signed(self, key: str, *, seconds: float, method: SignedMethod, content_type: str) -> SignedUrl | None:
        """A URL for an object; None if we are nobody who can sign. Raises `StoreError`."""
        query = {"response-content-type": content_type} if content_type else {}
        if not self._payer_known:
            with suppress(StoreError):  # who may not list, or has no network, can sign all the same
                self.ask("GET", maxResults=1, fields="nextPageToken")  # tells whether the bucket wants a payer named
                self._payer_known = True
        if self._payer:
            query["userProject"] = self._payer
        wanted = Wanted(method, self._bucket, key, seconds, query)
        if isinstance(self._credentials, AnonymousCredentials):
            return SignedUrl(bare_url(self._url, wanted), time.time() + seconds)
        with self._signing:
            if not self._signers:
                self._signers.append(self._signer())
        signer = self._signers[0]
        return sign(signer, self._url, wanted) if signer else None

    def _signer(self) -> Signer | None:
        """Who signs; None for people and for pools without a service account."""
        if isinstance(self._credentials, service_account.Credentials):
            return KeySigner(self._credentials)
        credentials, account = self._identity.signing() if self._identity else (self._default((CLOUD_PLATFORM,)), "")
        if not account and not getattr(credentials, "service_account_email", None):
            return None
        return RemoteSigner(
            credentials,
            lambda held: self._authorized(held, {}),
            account=account,
            iam_url=self._iam_url,
            secrets=lambda: [*self.secrets(), *filter(None, [getattr(credentials, "token", None)])],
            **self._patience,
        )

    def ask(
        self,
        method: str,
        key: str = "",
        *,
        api: str = "/storage/v1",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        conditional: bool = False,
        **query: Any,
    ) -> Answer:
        """Asks for an object, or for the bucket's objects if there is no key. Raises `StoreError`."""
        path = api + self._path + (f"/{quote(key, safe='')}" if key else "")
        subject = key or str(query.get("name", ""))
        if self._payer:
            query["userProject"] = self._payer
        answer: Answer | None = None

        def explain(found: Answer) -> StoreError | None:
            nonlocal answer
            answer = found
            return answered(found, self._bucket, subject, self.secrets())

        try:
            return self._http.ask(
                method,
                f"{path}?{urlencode(query, quote_via=quote, safe='')}",
                headers=lambda: self._headers(headers),
                explain=explain,
                body=body,
                conditional=conditional,
            )
        except StoreError:
            if not (answer and lacks_payer(answer) and self._project and not self._payer):
                raise
        # Only then, since naming a project needs a permission on it that others don't.
        self._payer = self._project
        return self.ask(method, key, api=api, headers=headers, body=body, conditional=conditional, **query)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()
        self._tokens.clear()
        for signer in self._signers:
            if isinstance(signer, RemoteSigner):
                signer.close()

    def _headers(self, more: dict[str, str] | None) -> dict[str, str]:
        # Objects come as they are stored: unpacked on the way, neither sizes nor ranges would mean anything.
        return self._authorized(self._credentials, {"accept-encoding": "gzip", **(more or {})})

    def _authorized(self, credentials: Any, headers: dict[str, str]) -> dict[str, str]:
        """The headers, with a token in them. Raises `StoreError`."""
        tokens = _Tokens(self._tokens)
        try:
            with self._lock:
                credentials.before_request(tokens, "GET", URL, headers)
        except (GoogleAuthError, OSError, ValueError) as caught:
            refusal = self._identity.refusal(caught) if self._identity else ""
            error = unidentified(caught, self._bucket, self.secrets(), status=tokens.status, refusal=refusal)
        else:
            return headers
        raise error

    def _of_key(self, text: str) -> Any:
        key, problem = None, ""
        try:
            key = json.loads(text)
        except (ValueError, RecursionError) as caught:
            problem = NOT_JSON.format(reason=caught if isinstance(caught, json.JSONDecodeError) else "")
        if problem:
            raise CredentialsError(problem)  # out here, because the exception has the whole text with it
        # Other types of credentials name files and programs of this machine, and may come from anyone here.
        if not isinstance(key, dict) or key.get("type") != "service_account":
            raise CredentialsError(NOT_A_KEY, detail='its "type" is not "service_account"')
        # Line by line too: however its line ends are written in a text, the lines are the same.
        private = str(key.get("private_key") or "")
        self._known += [private, str(key.get("private_key_id") or ""), *private.splitlines()[1:-1]]
        try:
            return service_account.Credentials.from_service_account_info(key, scopes=SCOPES)
        except (GoogleAuthError, ValueError, TypeError) as caught:
            detail = redact(str(caught), self._known)
        raise CredentialsError(NOT_A_KEY, detail=detail)

    def _default(self, scopes: tuple[str, ...] = SCOPES) -> Any:
        try:
            return google.auth.default(scopes=scopes)[0]
        except (GoogleAuthError, OSError, ValueError) as caught:
            error = unidentified(caught, self._bucket, [])
        raise error
