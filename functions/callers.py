"""Who calls a function that is not for users: queue, timer and Pub/Sub prove it by a token that Google signed.

A token counts if the signature, the life, the issuer and the audience hold and its account is one of ours.
"""

import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from functions.runtime import context
from shared.log import logger
from shared.settings import Settings

ISSUERS = ["https://accounts.google.com", "accounts.google.com"]
LEEWAY = 30.0
"""Seconds by which two clocks may differ."""
BUCKET_EVENT = "bucket_event"
KEEP_KEYS = 3600.0
FETCH_PAUSE = 30.0
"""Between two looks for a key that is not there: anybody can name one."""
SIGNATURE_REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
_CLAIMS = ("exp", "iat", "aud", "iss")

Fetch = Callable[[str], bytes]


async def refusal(request: Request, function: str) -> Response | None:
    """What a caller that may not call the function is answered; None for one that may."""
    authorization = request.headers.get("authorization", "")
    status = await run_in_threadpool(lambda: check(context().settings, function, authorization))
    return Response(status_code=status) if status else None


def check(settings: Settings, function: str, authorization: str) -> int:
    """0, or the status to refuse the caller with; logs why. Of the token itself nothing is logged."""
    if settings.trust_callers:
        return 0
    try:
        _callers(settings, function).admit(authorization)
    except CallerRefusedError as error:
        logger.warning(
            "caller refused", action="caller.refused", function=function, status=error.status, reason=str(error)
        )
        return error.status
    return 0


class CallerRefusedError(Exception):
    """Why a caller is refused, and the HTTP status for it."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        self.status = int(status)
        super().__init__(reason)


class KeysUnavailableError(Exception):
    """The keys that verify tokens can't be had."""


class Keys:
    """Google's public keys, fetched when they are needed and kept for a while. Safe to use from many threads."""

    def __init__(self, url: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._fetch, self._clock = url, fetch, clock
        self._lock = threading.Lock()
        self._keys: dict[str, Any] = {}
        self._fetched = self._tried = float("-inf")

    def get(self, kid: str) -> Any:
        """The key of that id, None if there is none. Raises `KeysUnavailableError`."""
        with self._lock:
            now = self._clock()
            old = now - self._fetched > KEEP_KEYS
            if (old or kid not in self._keys) and now - self._tried > FETCH_PAUSE:
                self._tried = now
                self._refresh(now)
            if not self._keys:
                raise KeysUnavailableError("they were not to be had a moment ago")
            return self._keys.get(kid)

    def _refresh(self, now: float) -> None:
        import jwt

        try:
            found = jwt.PyJWKSet.from_dict(orjson.loads(self._fetch(self._url)))
        except Exception as error:  # whatever it is, keys that are known stay good
            logger.error("no keys", action="caller.keys", url=self._url, reason=str(error))
            if not self._keys:
                raise KeysUnavailableError(type(error).__name__) from error
            return
        self._keys = {key.key_id: key for key in found.keys if key.key_id}
        self._fetched = now


class Callers:
    """Those who may call one function."""

    def __init__(self, audience: str, accounts: frozenset[str], keys: Keys, *, platform_checks: bool = False) -> None:
        self._audience, self._accounts, self._keys = audience, accounts, keys
        self._platform_checks = platform_checks

    def admit(self, authorization: str) -> None:
        """Raises `CallerRefusedError` for everybody else."""
        if not (self._audience and self._accounts):
            text = "nobody may call: set the function's URL (the audience) and the accounts that may"
            raise CallerRefusedError(HTTPStatus.FORBIDDEN, text)
        kind, _, token = authorization.strip().partition(" ")
        if kind.lower() != "bearer" or not token:
            raise CallerRefusedError(HTTPStatus.UNAUTHORIZED, "no bearer token")
        claims = self._claims(token.strip())
        email = str(claims.get("email"))
        if claims.get("email_verified") is not True or email not in self._accounts:
            raise CallerRefusedError(HTTPStatus.FORBIDDEN, f"the account {email[:200]!r} may not call")

    def _claims(self, token: str) -> Mapping[str, Any]:
        signed = not (self._platform_checks and token.endswith(f".{SIGNATURE_REMOVED}"))
        return claims_of(token, self._keys if signed else None, audience=self._audience, issuers=ISSUERS)


def claims_of(token: str, keys: Keys | None, *, audience: str | list[str], issuers: list[str]) -> Mapping[str, Any]:
    """What a good token says. Without keys its signature is not looked at. Raises `CallerRefusedError`."""
    import jwt  # with what it needs, too much for functions that users call

    options: Any = {"require": list(_CLAIMS), "verify_signature": keys is not None}
    options |= dict.fromkeys(["verify_exp", "verify_iat", "verify_nbf", "verify_aud", "verify_iss"], True)
    try:
        kid = jwt.get_unverified_header(token).get("kid", "")
        key = "" if keys is None else keys.get(str(kid))
        if key is None:
            raise CallerRefusedError(HTTPStatus.UNAUTHORIZED, "the token's key is not one of the issuer's")
        found: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=audience,
            issuer=issuers,
            leeway=LEEWAY,
            options=options,
        )
    except jwt.PyJWTError as error:
        # The name alone: the texts quote what they could not read.
        reason = f"the token is not good: {type(error).__name__}"
        raise CallerRefusedError(HTTPStatus.UNAUTHORIZED, reason) from None
    except KeysUnavailableError as error:
        reason = f"the keys of the issuer can't be had: {error}"
        raise CallerRefusedError(HTTPStatus.SERVICE_UNAVAILABLE, reason) from error
    return found


@cache
def _callers(settings: Settings, function: str) -> Callers:
    # Pub/Sub pushes as an account of its own, which needs nothing else, and is nobody else's.
    named = settings.event_service_accounts if function == BUCKET_EVENT else settings.allowed_callers
    own = [] if function == BUCKET_EVENT else [settings.caller_service_account]
    accounts = frozenset(account.strip() for account in [*own, *named.split(",")] if account.strip())
    return Callers(
        settings.caller_audience or getattr(settings, f"{function}_url"),
        accounts,
        Keys(settings.caller_keys_url, get),
        platform_checks=settings.platform_checks_callers,
    )


def get(url: str) -> bytes:
    """What lies at a URL that the settings name."""
    import urllib3

    with urllib3.PoolManager() as pool:
        answer = pool.request("GET", url, timeout=5.0, retries=2)
        if answer.status != HTTPStatus.OK:
            raise KeysUnavailableError(f"HTTP {answer.status}")
        return answer.data
