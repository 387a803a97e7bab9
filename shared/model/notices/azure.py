"""Notifications of Azure Blob Storage by Event Grid, in its own schema and as CloudEvents."""

import re
from collections.abc import Mapping
from typing import Any, TypeGuard
from urllib.parse import SplitResult, unquote, urlsplit

from shared.model.notices import MAX_BUCKET, MAX_KEY, MalformedError, Notice, fields_of, named, text

VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
BLOB_EVENTS = frozenset(f"Microsoft.Storage.{event}" for event in ("BlobCreated", "BlobDeleted", "BlobTierChanged"))
RENAMED = "Microsoft.Storage.BlobRenamed"
MAX_URL = 8192

_SUBJECT = re.compile(r"/blobServices/default/containers/([^/]+)/blobs/(.+)", re.DOTALL)
_ACCOUNT = re.compile(r"/storageAccounts/([^/]+)/?$", re.IGNORECASE)


def is_event(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether it looks like an event of Event Grid, in either schema."""
    return isinstance(value, dict) and ("eventType" in value or ("type" in value and "source" in value))


def kind_of(event: Mapping[str, Any]) -> str:
    """The type of an event in either schema."""
    return text(event.get("eventType")) or text(event.get("type"))


def notices(event: Any) -> list[Notice]:
    """What an event tells; a renamed blob is news at both of its names. Raises `MalformedError`."""
    event = fields_of(event, "the event")
    kind = named(kind_of(event), "eventType", MAX_KEY)
    if kind not in BLOB_EVENTS and kind != RENAMED:
        return []
    subject = _SUBJECT.fullmatch(named(event.get("subject"), "subject", MAX_KEY + MAX_BUCKET + 100))
    if subject is None:
        raise MalformedError("subject names no blob of a container")
    container, key = named(subject[1], "the container", MAX_BUCKET), named(subject[2], "the blob", MAX_KEY)
    data = fields_of(event.get("data") or {}, "data")
    urls = [text(data.get(name)) for name in ("url", "destinationUrl", "sourceUrl")]
    owner = _ACCOUNT.search(text(event.get("topic")) or text(event.get("source")))
    place, account = _place(next(filter(None, urls), ""), container)
    account = owner[1].lower() if owner else account
    keys = [key]
    if kind == RENAMED and (former := _key(urls[2], container)):
        keys.append(former)
    return [Notice(store="azure", bucket=container, key=one, place=place, account=account) for one in keys]


def _place(url: str, container: str) -> tuple[str, str]:
    """The URL of the account, and its name: the host's first label, or what is before the container in the path."""
    parts = _parts(url)
    if not parts.netloc:
        return "", ""
    before, found, _ = parts.path.partition(f"/{container}/")
    if not found or not before:
        return f"{parts.scheme}://{parts.netloc}".lower(), (parts.netloc.partition(".")[0]).lower()
    return f"{parts.scheme}://{parts.netloc}{before}".lower(), before.rpartition("/")[2].lower()


def _key(url: str, container: str) -> str:
    """The blob that a URL names, "" if that can't be told."""
    return unquote(_parts(url).path.partition(f"/{container}/")[2])[:MAX_KEY]


def _parts(url: str) -> SplitResult:
    try:
        return urlsplit(url if len(url) <= MAX_URL else "")
    except ValueError:
        return urlsplit("")
