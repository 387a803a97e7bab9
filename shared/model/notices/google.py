"""Notifications of Cloud Storage: by Pub/Sub (its attributes say all), or straight from Eventarc, as CloudEvents."""

from collections.abc import Mapping
from typing import Any

from shared.model.notices import MAX_BUCKET, MAX_KEY, Found, Notice, fields_of, load, named, read, text

EVENTS = frozenset({"OBJECT_FINALIZE", "OBJECT_METADATA_UPDATE", "OBJECT_DELETE", "OBJECT_ARCHIVE"})
"""Pub/Sub's attribute `eventType`."""
MESSAGE = "google.cloud.pubsub.topic.v1.messagePublished"
OBJECT = "google.cloud.storage.object.v1."
OBJECT_EVENTS = frozenset({"finalized", "metadataUpdated", "deleted", "archived"})
STRUCTURED = "application/cloudevents+json"


def parse(headers: Mapping[str, str], body: bytes) -> Found:
    """What a request of Pub/Sub or Eventarc tells: one event, a CloudEvent of either mode or Pub/Sub's own body."""
    return read([body], lambda event: _event(headers, load(event)))


def _event(headers: Mapping[str, str], body: Any) -> list[Notice]:
    kind = headers.get("ce-type", "")
    if headers.get("content-type", "").partition(";")[0].strip().lower() == STRUCTURED:
        event = fields_of(body, "the event")
        kind, body = named(event.get("type"), "type", MAX_KEY), event.get("data")
    if kind.startswith(OBJECT):
        return _object(kind.removeprefix(OBJECT), fields_of(body, "data"))
    if kind in {"", MESSAGE}:
        return _message(fields_of(fields_of(body, "the body").get("message"), "message"))
    return []


def _message(message: Mapping[str, Any]) -> list[Notice]:
    attributes = fields_of(message.get("attributes") or {}, "message.attributes")
    if text(attributes.get("eventType")) not in EVENTS:
        return []
    return [_notice(attributes.get("bucketId"), attributes.get("objectId"))]


def _object(event: str, data: Mapping[str, Any]) -> list[Notice]:
    return [_notice(data.get("bucket"), data.get("name"))] if event in OBJECT_EVENTS else []


def _notice(bucket: Any, key: Any) -> Notice:
    return Notice(store="gcs", bucket=named(bucket, "the bucket", MAX_BUCKET), key=named(key, "the object", MAX_KEY))
