"""Uploads."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from shared.model.upload import Upload
from shared.ports import DocumentStore
from shared.records.collection import Collection, Stored

_FIELDS = frozenset(field.name for field in fields(Upload)) - {"id"}


def encode(upload: Upload) -> dict[str, Any]:
    """The fields of the document."""
    return {name: value for name, value in asdict(upload).items() if name in _FIELDS}


def _decode(id: str, data: Mapping[str, Any]) -> Upload:  # noqa: A002  the field's own name
    return Upload(id=int(id), **{name: value for name, value in data.items() if name in _FIELDS})


class Uploads(Collection[Upload]):
    """The records of uploads."""

    def __init__(self, documents: DocumentStore) -> None:
        super().__init__(documents, "uploads", encode, _decode)

    def begun_before(self, moment: float, limit: int) -> list[Stored[Upload]]:
        """Uploads that began before a time, oldest first."""
        return self.find(("since", "<", moment), order=("since",), limit=limit)
