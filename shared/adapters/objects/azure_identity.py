"""Access tokens of Microsoft Entra ID for Azure Storage, of an application that signs in by itself."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from urllib.parse import quote, urlencode

import orjson

from shared.adapters.objects.google_identity import IdentityToken
from shared.adapters.objects.http import Answer, Http
from shared.adapters.objects.redact import redact
from shared.errors import CredentialsError, StoreError, StoreUnavailableError

SCOPE = "https://storage.azure.com/.default"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EARLY = 300.0
"""Seconds before its end at which a token is replaced."""
REFUSED = "Microsoft does not let application {client} of tenant {tenant} sign in"
NO_FEDERATION = (
    ": it must have a federated credential with issuer https://accounts.google.com, subject {subject} (the unique id "
    "of this server's service account) and audience {audience}"
)


class Application:
    """Signs in with `client_secret`, else with `google_token`, else with the federated token in `token_file`.

    Safe for many threads.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        client_id: str,
        client_secret: str | None,
        token_file: str | None,
        google_token: IdentityToken | None,
        login_url: str,
        connect_timeout: float,
        read_timeout: float,
        attempts: int,
    ) -> None:
        self._tenant, self._client = tenant_id, client_id
        self._secret, self._file, self._google = client_secret, token_file, google_token
        self._known = [client_secret] if client_secret else []
        self._token, self._good_until, self._replace_at = "", 0.0, 0.0
        self._lock = Lock()
        self._http = Http(
            login_url,
            place="Microsoft Entra ID",
            secrets=self.secrets,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            attempts=attempts,
        )

    def secrets(self) -> list[str]:
        """What must be in no text."""
        return [*self._known, self._token] if self._token else self._known

    def token(self) -> str:
        """A token that is good for some minutes at least. Raises `StoreError`."""
        with self._lock:
            now = time.time()
            if now >= self._replace_at:
                try:
                    self._sign_in(now)
                except StoreUnavailableError:
                    if now >= self._good_until:
                        raise
            return self._token

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _sign_in(self, now: float) -> None:
        form = {"grant_type": "client_credentials", "client_id": self._client, "scope": SCOPE, **self._proof()}
        answer = self._http.ask(
            "POST",
            f"/{quote(self._tenant, safe='')}/oauth2/v2.0/token",
            headers=lambda: {"content-type": "application/x-www-form-urlencoded"},
            explain=self._explain,
            body=urlencode(form).encode(),
        )
        told = orjson.loads(answer.body)
        life = float(told["expires_in"])
        self._token, self._good_until = str(told["access_token"]), now + life
        self._replace_at = now + max(life - EARLY, life / 2)

    def _proof(self) -> dict[str, str]:
        if self._secret:
            return {"client_secret": self._secret}
        assertion = self._google.text() if self._google else self._read()
        self._known = [assertion]
        return {"client_assertion_type": ASSERTION, "client_assertion": assertion}

    def _read(self) -> str:
        path, problem = self._file or "", ""
        try:
            # Whoever puts it there replaces it, so it is read each time.
            return Path(path).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as caught:
            problem = type(caught).__name__
        raise CredentialsError(f"AZURE_FEDERATED_TOKEN_FILE of this server can't be read: {path}", detail=problem)

    def _explain(self, answer: Answer) -> StoreError | None:
        if answer.status == 200 and _has_token(answer.body):
            return None
        detail = redact(_told(answer.body) or str(answer.status), self.secrets())
        if answer.status in {408, 429} or answer.status >= 500:
            return StoreUnavailableError("Microsoft Entra ID gives no access token just now", detail=detail)
        text = REFUSED.format(client=self._client, tenant=self._tenant)
        if self._google and not self._secret:
            text += NO_FEDERATION.format(subject=self._google.subject, audience=self._google.audience)
        return CredentialsError(text, detail=detail)


def _has_token(body: bytes) -> bool:
    return bool(_field(body, lambda told: told["access_token"] and float(told["expires_in"]) > 0))


def _told(body: bytes) -> str:
    """Microsoft's code and sentence; below stand the request's ids and time."""
    sentence = _field(body, lambda told: told.get("error_description") or told.get("error"))
    return str(sentence or "").partition("Trace ID")[0].partition("\n")[0].strip()


def _field(body: bytes, take: Callable[..., object]) -> object:
    try:
        return take(orjson.loads(body))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None
