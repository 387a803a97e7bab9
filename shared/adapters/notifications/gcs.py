"""Notification configs of Cloud Storage: over its JSON API, as whom google-auth finds."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import google.auth
import google.auth.transport.urllib3
import orjson
import urllib3
from google.auth.exceptions import GoogleAuthError

from shared.errors import StoreError

URL = "https://storage.googleapis.com"
SCOPES = ("https://www.googleapis.com/auth/devstorage.full_control",)
EVENTS = ("OBJECT_FINALIZE", "OBJECT_DELETE", "OBJECT_ARCHIVE")
"""What is news to a sync; new metadata leave an object's generation as it is."""
TIMEOUT = urllib3.Timeout(connect=5.0, read=30.0)


def ensure(bucket: str, topic: str, prefix: str, *, endpoint: str = "") -> bool:
    """Makes the bucket publish to `projects/<p>/topics/<t>`; False if it does already, True if that is new.

    `endpoint`: an emulator, which is asked without credentials. Others' configs are left alone. Raises `StoreError`.
    """
    full = f"//pubsub.googleapis.com/{topic}"
    with urllib3.PoolManager() as pool:
        headers = {} if endpoint else _identity(pool)
        url = f"{endpoint or URL}/storage/v1/b/{quote(bucket, safe='')}/notificationConfigs"
        if covers(_ask(pool, "GET", url, headers).get("items", []), full, prefix):
            return False
        config = {"topic": full, "event_types": EVENTS, "payload_format": "NONE"}
        _ask(pool, "POST", url, headers, config | ({"object_name_prefix": prefix} if prefix else {}))
        return True


def covers(configs: Iterable[Mapping[str, Any]], topic: str, prefix: str) -> bool:
    """Whether one of the configs tells the topic all that is news below the prefix."""
    return any(
        config.get("topic") == topic
        and prefix.startswith(config.get("object_name_prefix") or "")
        and set(EVENTS) <= set(config.get("event_types") or EVENTS)
        for config in configs
    )


def _identity(pool: urllib3.PoolManager) -> dict[str, str]:
    headers: dict[str, str] = {}
    try:
        credentials, _ = google.auth.default(scopes=SCOPES)
        credentials.before_request(google.auth.transport.urllib3.Request(pool), "GET", URL, headers)
    except (GoogleAuthError, OSError, ValueError) as error:
        raise StoreError(f"Google does not know who asks: {error}") from None
    return headers


def _ask(
    pool: urllib3.PoolManager, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    sent = orjson.dumps(body) if body is not None else None
    try:
        answer = pool.request(
            method, url, body=sent, headers={**headers, "content-type": "application/json"}, timeout=TIMEOUT
        )
        found = orjson.loads(answer.data or b"{}")
    except (urllib3.exceptions.HTTPError, orjson.JSONDecodeError) as error:
        raise StoreError(f"Google Cloud Storage does not answer: {type(error).__name__}") from None
    if answer.status != HTTPStatus.OK:
        told = found.get("error") if isinstance(found, dict) else None
        reason = told.get("message") if isinstance(told, dict) else None
        raise StoreError(f"Google Cloud Storage refuses it: {reason or f'HTTP {answer.status}'}")
    return found if isinstance(found, dict) else {}
