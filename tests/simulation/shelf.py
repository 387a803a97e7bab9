"""A dataset whose ledgers are written by hand, and documents that do something else before any of their calls."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from shared.adapters.documents.sqlite import SqliteDocuments
from shared.adapters.receivers import HttpReceivers
from shared.errors import CommitUnknownError, TryAgainError
from shared.model import ledger as ledgers
from shared.model.chunk import Chunk, start_index
from shared.model.ledger import Entry, Ledger
from shared.model.providers import S3
from shared.model.run import Gate
from shared.model.snapshot import MEAN, Snapshot, is_end
from shared.model.storage import Storage
from shared.ports import Check, Delete, Query, Write
from shared.services import trash
from shared.services.context import Context
from shared.services.datasets import freezing, snapshots
from shared.services.idempotency import Once
from shared.services.storages import registration
from shared.settings import Settings
from tests.indexes import CheckedIndexes

MAP = "map1"
CALLS = ("get", "get_many", "query", "count")
SETTINGS = Settings(batch_bytes=ledgers.MAX_BLOB)
"""A commit for each piece that is new."""


class KilledError(BaseException):
    """The process ends here."""


class Interrupted:
    """Passes everything on. Before the `at`th call from `arm` on, something else is done first, by somebody else."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.at = -1
        self.what: Callable[[], None] = lambda: None
        self.calls = 0
        self.lose_answer = False

    def arm(self, at: int, what: Callable[[], None]) -> None:
        self.at, self.what, self.calls = at, what, 0

    def _step(self) -> None:
        self.calls += 1
        if self.calls - 1 == self.at:
            what, self.what, self.at = self.what, lambda: None, -1
            what()

    def commit(self, writes: Sequence[Write], checks: Sequence[Check] = ()) -> list[str]:
        self._step()
        lose, self.lose_answer = self.lose_answer, False
        revisions: list[str] = self._inner.commit(writes, checks)
        if lose:
            raise CommitUnknownError
        self._step()
        return revisions

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._inner, name)
        if name not in CALLS:
            return inner

        def call(*given: Any) -> Any:
            self._step()
            return inner(*given)

        return call


class Shelf:
    """One dataset."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.now = 1_000_000.0
        self.documents = Interrupted(CheckedIndexes(SqliteDocuments(":memory:", indexes=())))
        counter = iter(range(1, 1_000_000))
        self.ctx = Context(
            documents=self.documents,
            queue=None,  # type: ignore[arg-type]  nothing is sent
            settings=settings,
            open_store=lambda _: None,  # type: ignore[arg-type, return-value]
            receivers=HttpReceivers(allow_private=False, timeout=1.0),
            clock=lambda: self.now,
            new_id=lambda: f"id{next(counter):06d}",
            rng=random.Random(7),
        )
        self.storage = Storage(
            id=1, type="s3", direction="dataset", project=0, created_at=0.0, config={}, secrets=b"", meta={}
        )
        self.gate = Gate(id="1", storage=1, project=0, map=MAP, location="", shape="")
        ctx = self.ctx
        ctx.documents.commit([ctx.storages.create(1, self.storage), ctx.gates.create("1", self.gate)])
        self.entries: Ledger = {}

    def write(self, entries: Iterable[Entry], cuts: Sequence[str] = ()) -> None:
        """These records, in chunks that end with the cuts."""
        self.entries = {entry.key: entry for entry in entries}
        query = Query(collection="chunks", limit=1000)
        gone = [document.ref for document in self.ctx.documents.query(query)]
        writes: list[Write] = [Delete(ref, None) for ref in gone]
        writes += [Delete(self.ctx.ledgers.ref(ref.id), None) for ref in gone]
        for after, until in zip(["", *cuts], [*cuts, None], strict=True):
            chunk = self._chunk(after, until)
            held = [entry for entry in entries if entry.key > after and (until is None or entry.key <= until)]
            self.ctx.rng.shuffle(held)
            ledger = {entry.key: entry for entry in held}
            writes.append(self.ctx.chunks.create(chunk.id, chunk))
            writes.append(self.ctx.ledgers.write(chunk.id, ledger, exists=False, storage_map=MAP))
        self.ctx.documents.commit(writes)

    def other_bucket(self, entries: Iterable[Entry]) -> None:
        """An edit that makes it another map, of which these are the records."""
        ctx, gate = self.ctx, self.ctx.gates.get("1")
        assert gate is not None
        chunk = replace(self._chunk("", None), map="map2")
        writes: list[Write] = [
            ctx.gates.update(gate, replace(gate.value, map="map2")),
            trash.trash(ctx, maps=[MAP]),
            ctx.chunks.create(chunk.id, chunk),
            ctx.ledgers.write(chunk.id, {it.key: it for it in entries}, exists=False, storage_map="map2"),
        ]
        ctx.documents.commit(writes)

    def _chunk(self, after: str, until: str | None) -> Chunk:
        start = start_index(after.encode())
        return Chunk(id=self.ctx.new_id(), storage=1, map=MAP, after=after, until=until, start=start)

    def cut(self, at: str) -> None:
        """Cuts the chunk that holds a key behind it, as a sync does: it keeps its tail."""
        ctx = self.ctx
        for chunk in ctx.chunks.find(("map", "==", MAP), order=("start",)):
            until = chunk.value.until
            if chunk.value.after < at and (until is None or at < until):
                ledger = ctx.ledgers.get(chunk.value.id) or {}
                head, tail = ledgers.split(ledger, at.encode(), S3.sort_key)
                new = self._chunk(chunk.value.after, at)
                kept = self._chunk(at, until)
                writes: list[Write] = [
                    ctx.chunks.create(new.id, new),
                    ctx.ledgers.write(new.id, head, exists=False, storage_map=MAP),
                    ctx.chunks.update(chunk, kept),
                    ctx.ledgers.write(chunk.value.id, tail, exists=True, storage_map=MAP),
                ]
                ctx.documents.commit(writes)

    def once(self, key: str = "key") -> Once:
        return Once(self.ctx, user=1, route="POST snapshots", key=key, body={})

    def take(self, title: str = "", *, key: str = "") -> Snapshot:
        """Sends the request until it is done."""
        for _ in range(100):
            try:
                return freezing.take(self.ctx, self.storage, title=title, once=self.once(key) if key else None)
            except TryAgainError:
                self.now += 1.0
        raise AssertionError("it never ends")

    def delete(self, snapshot: Snapshot) -> None:
        snapshots.delete(self.ctx, self.storage, snapshot.id)

    def collect(self) -> None:
        while trash.collect_trash(self.ctx, 1000):
            pass

    def delete_storage(self) -> None:
        registration.delete(self.ctx, S3, 1, "dataset")

    def all(self) -> list[Snapshot]:
        return snapshots.of_storage(self.ctx, self.storage)

    def read(self, snapshot: Snapshot) -> list[Entry]:
        return [entry for entries in snapshots.read(self.ctx, snapshot) for entry in entries]

    def count(self, collection: str) -> int:
        return self.ctx.documents.count(Query(collection=collection))

    def named(self) -> set[str]:
        """The pieces that lists name, each of which must be there."""
        return {piece.fingerprint for _, pieces in self.ctx.pieces.named(MAP) for piece in pieces}


@cache
def short_pieces(number: int = 6) -> list[Entry]:
    """Three records for each piece: of all keys only those at the ends of pieces."""
    ends = [i for i in range(number * 2 * MEAN) if is_end(f"k/{i:06d}")][:number]
    return [Entry(f"k/{i:06d}", "v", i) for end in ends for i in range(end - 2, end + 1)]


def records(number: int = 3 * MEAN, version: str = "v") -> list[Entry]:
    """So many records; the ends of pieces follow from their keys."""
    return [Entry(f"k/{i:06d}", version, i, content_type="a/b" if i % 7 == 0 else "") for i in range(number)]
