"""Who sends a message of SNS: its signature is verified with the certificate that it names, if that is Amazon's."""

import base64
import binascii
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from functions.callers import CallerRefusedError, KeysUnavailableError
from shared.model.notices import sns, text
from shared.settings import Settings

KEEP = 86_400.0
"""Seconds for which a certificate is kept; SNS takes another under another name."""
MAX_CERTIFICATES = 8
MAX_FETCHES, PER_SECONDS = 10, 60.0
"""How often certificates are fetched at most: their names come from whoever calls."""
MAX_BYTES = 64 * 1024
TIMEOUT = 4.0

Fetch = Callable[[str], bytes]


class Certificates:
    """Public keys of SNS, by address. Safe to use from many threads."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._clock = fetch, clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._fetches: deque[float] = deque(maxlen=MAX_FETCHES)

    def key(self, url: str) -> Any:
        """The key of the certificate at a trusted address. Raises `KeysUnavailableError`."""
        now = self._clock()
        with self._lock:
            if url in self._known and now - self._known[url][0] < KEEP:
                return self._known[url][1]
            if len(self._fetches) == MAX_FETCHES and now - self._fetches[0] < PER_SECONDS:
                raise KeysUnavailableError("too many others were fetched just now")
            self._fetches.append(now)
        key = _public_key(self._fetch(url))  # whose key is known need not wait for this
        with self._lock:
            self._known[url] = (now, key)
            while len(self._known) > MAX_CERTIFICATES:
                self._known.popitem(last=False)
        return key


def admit(settings: Settings, message: Mapping[str, Any], certificates: Certificates, now: float) -> str:
    """Raises unless SNS sent the message, lately, for a topic of ours; whose certificate proved it.

    Raises `CallerRefusedError`, and `MalformedError` for what can't be a message of SNS.
    """
    topics, hosts = _listed(settings.sns_topics), _listed(settings.sns_hosts)
    signed, sent = sns.signed_text(message), sns.sent_at(message)
    if message["TopicArn"] not in topics:
        text = "it is of no topic in SLUICE_SNS_TOPICS" if topics else "no topic may notify: set SLUICE_SNS_TOPICS"
        raise CallerRefusedError(HTTPStatus.FORBIDDEN, text)
    if abs(now - sent) > settings.sns_max_age:
        raise CallerRefusedError(HTTPStatus.FORBIDDEN, "its time is too far from now")
    address = message.get("SigningCertURL")
    host = sns.certificate_host(address, hosts)
    if not host:
        raise CallerRefusedError(HTTPStatus.FORBIDDEN, "its certificate is not where SNS has them")
    try:
        key = certificates.key(str(address))
    except KeysUnavailableError as error:
        reason = f"the certificate can't be had: {error}"
        raise CallerRefusedError(HTTPStatus.SERVICE_UNAVAILABLE, reason) from error
    if not _is_signed(message, signed, key):
        raise CallerRefusedError(HTTPStatus.FORBIDDEN, "its signature is not good")
    return host


def confirm(settings: Settings, message: Mapping[str, Any], fetch: Fetch) -> None:
    """Tells SNS, where only SNS can be, that the subscription is wanted. Raises `CallerRefusedError`."""
    address = message["SubscribeURL"]
    if not sns.host_of(address, _listed(settings.sns_hosts)):
        raise CallerRefusedError(HTTPStatus.FORBIDDEN, "its SubscribeURL is not one of SNS")
    try:
        fetch(address)
    except KeysUnavailableError as error:
        reason = f"the subscription can't be confirmed: {error}"
        raise CallerRefusedError(HTTPStatus.SERVICE_UNAVAILABLE, reason) from error


def fetch(url: str) -> bytes:
    """What lies at a trusted address; no redirect is followed. Raises `KeysUnavailableError`."""
    import urllib3

    try:
        with (
            urllib3.PoolManager() as pool,
            pool.request("GET", url, timeout=TIMEOUT, retries=False, redirect=False, preload_content=False) as answer,
        ):
            found: bytes = answer.read(MAX_BYTES + 1)
            status = answer.status
    except urllib3.exceptions.HTTPError as error:
        raise KeysUnavailableError(type(error).__name__) from error
    if status != HTTPStatus.OK or len(found) > MAX_BYTES:
        raise KeysUnavailableError(f"HTTP {status}, {len(found)} bytes")
    return found


def _public_key(pem: bytes) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise KeysUnavailableError("it is no certificate") from None
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        raise KeysUnavailableError("it is not valid now")
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise KeysUnavailableError("it holds no RSA key")
    return key


def _is_signed(message: Mapping[str, Any], signed: bytes, key: Any) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    # SHA-1 is what topics sign with unless they are told otherwise.
    version = {"1": hashes.SHA1, "2": hashes.SHA256}.get(text(message.get("SignatureVersion")))
    if version is None:
        return False
    try:
        signature = base64.b64decode(text(message.get("Signature")), validate=True)
        key.verify(signature, signed, padding.PKCS1v15(), version())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _listed(setting: str) -> frozenset[str]:
    return frozenset(name.strip() for name in setting.split(",") if name.strip())
