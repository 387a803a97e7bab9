"""Notifications of S3 and of what speaks like it: event records (raw or by SNS), and EventBridge."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from shared.model.notices import MAX_BUCKET, MAX_KEY, MalformedError, Notice, fields_of, named, text

CHANGES = ("ObjectCreated:", "ObjectRemoved:", "LifecycleExpiration:", "ObjectRestore:Completed")
"""How names of records that are news begin; other servers than Amazon's put "s3:" before them."""
DETAILS = frozenset({"Object Created", "Object Deleted", "Object Restore Completed"})
"""EventBridge's `detail-type`."""
ORIGIN = "x-minio-origin-endpoint"
"""In which MinIO says where it is."""


def is_record(value: Any) -> bool:
    """Whether it is one of S3's forms: records, EventBridge's, or the test that S3 sends first."""
    return isinstance(value, dict) and (
        "Records" in value or "detail-type" in value or value.get("Event") == "s3:TestEvent"
    )


def events(value: Any) -> list[Any]:
    """The events of a body: each of its records, or itself."""
    if isinstance(value, dict) and isinstance(value.get("Records"), list):
        return list(value["Records"])
    return [value]


def notices(event: Any, place: str) -> list[Notice]:
    """What an event tells; `place` is where it is known to come from, "" if that is not known.

    Raises `MalformedError`.
    """
    event = fields_of(event, "the event")
    if event.get("Event") == "s3:TestEvent":
        return []
    if "detail-type" in event:
        return _detail(event, place)
    if "Records" in event:
        raise MalformedError("Records is no list")
    return _record(event, place)


def _record(record: Mapping[str, Any], place: str) -> list[Notice]:
    name = named(record.get("eventName"), "eventName", MAX_KEY).removeprefix("s3:")
    if not name.startswith(CHANGES):
        return []
    s3 = fields_of(record.get("s3"), "s3")
    encoded = named(fields_of(s3.get("object"), "s3.object").get("key"), "s3.object.key", MAX_KEY)
    try:
        key = unquote_plus(encoded, errors="strict")
    except UnicodeDecodeError:
        raise MalformedError("s3.object.key is not URL-encoded UTF-8") from None
    answer = record.get("responseElements")
    origin = text(answer.get(ORIGIN)) if isinstance(answer, dict) else ""
    return [_notice(s3, key, place or origin)]


def _detail(event: Mapping[str, Any], place: str) -> list[Notice]:
    if event["detail-type"] not in DETAILS:
        return []
    detail = fields_of(event.get("detail"), "detail")
    key = fields_of(detail.get("object"), "detail.object").get("key")  # not encoded, unlike that of a record
    return [_notice(detail, named(key, "detail.object.key", MAX_KEY), place)]


def _notice(about: Mapping[str, Any], key: str, place: str) -> Notice:
    bucket = fields_of(about.get("bucket"), "bucket").get("name")
    return Notice(store="s3", bucket=named(bucket, "the bucket's name", MAX_BUCKET), key=key, place=place)
