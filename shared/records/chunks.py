"""Chunks and their ledgers."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal

from shared.model import ledger as ledgers
from shared.model.chunk import Chunk, Counts
from shared.model.ledger import Ledger
from shared.ports import Create, DocumentStore, Ref, Update, Write
from shared.records.collection import Collection, Stored

_PLAIN = tuple(field.name for field in fields(Chunk) if field.name not in {"id", "counts", "errors"})


def _encode(chunk: Chunk) -> dict[str, Any]:
    data: dict[str, Any] = {name: getattr(chunk, name) for name in _PLAIN}
    data.update(chunk.counts._asdict())
    data["errors"] = list(chunk.errors)
    data["erring"] = bool(chunk.errors)
    return data


def _decode(id: str, data: Mapping[str, Any]) -> Chunk:  # noqa: A002
    counts = Counts(*(data.get(name, 0) for name in Counts._fields))
    plain = {name: data[name] for name in _PLAIN if name in data}
    return Chunk(id=id, counts=counts, errors=tuple(data.get("errors", ())), **plain)


By = Literal["done_seq", "seen_seq"]
"""What a run has left: all of a chunk's work, or all but deletions."""


class Chunks(Collection[Chunk]):
    """The chunks of all storages; a storage's are those of its gate's `map`."""

    def __init__(self, documents: DocumentStore) -> None:
        super().__init__(documents, "chunks", _encode, _decode)

    def open(
        self, storage_map: str, run_seq: int, *, after: tuple[Any, ...] | None, limit: int, by: By = "done_seq"
    ) -> list[Stored[Chunk]]:
        """A page of the chunks that a run has not finished, or not seen."""
        return self.find(("map", "==", storage_map), (by, "<", run_seq), order=(by,), after=after, limit=limit)

    def any_open(self, storage_map: str, run_seq: int, by: By = "done_seq") -> bool:
        """Whether a run has work left; one document is read."""
        query = self.query(("map", "==", storage_map), (by, "<", run_seq), order=(by,), limit=1, select=())
        return bool(self.documents.query(query))

    def any_leased(self, storage_map: str, now: float) -> bool:
        """Whether somebody works on the storage; one document is read."""
        where = (("map", "==", storage_map), ("lease_until", ">", now))
        return bool(self.documents.query(self.query(*where, order=("lease_until",), limit=1, select=())))

    def leased(self, storage_map: str, now: float, limit: int) -> list[Stored[Chunk]]:
        """Chunks of a storage whose lease is live."""
        return self.find(("map", "==", storage_map), ("lease_until", ">", now), order=("lease_until",), limit=limit)

    def in_order(self, storage_map: str, *, after: tuple[Any, ...] | None, limit: int) -> list[Stored[Chunk]]:
        """A page of a storage's chunks, in the order of their ranges (ties beyond the indexed part by id)."""
        return self.find(("map", "==", storage_map), order=("start",), after=after, limit=limit)

    def unsettled(self, limit: int) -> list[Stored[Chunk]]:
        """Chunks whose hint was taken and whose sync has not ended."""
        return self.find(("unsettled", "==", True), limit=limit)

    def failing(self, storage_map: str, run_seq: int, limit: int) -> list[Stored[Chunk]]:
        """Chunks in which a run met failures."""
        where = (("map", "==", storage_map), ("run_seq", "==", run_seq), ("erring", "==", True))
        return self.find(*where, limit=limit)

    def sums(self, storage_map: str, run_seq: int) -> Counts:
        """What a run did so far, over all chunks it touched."""
        query = self.query(("map", "==", storage_map), ("run_seq", "==", run_seq))
        sums = self.documents.sum(query, Counts._fields)
        return Counts(*(sums[name] for name in Counts._fields))


class Ledgers:
    """Ledger blobs, under the ids of their chunks. Written only in a commit that writes the chunk too."""

    name = "ledgers"

    def __init__(self, documents: DocumentStore) -> None:
        self.documents = documents

    def ref(self, chunk: str) -> Ref:
        """Names the ledger of a chunk."""
        return Ref(self.name, chunk)

    def get(self, chunk: str) -> Ledger | None:
        """The ledger, or None if nothing was ever recorded."""
        document = self.documents.get(self.ref(chunk))
        return ledgers.decode(document.data["blob"]) if document else None

    def write(self, chunk: str, ledger: Ledger, *, exists: bool, storage_map: str) -> Write:
        """Writes a ledger; the chunk in the same commit guards it."""
        blob = ledgers.encode(ledger)
        if exists:
            return Update(self.ref(chunk), {"blob": blob}, None)
        return Create(self.ref(chunk), {"map": storage_map, "blob": blob})
