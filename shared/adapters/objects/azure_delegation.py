"""Keys that Azure lends an application to sign URLs with, since it has no account key: valid for a week at most."""

import base64
import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from typing import NamedTuple
from urllib.parse import quote, urlencode

from lxml import etree

from shared.adapters.objects.azure_errors import API_VERSION
from shared.adapters.objects.http import Answer, Http
from shared.adapters.objects.redact import redact
from shared.errors import AccessDeniedError, StoreError, StoreUnavailableError

LONGEST = 7 * 86_400.0
USUAL = 86_400.0
SLACK = 300.0
"""Seconds that a key is good before it is made, and of which it lacks some at its end: clocks differ."""
NOT_ALLOWED = (
    "Azure lends this application no key to sign URLs with: give it the role Storage Blob Delegator on the account"
)
PARTS = {
    "skoid": "SignedOid",
    "sktid": "SignedTid",
    "skt": "SignedStart",
    "ske": "SignedExpiry",
    "sks": "SignedService",
    "skv": "SignedVersion",
}
"""What a URL says of the key that signed it, and what it is called where the key is lent."""
SAS_VERSION = "2020-12-06"
"""The format of signatures. Azure's SDK makes the newest one alone, with lines that no server but Azure's knows yet."""


class DelegationKey(NamedTuple):
    """A key that was lent."""

    parts: dict[str, str]
    value: str

    def signature(self, account: str, container: str, key: str, until: float, content_type: str) -> str:
        """A query with which one blob can be read until then."""
        end = _moment(until)
        # Permissions, start, end, blob, the key; three agents' ids; address, protocol; version, what it is; snapshot,
        # encryption scope; and the headers of the answer, of which the last is its type.
        lines = [*("r", "", end, f"/blob/{account}/{container}/{key}"), *self.parts.values(), *("", "", "")]
        lines += ["", "", SAS_VERSION, "b", "", "", "", "", "", "", content_type]
        digest = hmac.digest(base64.b64decode(self.value), "\n".join(lines).encode(), "sha256")
        said = {"sp": "r", "se": end, "sv": SAS_VERSION, "sr": "b", **self.parts}
        said |= {"rsct": content_type} if content_type else {}
        return urlencode({**said, "sig": base64.b64encode(digest).decode()}, quote_via=quote, safe="")


class DelegationKeys:
    """Asks for a key when there is none that lasts long enough. Safe for many threads."""

    def __init__(
        self, http: Http, authorization: Callable[[], dict[str, str]], secrets: Callable[[], list[str]]
    ) -> None:
        self._http, self._authorization, self._secrets = http, authorization, secrets
        self._key: DelegationKey | None = None
        self._end = 0.0
        self._lock = Lock()

    def secrets(self) -> list[str]:
        """What must be in no text."""
        return [self._key.value] if self._key else []

    def good_for(self, seconds: float) -> tuple[DelegationKey, float]:
        """A key, and until when it signs: so many seconds from now, or as long as can be. Raises `StoreError`."""
        with self._lock:
            now = time.time()
            if self._key is None or self._end < now + min(seconds, LONGEST - 2 * SLACK):
                end = now + min(max(USUAL, 2 * seconds), LONGEST - SLACK)
                self._key, self._end = self._ask(now - SLACK, end), end
            return self._key, self._end

    def _ask(self, start: float, end: float) -> DelegationKey:
        answer = self._http.ask(
            "POST",
            "/?restype=service&comp=userdelegationkey",
            headers=lambda: {
                **self._authorization(),
                "x-ms-version": API_VERSION,
                "content-type": "application/xml",
            },
            explain=self._explain,
            body=f"<KeyInfo><Start>{_moment(start)}</Start><Expiry>{_moment(end)}</Expiry></KeyInfo>".encode(),
        )
        told = {str(element.tag): element.text or "" for element in etree.fromstring(answer.body, _parser())}
        try:
            return DelegationKey({name: told[it] for name, it in PARTS.items()}, told["Value"])
        except KeyError as caught:
            raise StoreError("The store's answer is not a key that Azure lends", detail=f"lacks {caught}") from None

    def _explain(self, answer: Answer) -> StoreError | None:
        if answer.status == 200 and _is_xml(answer.body):
            return None
        detail = redact(answer.headers.get("x-ms-error-code", "") or str(answer.status), self._secrets())
        if answer.status in {408, 429} or answer.status >= 500:
            return StoreUnavailableError("Azure lends no key to sign URLs with just now", detail=detail)
        return AccessDeniedError(NOT_ALLOWED, detail=detail)


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _is_xml(body: bytes) -> bool:
    try:
        etree.fromstring(body, _parser())
    except etree.XMLSyntaxError:
        return False
    return True


def _parser() -> "etree.XMLParser":
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
