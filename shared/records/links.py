"""Links and dues. What no query looks at is one opaque field."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import orjson

from shared.model.link import Due, Link
from shared.ports import DocumentStore
from shared.records.collection import Collection, Stored

_LINK = ("map", "order", "gone", "since")
_LINK_ABOUT = tuple(field.name for field in fields(Link) if field.name not in {"id", *_LINK})
_DUE = ("storage", "due")
_DUE_ABOUT = tuple(field.name for field in fields(Due) if field.name not in {"id", *_DUE})


def encode_link(link: Link) -> dict[str, Any]:
    """The fields of the document."""
    about = {name: getattr(link, name) for name in _LINK_ABOUT}
    return {**{name: getattr(link, name) for name in _LINK}, "about": orjson.dumps(about)}


def _decode_link(id: str, data: Mapping[str, Any]) -> Link:  # noqa: A002  the field's own name
    about = {name: value for name, value in orjson.loads(data["about"]).items() if name in _LINK_ABOUT}
    about["old_keys"] = tuple(about["old_keys"])
    return Link(id=id, **{name: data[name] for name in _LINK}, **about)


def encode_due(due: Due) -> dict[str, Any]:
    """The fields of the document."""
    about = {name: value for name, value in asdict(due).items() if name in _DUE_ABOUT}
    return {**{name: getattr(due, name) for name in _DUE}, "ticket": due.ticket, "about": orjson.dumps(about)}


def _decode_due(id: str, data: Mapping[str, Any]) -> Due:  # noqa: A002
    about = {name: value for name, value in orjson.loads(data["about"]).items() if name in _DUE_ABOUT}
    about["units"] = tuple(about["units"])
    return Due(id=id, **{name: data[name] for name in _DUE}, **about)


class Links(Collection[Link]):
    """The links of all targets; a target's are those of its gate's `map`."""

    def __init__(self, documents: DocumentStore) -> None:
        super().__init__(documents, "links", encode_link, _decode_link, maps=("about",))

    def in_order(self, storage_map: str, low: str, *, after: tuple[Any, ...] | None, limit: int) -> list[Stored[Link]]:
        """A page of a target's links from a place in the bucket's order on."""
        return self.find(("map", "==", storage_map), ("order", ">=", low), order=("order",), after=after, limit=limit)

    def tombstones(self, before: float, limit: int) -> list[Stored[Link]]:
        """Links of units that were deleted before a time, oldest first."""
        return self.find(("gone", "==", True), ("since", "<", before), order=("since",), limit=limit)


class Dues(Collection[Due]):
    """What all targets are owed."""

    def __init__(self, documents: DocumentStore) -> None:
        super().__init__(documents, "dues", encode_due, _decode_due, maps=("about",))

    def overdue(self, before: float, limit: int) -> list[Stored[Due]]:
        """Dues whose message should have arrived before a time, oldest first."""
        return self.find(("due", "<", before), order=("due",), limit=limit)
