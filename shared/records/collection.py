"""A collection of documents that hold one kind of model object; everything else in `records` builds on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import orjson

from shared.ports import Check, Create, Delete, Document, DocumentStore, Filter, Query, Ref, Update, Write

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A model object as read, with the revision that guards a write of it."""

    value: T
    revision: str
    ref: Ref
    data: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The fields as read, also those that this release does not know."""

    def written(self, value: T, revision: str) -> "Stored[T]":
        """What is stored after an update with `value`."""
        return replace(self, value=value, revision=revision)

    @property
    def check(self) -> Check:
        """Asserts that it has not changed since."""
        return Check(self.ref, self.revision)

    @property
    def delete(self) -> Delete:
        """Removes it, if it has not changed since."""
        return Delete(self.ref, self.revision)


def weight(write: Write) -> int:
    """About how many bytes a write adds to a commit: those of its texts and opaque fields, and some for the rest."""
    data = write.data if isinstance(write, Create) else write.changes if isinstance(write, Update) else {}
    return 300 + sum(len(value) for value in data.values() if isinstance(value, bytes | str))


def _with_unknown(new: bytes, old: bytes) -> bytes:
    """A JSON object, with what the one that it replaces has besides. All of ours is always there."""
    ours, found = orjson.loads(new), orjson.loads(old)
    unknown = {name: value for name, value in found.items() if name not in ours}
    return orjson.dumps(ours | unknown) if unknown else new


class Collection(Generic[T]):
    """Reads and writes one kind of object. Writes are values: they take effect in a `DocumentStore.commit`.

    `maps`: fields that hold a JSON object of this release's making. What another release added to a document, or to
    such an object, stays there when this one writes.
    """

    def __init__(
        self,
        documents: DocumentStore,
        name: str,
        encode: Callable[[T], dict[str, Any]],
        decode: Callable[[str, Mapping[str, Any]], T],
        *,
        maps: Sequence[str] = (),
    ) -> None:
        self.documents = documents
        self.name = name
        self._encode = encode
        self._decode = decode
        self._maps = tuple(maps)

    def ref(self, id: str | int) -> Ref:  # noqa: A002  the field's own name
        """Names the document of an id."""
        return Ref(self.name, str(id))

    def stored(self, document: Document) -> Stored[T]:
        """The object of a document."""
        return Stored(self._decode(document.ref.id, document.data), document.revision, document.ref, document.data)

    def get(self, id: str | int) -> Stored[T] | None:  # noqa: A002
        """The object, or None."""
        document = self.documents.get(self.ref(id))
        return self.stored(document) if document else None

    def get_many(self, ids: Sequence[str | int]) -> list[Stored[T] | None]:
        """The objects in the order asked for, None for each that is absent."""
        found = self.documents.get_many([self.ref(id) for id in ids]) if ids else []  # noqa: A001
        return [self.stored(document) if document else None for document in found]

    def create(self, id: str | int, value: T) -> Create:  # noqa: A002
        """Writes an object whose id must be free."""
        return Create(self.ref(id), self._encode(value))

    def update(self, stored: Stored[T], value: T) -> Update:
        """Writes what differs between the stored object and `value`, if the stored one has not changed since."""
        before, after = self._encode(stored.value), self._encode(value)
        changes = {name: new for name, new in after.items() if before[name] != new}
        for name in self._maps:
            if name in changes and name in stored.data:
                changes[name] = _with_unknown(changes[name], stored.data[name])
        return Update(stored.ref, changes, stored.revision)

    def find(
        self,
        *where: tuple[str, str, Any],
        order: tuple[str, ...] = (),
        after: tuple[Any, ...] | None = None,
        limit: int = 100,
    ) -> list[Stored[T]]:
        """One page of the objects that match."""
        return [self.stored(d) for d in self.documents.query(self.query(*where, order=order, after=after, limit=limit))]

    def query(
        self,
        *where: tuple[str, str, Any],
        order: tuple[str, ...] = (),
        after: tuple[Any, ...] | None = None,
        limit: int = 100,
        select: tuple[str, ...] | None = None,
    ) -> Query:
        """The query behind `find`, for counts, sums and projections."""
        filters = tuple(Filter(field, op, value) for field, op, value in where)  # type: ignore[arg-type]
        return Query(collection=self.name, where=filters, order=order, after=after, limit=limit, select=select)
