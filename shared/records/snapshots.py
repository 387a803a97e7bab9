"""Snapshots, the lists of their pieces, and the pieces."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from shared.model.ledger import Entry
from shared.model.snapshot import Freeze, Piece, Snapshot, pack_pieces, unpack, unpack_pieces
from shared.ports import Create, DocumentStore, Filter, Query, Ref, Value
from shared.records.collection import Collection, Stored

PAGE = 20
"""Lists read at once."""


def _encode(value: Snapshot | Freeze) -> dict[str, Any]:
    return {name: part for name, part in asdict(value).items() if name != "id"}


def _known(kind: type[Snapshot | Freeze], data: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)} - {"id"}
    return {name: value for name, value in data.items() if name in names}


def _snapshot(id: str, data: Mapping[str, Any]) -> Snapshot:  # noqa: A002  the field's own name
    return Snapshot(id=int(id), **_known(Snapshot, data))


def _freeze(id: str, data: Mapping[str, Any]) -> Freeze:  # noqa: A002
    return Freeze(id=id, **_known(Freeze, data))


class Snapshots(Collection[Snapshot]):
    """The snapshots that are whole."""

    def __init__(self, documents: DocumentStore) -> None:
        super().__init__(documents, "snapshots", _encode, _snapshot)

    def of_map(self, storage_map: str, limit: int) -> list[Stored[Snapshot]]:
        """Those of a map, in no particular order."""
        return self.find(("map", "==", storage_map), limit=limit)


def freezes(documents: DocumentStore) -> Collection[Freeze]:
    """What is being frozen, by map."""
    return Collection(documents, "freezes", _encode, _freeze)


class Pieces:
    """Pieces, under map and fingerprint, and the lists that say which are a snapshot's. Both are never rewritten."""

    lists = "manifests"
    name = "frozen"

    def __init__(self, documents: DocumentStore) -> None:
        self.documents = documents

    def list_ref(self, snapshot: int, part: int) -> Ref:
        """Names a part of a snapshot's list."""
        return Ref(self.lists, f"{snapshot}-{part}")

    def ref(self, storage_map: str, fingerprint: str) -> Ref:
        """Names a piece."""
        return Ref(self.name, f"{storage_map}-{fingerprint}")

    def create(self, storage_map: str, fingerprint: str, blob: bytes) -> Create:
        """Writes a piece that is not there."""
        return Create(self.ref(storage_map, fingerprint), {"map": storage_map, "blob": blob})

    def create_list(self, storage_map: str, snapshot: int, part: int, pieces: Sequence[Piece]) -> Create:
        """Writes a part of a snapshot's list."""
        data: dict[str, Value] = {"map": storage_map, "snapshot": snapshot, "blob": pack_pieces(pieces)}
        return Create(self.list_ref(snapshot, part), data)

    def missing(self, storage_map: str, fingerprints: Sequence[str]) -> set[str]:
        """Which of at most 500 pieces are not there."""
        refs = [self.ref(storage_map, it) for it in fingerprints]
        found = self.documents.get_many(refs) if refs else []
        return {it for it, document in zip(fingerprints, found, strict=True) if document is None}

    def of(self, snapshot: int, parts: int) -> Iterator[Piece]:
        """The pieces of a snapshot, in order; holds one part of the list. Raises `KeyError` where a part is gone."""
        for part in range(parts):
            document = self.documents.get(self.list_ref(snapshot, part))
            if document is None:
                raise KeyError(snapshot)
            yield from unpack_pieces(document.data["blob"])

    def lists_of(self, snapshot: int, parts: int) -> list[tuple[Ref, list[str]]]:
        """The parts of a snapshot's list that are there, and the fingerprints that each names."""
        refs = [self.list_ref(snapshot, part) for part in range(parts)]
        found: list[tuple[Ref, list[str]]] = []
        for start in range(0, parts, PAGE):
            for document in self.documents.get_many(refs[start : start + PAGE]):
                if document is not None:
                    pieces = unpack_pieces(document.data["blob"])
                    found.append((document.ref, [piece.fingerprint for piece in pieces]))
        return found

    def entries(self, storage_map: str, fingerprints: Sequence[str]) -> list[list[Entry]]:
        """The records of pieces. Raises `KeyError` where one is gone."""
        found = self.documents.get_many([self.ref(storage_map, it) for it in fingerprints])
        if None in found:
            raise KeyError(storage_map)
        return [unpack(document.data["blob"]) for document in found if document is not None]

    def named(self, storage_map: str) -> Iterator[tuple[int, list[Piece]]]:
        """Every part of every list of a map, with the snapshot that it is of; also of those under way."""
        query, after = (Filter("map", "==", storage_map),), None
        while True:
            page = Query(collection=self.lists, where=query, limit=PAGE, after=after)
            found = self.documents.query(page)
            for document in found:
                yield document.data["snapshot"], unpack_pieces(document.data["blob"])
            if len(found) < PAGE:
                return
            after = page.cursor(found[-1])
