"""Who sends a notification that carries no signature of its own: a secret or a token of Entra ID proves it."""

import hmac
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus

from functions.callers import CallerRefusedError, Keys, claims_of, get
from shared.settings import Settings

SHORTEST_SECRET = 16
PARAMETER = "secret"
"""Of the URL's query, for senders that can set no header."""


def admit(settings: Settings, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Raises `CallerRefusedError` for everybody who proves nothing."""
    if not (secrets(settings) or settings.entra_audience):
        text = "nobody may notify: set SLUICE_NOTICE_SECRETS (16 characters or more) or SLUICE_ENTRA_AUDIENCE"
        raise CallerRefusedError(HTTPStatus.FORBIDDEN, text)
    given = headers.get(settings.notice_secret_header.lower(), "") or query.get(PARAMETER, "")
    if given:
        if not knows_secret(settings, given):
            raise CallerRefusedError(HTTPStatus.FORBIDDEN, "the secret is none of SLUICE_NOTICE_SECRETS")
        return
    kind, _, token = headers.get("authorization", "").strip().partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise CallerRefusedError(HTTPStatus.UNAUTHORIZED, "neither a secret nor a bearer token")
    _admit_token(settings, token.strip())


def knows_secret(settings: Settings, given: str) -> bool:
    """Whether it is one of ours; how long that takes tells nothing."""
    return sum(hmac.compare_digest(given.encode(), one.encode()) for one in secrets(settings)) > 0


def secrets(settings: Settings) -> list[str]:
    """The secrets that count."""
    found = [one.strip() for one in settings.notice_secrets.split(",")]
    return [one for one in found if len(one) >= SHORTEST_SECRET]


def _admit_token(settings: Settings, token: str) -> None:
    issuers = [one.strip() for one in settings.entra_issuers.split(",") if one.strip()]
    if not (settings.entra_audience and issuers):
        text = "no token counts: set SLUICE_ENTRA_AUDIENCE and SLUICE_ENTRA_ISSUERS"
        raise CallerRefusedError(HTTPStatus.FORBIDDEN, text)
    claims = claims_of(token, _keys(settings.entra_keys_url), audience=settings.entra_audience, issuers=issuers)
    application = str(claims.get("appid") or claims.get("azp") or "")
    if application not in {one.strip() for one in settings.entra_applications.split(",") if one.strip()}:
        raise CallerRefusedError(HTTPStatus.FORBIDDEN, f"the application {application[:100]!r} may not notify")


@cache
def _keys(url: str) -> Keys:
    return Keys(url, get)
