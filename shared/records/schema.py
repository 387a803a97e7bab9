"""The document that says which schema all others have."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from shared.model.schema import VERSION, Schema
from shared.ports import Create, DocumentStore
from shared.records.collection import Collection, Stored

CURRENT = "current"
_FIELDS = tuple(field.name for field in fields(Schema))


def encode(schema: Schema) -> dict[str, Any]:
    """The fields of the document."""
    return {name: getattr(schema, name) for name in _FIELDS}


def _decode(_id: str, data: Mapping[str, Any]) -> Schema:
    return Schema(**{name: data[name] for name in _FIELDS if name in data})


class Schemas(Collection[Schema]):
    """A collection of one document. Where it is absent, documents are of the first schema."""

    def __init__(self, documents: DocumentStore) -> None:
        super().__init__(documents, "schema", encode, _decode)

    def current(self) -> Stored[Schema] | None:
        """How far the documents are."""
        return self.get(CURRENT)

    def of_new(self) -> Create:
        """Part of the commit that makes the very first documents: all will be of this release's schema."""
        return self.create(CURRENT, Schema(version=VERSION))
