"""Reads what Google Cloud Storage's JSON API says of objects."""

from datetime import datetime
from typing import Any, NamedTuple

import orjson

from shared.errors import StoreError, StoreUnavailableError
from shared.ports import ObjectInfo, Stat

FIELDS = "name,size,generation,updated,contentType"
ALL_FIELDS = f"{FIELDS},contentEncoding,metadata"


class Page(NamedTuple):
    """A page; there is another one if `token` is not empty, however short or empty this one is."""

    objects: list[ObjectInfo]
    token: str


def parse_page(body: bytes) -> Page:
    """Reads a listing. Raises `StoreError` for anything else."""
    answer = _loaded(body)
    try:
        objects = [
            ObjectInfo(
                item["name"],
                int(item["size"]),
                item["generation"],
                datetime.fromisoformat(item["updated"]).timestamp(),
                content_type=item.get("contentType", ""),
            )
            for item in answer.get("items", ())
        ]
        return Page(objects, answer.get("nextPageToken", ""))
    except (KeyError, TypeError, ValueError) as caught:
        raise _strange(caught) from None


def parse_object(body: bytes) -> Stat:
    """Reads what is told of one object."""
    item = _loaded(body)
    try:
        modified = datetime.fromisoformat(item["updated"]).timestamp()
        kind = item.get("contentType", "")
        info = ObjectInfo(item["name"], int(item["size"]), item["generation"], modified, content_type=kind)
        metadata = {name.lower(): str(value) for name, value in item.get("metadata", {}).items()}
        return Stat(info, kind, metadata, item.get("contentEncoding", ""))
    except (KeyError, TypeError, ValueError, AttributeError) as caught:
        raise _strange(caught) from None


def _loaded(body: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as caught:
        # As likely a connection that was cut as a server that will never learn.
        raise StoreUnavailableError("The store's answer is not readable JSON", detail=str(caught)) from None
    if not isinstance(answer, dict):
        raise StoreError("The store's answer is not what Google Cloud Storage says")
    return answer


def _strange(caught: Exception) -> StoreError:
    lacks = f"lacks {caught}" if isinstance(caught, KeyError) else str(caught)
    return StoreError("The store's answer is not what Google Cloud Storage says", detail=lacks)
