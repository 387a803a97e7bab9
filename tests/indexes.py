"""Which indexes a query needs on Firestore. The emulator answers without them; production refuses, with the link to
create one. So every query of the tests goes through `CheckedIndexes`, which refuses too.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from shared.adapters.documents.indexes import Index, load_indexes
from shared.adapters.documents.query_rules import bare, equal_fields
from shared.app import INDEXES
from shared.ports import Check, Document, DocumentStore, Query, Write


class IndexMissingError(AssertionError):
    """A query needs an index that is not declared."""


@dataclass(frozen=True)
class Declared:
    """The indexes of one file: composite ones as written, single fields by themselves unless an override says less."""

    composite: tuple[Index, ...]
    overrides: dict[tuple[str, str], frozenset[str]]
    used: set[Index] = field(default_factory=set)
    """Composite indexes that the queries so far relied on."""
    used_fields: set[tuple[str, str]] = field(default_factory=set)
    """Fields whose own index they relied on, with their collections."""

    @classmethod
    def load(cls, path: Path) -> "Declared":
        declared = json.loads(path.read_text(encoding="utf-8"))
        overrides = {
            (entry["collectionGroup"], entry["fieldPath"]): frozenset(
                part.get("order", "") for part in entry["indexes"]
            )
            for entry in declared["fieldOverrides"]
        }
        return cls(tuple(index for index in load_indexes(path) if len(index.fields) > 1), overrides)

    def check(self, collection: str, equal: frozenset[str], order: tuple[str, ...]) -> None:
        """Raises `IndexMissingError` unless documents with `equal` fixed can be read in the order of `order`.

        Firestore does not sort, and joins indexes only if they agree on what follows the fixed fields. (It can read
        neither backwards nor a part of an index's fields.)
        """
        if not equal and not order:
            return  # the collection itself
        parts = list(self._parts(collection, equal, order))
        if not parts or frozenset[str]().union(*(head for head, _ in parts)) != equal:
            raise IndexMissingError(
                f"{collection}: fixed {sorted(equal)}, ordered by {list(order)}. Declared are: "
                + "; ".join(index.name for index in self.composite if index.collection == collection)
            )
        whole = [part for part in parts if part[0] == equal]
        for head, index in whole[:1] or parts:
            if index is not None:
                self.used.add(index)
            else:
                self.used_fields.update((collection, name) for name in head or map(bare, order))

    def _parts(
        self, collection: str, equal: frozenset[str], order: tuple[str, ...]
    ) -> Iterator[tuple[frozenset[str], Index | None]]:
        """Indexes that end with the order and begin with some of the fixed fields."""
        for index in self.composite:
            head = index.fields[: len(index.fields) - len(order)]
            if index.collection == collection and index.fields[len(head) :] == order:
                fields = frozenset(map(bare, head))
                if fields <= equal and (fields or not equal):
                    yield fields, index
        if not equal and len(order) == 1 and self._single(collection, order[0]):
            yield equal, None
        if not order:
            yield from ((frozenset((name,)), None) for name in equal if self._single(collection, name))

    def _single(self, collection: str, entry: str) -> bool:
        orders = self.overrides.get((collection, bare(entry)))
        return orders is None or ("DESCENDING" if entry.startswith("-") else "ASCENDING") in orders


@cache
def declared() -> Declared:
    """The indexes that are deployed."""
    return Declared.load(INDEXES)


class CheckedIndexes:
    """A document store that refuses a query without its index. Everything else is passed on."""

    def __init__(self, inner: DocumentStore, indexes: Declared | None = None) -> None:
        self._inner = inner
        self._indexes = indexes or declared()
        self._known: set[Any] = set()

    def query(self, query: Query) -> list[Document]:
        self._check(query, query.order)
        return self._inner.query(query)

    def count(self, query: Query) -> int:
        self._check(query, _ranges(query))
        return self._inner.count(query)

    def sum(self, query: Query, fields: Sequence[str]) -> dict[str, int]:
        ranges = _ranges(query)
        for name in fields:
            # A sum is taken from an index, so that its field must be in it.
            self._check(query, ranges if name in ranges else (*ranges, name))
        return self._inner.sum(query, fields)

    def commit(self, writes: Sequence[Write], checks: Sequence[Check] = ()) -> list[str]:
        return self._inner.commit(writes, checks)

    def _check(self, query: Query, order: tuple[str, ...]) -> None:
        equal = equal_fields(query.where)
        shape = (query.collection, equal, order)
        if shape not in self._known:
            self._indexes.check(query.collection, equal, tuple(it for it in order if bare(it) not in equal))
            self._known.add(shape)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _ranges(query: Query) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.field for item in query.where if item.op != "=="))
