"""The composite indexes that queries may rely on, as declared in `infra/firestore.indexes.json`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from shared.adapters.documents.values import is_collection_name, is_field_name


class Index(NamedTuple):
    """An index over documents of `collection` that have all `fields`.

    Fields are written as in `Query.order`: "-name" descends. The id always follows, in the last field's direction.
    """

    collection: str
    fields: tuple[str, ...]

    @property
    def name(self) -> str:
        """Unique among indexes; says what is indexed."""
        return f"{self.collection}({','.join(self.fields)})"


def load_indexes(path: str | Path) -> list[Index]:
    """Reads the indexes from a file of the shape that Firestore's tools use.

    Firestore indexes single fields by itself, minus exemptions. A single field is indexed here if an entry of
    `fieldOverrides` lists an order for it.
    """
    with Path(path).open(encoding="utf-8") as file:
        declared = json.load(file)
    return list(dict.fromkeys((*_composite(declared["indexes"]), *_single(declared.get("fieldOverrides", ())))))


def fitting(
    indexes: Sequence[Index], collection: str, equal: frozenset[str], order: Sequence[str], *, id_descends: bool
) -> Index | None:
    """The index that yields documents with those fields fixed in that order, without sorting or skipping."""
    wanted = [*order, "-" if id_descends else ""]
    for index in indexes:
        head, tail = index.fields[: len(equal)], index.fields[len(equal) :]
        if index.collection != collection or len(head) < len(equal) or frozenset(map(_bare, head)) != equal:
            continue
        offered = [*tail, "-" if index.fields[-1].startswith("-") else ""]
        if wanted in (offered, [_reversed(field) for field in offered]):
            return index
    return None


def _composite(entries: Sequence[Mapping[str, Any]]) -> Iterator[Index]:
    for entry in entries:
        parts = [(part["fieldPath"], part.get("order")) for part in entry["fields"]]
        # Firestore's tools may spell out the id that follows anyway.
        if parts and parts[-1][0] == "__name__":
            parts.pop()
        yield _index(entry["collectionGroup"], parts)


def _single(entries: Sequence[Mapping[str, Any]]) -> Iterator[Index]:
    for entry in entries:
        for part in entry.get("indexes", ()):
            if "order" in part and part.get("queryScope", "COLLECTION") == "COLLECTION":
                yield _index(entry["collectionGroup"], [(entry["fieldPath"], part["order"])])
                break  # an index is read in both directions


def _index(collection: str, parts: Sequence[tuple[str, str | None]]) -> Index:
    orders = {"ASCENDING": "", "DESCENDING": "-"}
    if not parts or not is_collection_name(collection):
        raise ValueError(f"An index of {collection!a} is not valid.")
    for field, order in parts:
        if not is_field_name(field) or order not in orders:
            raise ValueError(f"The index of {collection} has a field {field!a} that can't be indexed so.")
    return Index(collection, tuple(orders[order or ""] + field for field, order in parts))


def _bare(field: str) -> str:
    return field.removeprefix("-")


def _reversed(field: str) -> str:
    return field[1:] if field.startswith("-") else f"-{field}"
