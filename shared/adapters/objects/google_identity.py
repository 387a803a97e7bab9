"""ID tokens, by which this process proves to other clouds which service account of Google's it is."""

import base64
import time
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson

from shared.adapters.objects.http import Answer, Http
from shared.adapters.objects.redact import redact
from shared.errors import CredentialsError, StoreError, StoreUnavailableError, StoreUnreachableError

PATH = "/computeMetadata/v1/instance/service-accounts/default/identity"
FLAVOR = "metadata-flavor"
"""A header without which nothing is answered, and which no other server sends."""
EARLY = 300.0
"""Seconds before its end at which a token is replaced."""
CONNECT_TIMEOUT, READ_TIMEOUT = 3.0, 10.0
"""The metadata server is on the same machine, or nowhere."""
ATTEMPTS = 1
"""Each time that a token is asked for; who opens a bucket tries that again."""
NOWHERE = (
    "{wanted_by} needs a Google service account for this server to be, but nothing answers at {host}: it runs nowhere "
    "on Google Cloud"
)
NOT_GIVEN = (
    "{wanted_by} needs an ID token of this server's Google service account for audience {audience}, which the "
    "metadata server at {host} does not give: the server must run as a service account"
)


class IdentityToken:
    """The token for one audience, kept until shortly before it ends. Safe for many threads.

    `wanted_by` is the setting that needs it, as errors name it.
    """

    def __init__(self, host: str, audience: str, *, wanted_by: str) -> None:
        self.audience = audience
        self.subject = ""
        """The account's unique id: known once there was a token."""
        self._named = {"host": host, "audience": repr(audience), "wanted_by": wanted_by}
        self._text, self._good_until, self._replace_at = "", 0.0, 0.0
        self._lock = Lock()
        self._http = Http(
            f"http://{host}",
            place=f"Google's metadata server at {host}",
            secrets=lambda: [self._text] if self._text else [],
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            attempts=ATTEMPTS,
            direct=True,  # a proxy elsewhere would be told the token
        )

    def text(self) -> str:
        """The token, good for some minutes mostly. Raises `StoreError`."""
        with self._lock:
            now = time.time()
            if now >= self._replace_at:
                try:
                    self._fetch(now)
                except StoreUnavailableError:
                    if now >= self._good_until:
                        raise
            return self._text

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _fetch(self, now: float) -> None:
        detail = ""
        try:
            answer = self._http.ask(
                "GET",
                f"{PATH}?{urlencode({'audience': self.audience, 'format': 'full'})}",
                headers=lambda: {FLAVOR: "Google"},
                explain=self._explain,
            )
        except StoreUnreachableError as caught:
            detail = caught.detail
        else:
            self._text = answer.body.decode().strip()
            claims = _claims(answer.body)
            self.subject, self._good_until = claims["sub"], claims["exp"]
            life = self._good_until - now
            self._replace_at = now + max(life - EARLY, life / 2)
            return
        raise StoreUnreachableError(NOWHERE.format(**self._named), detail=detail)

    def _explain(self, answer: Answer) -> StoreError | None:
        if answer.status == 200 and answer.headers.get(FLAVOR) == "Google" and _claims(answer.body):
            return None
        said = "no ID token" if answer.status == 200 else answer.body[:1000].decode("utf-8", "replace")
        detail = redact(f"{answer.status}: {said}", [self._text])
        if answer.status in {408, 429} or answer.status >= 500:
            return StoreUnavailableError("Google's metadata server gives no ID token just now", detail=detail)
        return CredentialsError(NOT_GIVEN.format(**self._named), detail=detail)


class WebIdentity(NamedTuple):
    """A role of AWS's that is had for a token."""

    role_arn: str
    token: IdentityToken


def _claims(token: bytes) -> dict[str, Any]:
    """Who it is (`sub`) and until when (`exp`), unverified, as it comes from this machine; {} if it is no token."""
    try:
        _, payload, _ = token.split(b".")
        told = orjson.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
        return {"sub": str(told["sub"]), "exp": float(told["exp"])}
    except (ValueError, TypeError, KeyError):
        return {}
