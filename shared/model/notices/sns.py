"""Messages of Amazon's SNS: what is signed of them, and whose certificates count."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from shared.model.notices import AMAZON, MalformedError, text

NOTIFICATION, CONFIRM, UNSUBSCRIBED = "Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"
_SIGNED = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRM: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    UNSUBSCRIBED: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HOST = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
MAX_URL = 4096


def is_envelope(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether it looks like a message of SNS."""
    return isinstance(value, dict) and "TopicArn" in value and "Type" in value


def signed_text(message: Mapping[str, Any]) -> bytes:
    """What the signature is of: names and values, a line each. Raises `MalformedError`."""
    names = _SIGNED.get(text(message.get("Type")))
    if names is None:
        raise MalformedError("Type is none of SNS")
    lines: list[str] = []
    for name in names:
        if name == "Subject" and message.get(name) is None:
            continue
        if not isinstance(message.get(name), str):
            raise MalformedError(f"{name} is missing")
        lines += [name, message[name]]
    return "".join(f"{line}\n" for line in lines).encode()


def sent_at(message: Mapping[str, Any]) -> float:
    """When SNS says it was sent, in seconds. Raises `MalformedError`."""
    try:
        moment = datetime.fromisoformat(text(message.get("Timestamp")))
    except ValueError:
        raise MalformedError("Timestamp is no time") from None
    if moment.tzinfo is None:
        raise MalformedError("Timestamp has no time zone")
    return moment.timestamp()


def host_of(url: Any, more: frozenset[str]) -> str:
    """Whose a URL is: `AMAZON`, the host if it is one of `more` (with its port), "" for everybody else's.

    Amazon's is exactly https://sns.<region>.amazonaws.com: no user, no port, nothing before or behind.
    """
    if not isinstance(url, str) or len(url) > MAX_URL or not url.isascii() or not url.isprintable():
        return ""
    if set(url) & set("\\ @#[]"):
        return ""
    parts = urlsplit(url)
    if parts.scheme in {"http", "https"} and parts.netloc in more:
        return parts.netloc
    return AMAZON if parts.scheme == "https" and _HOST.fullmatch(parts.netloc) else ""


def certificate_host(url: Any, more: frozenset[str]) -> str:
    """The same of a certificate's address, which must be that of a file."""
    host = host_of(url, more)
    return host if host and urlsplit(url).path.endswith(".pem") and not urlsplit(url).query else ""
