"""What notifications came to: a document for each map, of the map's id."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import orjson

from shared.model.event_work import EventWork
from shared.ports import Create, DocumentStore
from shared.records.collection import Collection

_KNOWN = frozenset(field.name for field in fields(EventWork))


def encode(storage_map: str, work: EventWork) -> dict[str, Any]:
    """The fields of the document."""
    return {"map": storage_map, "about": _about(work)}


def _about(work: EventWork) -> bytes:
    return orjson.dumps(asdict(work))


def _decode(_id: str, data: Mapping[str, Any]) -> EventWork:
    return EventWork(**{name: value for name, value in orjson.loads(data["about"]).items() if name in _KNOWN})


class EventWorks(Collection[EventWork]):
    """What notifications came to, of every storage that ever honoured one."""

    def __init__(self, documents: DocumentStore) -> None:
        # What a document is named by is in it, too: so it goes with its map. Updates change only the rest.
        super().__init__(documents, "event_work", lambda work: {"about": _about(work)}, _decode, maps=("about",))

    def first(self, storage_map: str, work: EventWork) -> Create:
        """Writes what a map's first notifications came to."""
        return Create(self.ref(storage_map), encode(storage_map, work))
