"""Additions. What no query looks at is one opaque field."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import orjson

from shared.model.addition import Addition
from shared.ports import DocumentStore
from shared.records.collection import Collection, Stored

_QUERIED = ("storage", "since", "due", "ended")
_ABOUT = tuple(one.name for one in fields(Addition) if one.name not in {"id", *_QUERIED})


def encode(addition: Addition) -> dict[str, Any]:
    """The fields of the document: one that is over is never due, one that is not has no end."""
    about = {name: value for name, value in asdict(addition).items() if name in _ABOUT}
    return {
        "storage": addition.storage,
        "since": addition.since,
        "due": None if addition.over else addition.due,
        "ended": addition.ended if addition.over else None,
        "ticket": addition.ticket,
        "about": orjson.dumps(about),
    }


def _decode(id: str, data: Mapping[str, Any]) -> Addition:  # noqa: A002  the field's own name
    about: dict[str, Any] = {name: value for name, value in orjson.loads(data["about"]).items() if name in _ABOUT}
    about |= {name: tuple(about[name]) for name in ("records", "errors")}
    about |= {"due": data["due"] or 0.0, "ended": data["ended"] or 0.0}
    return Addition(id=id, storage=data["storage"], since=data["since"], **about)


class Additions(Collection[Addition]):
    """The additions of all datasets."""

    def __init__(self, documents: DocumentStore) -> None:
        super().__init__(documents, "additions", encode, _decode, maps=("about",))

    def of_storage(self, storage: int, limit: int) -> list[Stored[Addition]]:
        """Those of a dataset, the newest first."""
        return self.find(("storage", "==", storage), order=("-since",), limit=limit)

    def overdue(self, before: float, limit: int) -> list[Stored[Addition]]:
        """Those under way whose worker was to be heard of before a time, the longest due first."""
        return self.find(("due", "<", before), order=("due",), limit=limit)

    def ended_before(self, moment: float, limit: int) -> list[Stored[Addition]]:
        """Those that ended before a time, oldest first."""
        return self.find(("ended", "<", moment), order=("ended",), limit=limit)
