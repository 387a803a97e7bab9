"""Takes a snapshot: reads the ledgers once, in the order of keys, and stores the pieces that are not stored yet.

Every commit writes the map's `freezes` document, so of two that work on a map one is refused, and looks again. Each
record is as its ledger was when it was read; syncs go on meanwhile. A request works for `snapshot_seconds`; the next
one goes on where it ended.
"""

from dataclasses import replace
from typing import NamedTuple

from shared.errors import CommitRefusedError, CommitUnknownError, InvalidInputError, NotFoundError, TryAgainError
from shared.log import logger
from shared.model.ledger import MAX_BLOB
from shared.model.run import Gate
from shared.model.snapshot import EMPTY_ROOT, Cutter, Freeze, Frozen, Piece, Snapshot, pack, root_of
from shared.model.storage import Storage
from shared.ports import Write
from shared.records.collection import Stored
from shared.services.context import Context
from shared.services.datasets import records, snapshots
from shared.services.idempotency import HEADER, Once
from shared.services.trash import trash

RETRIES = 20
PATIENCE = 60.0
"""Seconds after which nobody is expected to go on with what is under way."""
MAX_PIECES = 200
"""Pieces of one commit, and so of one part of the list."""
MAX_FIRST = 400_000
"""Bytes of the keys in one part of the list."""


def take(ctx: Context, storage: Storage, *, title: str = "", once: Once | None = None) -> Snapshot:
    """Freezes the records of a dataset, or goes on with a snapshot of that title that is under way.

    Raises `TryAgainError` where more is to be done, or another one is under way, `InvalidInputError` where there are
    too many, `NotFoundError` if the storage was deleted meanwhile.
    """
    taking = _Taking(ctx, storage, title, once)
    for _ in range(RETRIES):
        if (made := taking.made()) is not None:
            return made
        try:
            taken = taking.work(*taking.look())
        except (CommitRefusedError, CommitUnknownError):
            continue
        logger.info("snapshot taken", action="dataset.snapshot", storage=storage.id, snapshot=taken.id)
        return taken
    raise CommitRefusedError(f"snapshots of storage {storage.id} are being changed by others; try again")


class _Waiting(NamedTuple):
    """A piece that is cut and not committed; `blob` is empty if it is known to be stored."""

    piece: Piece
    last: str
    size: int
    blob: bytes


class _Taking:
    """One request's part of a snapshot."""

    def __init__(self, ctx: Context, storage: Storage, title: str, once: Once | None) -> None:
        self._ctx = ctx
        self._storage = storage
        self._title = title
        self._once = once
        self._deadline = ctx.clock() + ctx.settings.snapshot_seconds
        self._number = 0
        """The snapshot that this request works on."""
        self._known: frozenset[str] = frozenset()
        """Pieces that are stored, as long as nobody else commits to the map."""

    def made(self) -> Snapshot | None:
        """The snapshot, if an earlier request of the same key, or another of those that work on it, completed it."""
        number = self._number
        if self._once and (noted := self._once.made()) is not None:
            number = noted
        found = self._ctx.snapshots.get(number) if number else None
        if found is None and number and number != self._number:
            text = f"The snapshot that this key made, {number}, is not there any more: take a new key."
            raise InvalidInputError.of(HEADER, text)
        return found.value if found else None

    def look(self) -> tuple[Stored[Gate], Stored[Freeze]]:
        """What is to be gone on with, begun if need be."""
        ctx = self._ctx
        gate = ctx.gates.get(self._storage.id)
        if gate is None:
            raise NotFoundError(f"Dataset storage {self._storage.id} was deleted.")
        stored = ctx.freezes.get(gate.value.map)
        freeze = stored.value if stored else Freeze(id=gate.value.map, map=gate.value.map, storage=self._storage.id)
        fresh = freeze.snapshot and ctx.clock() - freeze.touched <= PATIENCE
        if fresh and freeze.title != self._title:
            raise TryAgainError(
                "Another snapshot of this dataset is being taken. Send this again when that one is there, or in "
                f"{PATIENCE:.0f} seconds if its client has given up."
            )
        if not fresh:
            stored = self._begin(gate, stored, freeze)
        assert stored is not None  # noqa: S101  else it was begun just now
        self._number = stored.value.snapshot
        self._known = snapshots.newest_pieces(ctx, gate.value.map)
        return gate, stored

    def _begin(self, gate: Stored[Gate], stored: Stored[Freeze] | None, freeze: Freeze) -> Stored[Freeze]:
        ctx, now = self._ctx, self._ctx.clock()
        most = ctx.settings.max_snapshots
        if len(snapshots.of_storage(ctx, self._storage)) >= most:
            text = f"A dataset can have {most} snapshots: delete some, or raise SLUICE_MAX_SNAPSHOTS."
            raise InvalidInputError.of("non_field_errors", text)
        begun = Freeze(
            id=freeze.id,
            map=freeze.map,
            storage=freeze.storage,
            turn=freeze.turn + 1,
            snapshot=ctx.new_number(),
            title=self._title,
            begun_at=now,
            touched=now,
            root=EMPTY_ROOT,
        )
        writes: list[Write] = [
            ctx.freezes.update(stored, begun) if stored else ctx.freezes.create(begun.id, begun),
        ]
        if freeze.snapshot:
            writes.append(trash(ctx, snapshot=(freeze.map, freeze.snapshot, freeze.parts)))
        revision = ctx.documents.commit(writes, [gate.check])[0]
        return Stored(begun, revision, ctx.freezes.ref(begun.id))

    def work(self, gate: Stored[Gate], stored: Stored[Freeze]) -> Snapshot:
        """Freezes what is left. Raises `TryAgainError` if time runs out first, with all that was cut committed."""
        ctx, cutter = self._ctx, Cutter(self._storage.provider.sort_key)
        waiting: list[_Waiting] = []
        place = stored.value.after.decode()
        for part in records.parts(ctx, self._storage, place):
            for piece in cutter.add(part.entries):
                waiting.append(self._waiting(piece))
                if self._is_full(waiting):
                    stored, waiting = self._commit(gate, stored, waiting, waiting[-1].last), []
            if part.until is None or not ctx.out_of_time(self._deadline):
                continue
            if not cutter.is_empty and not waiting:
                continue  # nothing was gained yet
            self._commit(gate, stored, waiting, part.until if cutter.is_empty else waiting[-1].last)
            raise TryAgainError("There is more to freeze than one request can: send it again, and it goes on.")
        waiting += map(self._waiting, cutter.rest())
        return self._finish(gate, stored, waiting)

    def _waiting(self, frozen: Frozen) -> _Waiting:
        known = frozen.piece.fingerprint in self._known
        return _Waiting(frozen.piece, frozen.last, frozen.size, b"" if known else pack(frozen.entries))

    def _is_full(self, waiting: list[_Waiting]) -> bool:
        """Whether another piece might not fit into the commit."""
        return (
            len(waiting) >= MAX_PIECES
            or sum(len(it.blob) for it in waiting) > self._ctx.settings.batch_bytes - MAX_BLOB
            or sum(len(it.piece.first.encode()) for it in waiting) > MAX_FIRST
        )

    def _commit(
        self, gate: Stored[Gate], stored: Stored[Freeze], waiting: list[_Waiting], after: str
    ) -> Stored[Freeze]:
        """Stores pieces, and that all up to a key is frozen."""
        gone_on = replace(_with(stored.value, waiting), touched=self._ctx.clock(), after=after.encode())
        writes = [self._ctx.freezes.update(stored, gone_on), *self._writes(stored.value, waiting)]
        return Stored(gone_on, self._ctx.documents.commit(writes, [gate.check])[0], stored.ref)

    def _finish(self, gate: Stored[Gate], stored: Stored[Freeze], waiting: list[_Waiting]) -> Snapshot:
        whole = _with(stored.value, waiting)
        snapshot = Snapshot(
            id=whole.snapshot,
            storage=whole.storage,
            map=whole.map,
            title=whole.title,
            begun_at=whole.begun_at,
            created_at=self._ctx.clock(),
            records=whole.records,
            size=whole.size,
            root=whole.root,
            parts=whole.parts,
        )
        idle = Freeze(id=whole.id, map=whole.map, storage=whole.storage, turn=whole.turn)
        writes: list[Write] = [
            self._ctx.freezes.update(stored, idle),
            self._ctx.snapshots.create(snapshot.id, snapshot),
            *self._writes(stored.value, waiting),
            *([self._once.note(snapshot.id)] if self._once else []),
        ]
        self._ctx.documents.commit(writes, [gate.check])
        return snapshot

    def _writes(self, before: Freeze, waiting: list[_Waiting]) -> list[Write]:
        if not waiting:
            return []
        pieces = self._ctx.pieces
        missing = pieces.missing(before.map, [it.piece.fingerprint for it in waiting if it.blob])
        return [
            pieces.create_list(before.map, before.snapshot, before.parts, [it.piece for it in waiting]),
            *(
                pieces.create(before.map, it.piece.fingerprint, it.blob)
                for it in waiting
                if it.piece.fingerprint in missing
            ),
        ]


def _with(freeze: Freeze, waiting: list[_Waiting]) -> Freeze:
    """What is under way, with pieces more."""
    root = freeze.root
    for it in waiting:
        root = root_of(root, it.piece)
    return replace(
        freeze,
        turn=freeze.turn + 1,
        parts=freeze.parts + bool(waiting),
        records=freeze.records + sum(it.piece.records for it in waiting),
        size=freeze.size + sum(it.size for it in waiting),
        root=root,
    )
