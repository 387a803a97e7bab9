"""Finding a chunk to work on, and taking it: lease, epoch, crash count and hint in one commit under the gate."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

from shared.errors import CommitRefusedError, CommitUnknownError
from shared.model.chunk import Chunk, Counts
from shared.model.run import Gate
from shared.ports import Write
from shared.records.chunks import By
from shared.records.collection import Stored
from shared.services.context import Context
from shared.services.sync.holding import Holding

Nothing = Literal["none open", "none free"]

MAX_PAGES = 20
"""Pages of open chunks looked through for a free one, before the lane comes back later."""
IN_ORDER_PAGE = 8


class Claimer:
    """Claims chunks for one invocation.

    Where many lanes list at once, any open chunk will do: a random one among a few. A listing that can't seek is
    walked by one lane, which takes the chunks in the order of their ranges and remembers how far it came.

    `deletes`: chunks may wait for the run's verdict on deletions. They are left alone until it is there.
    """

    def __init__(self, ctx: Context, *, in_order: bool, deletes: bool = False) -> None:
        self.ctx = ctx
        self._by: By = "seen_seq" if deletes else "done_seq"
        self.invocation = f"{ctx.boot}/{ctx.new_id()}"
        self._in_order = in_order
        self._cursor: tuple[Any, ...] | None = None
        self._candidates: list[Stored[Chunk]] = []

    def next(self, gate: Stored[Gate]) -> Holding | Nothing:
        """An open chunk of the gate's run, leased to us; or why there is none."""
        while self._candidates:  # seen free a moment ago; whatever changed since refuses the claim
            if holding := self.take(gate, self._candidates.pop()):
                return holding
            self._candidates.clear()
        while True:
            seen_open = False
            for page in self._in_order_pages(gate.value) if self._in_order else self._pages(gate.value):
                seen_open = seen_open or bool(page)
                free = [chunk for chunk in page if chunk.value.claimable(self.ctx.clock())]
                self.ctx.rng.shuffle(free)
                while free:
                    if holding := self.take(gate, free.pop()):
                        self._candidates = free
                        return holding
            if seen_open:
                return "none free"
            if self._by == "done_seq" or not self.decided(gate):
                return "none open"

    def decided(self, gate: Stored[Gate]) -> bool:
        """Whether the verdict is there; from then on chunks that waited for it are claimed too."""
        if self._by == "done_seq":
            return False
        run = self.ctx.runs.get(gate.value.run)
        if run is not None and run.value.deletions:
            self._by, self._cursor = "done_seq", None
            return True
        return False

    def _pages(self, gate: Gate) -> Iterator[list[Stored[Chunk]]]:
        """Pages of open chunks."""
        size, after = 2 * self.ctx.settings.max_lanes, None
        for _ in range(MAX_PAGES):
            found = self.ctx.chunks.open(gate.map, gate.run_seq, after=after, limit=size, by=self._by)
            yield found
            if len(found) < size:
                return
            after = (getattr(found[-1].value, self._by), found[-1].value.id)

    def _in_order_pages(self, gate: Gate) -> Iterator[list[Stored[Chunk]]]:
        """One page: the first open chunk, by range. A second walker finds it leased, and waits."""
        while True:
            found = self.ctx.chunks.in_order(gate.map, after=self._cursor, limit=IN_ORDER_PAGE)
            for chunk in found:
                if getattr(chunk.value, self._by) < gate.run_seq:
                    yield [chunk]
                    return
                self._cursor = (chunk.value.start, chunk.value.id)
            if len(found) < IN_ORDER_PAGE:
                if self._cursor is None or not self.ctx.chunks.any_open(gate.map, gate.run_seq, self._by):
                    yield []
                    return
                self._cursor = None  # a chunk behind us was given back

    def take(self, gate: Stored[Gate], chunk: Stored[Chunk]) -> Holding | None:
        """Takes this chunk, or returns None if somebody else was faster.

        A hint on it is taken if the chunk's range contains the hint's: it is cleared before anything is listed.
        """
        ctx, now, before = self.ctx, self.ctx.clock(), chunk.value
        ledger = ctx.ledgers.get(before.id)
        hint = ctx.hints.get(before.id)
        newer = gate.value.run != "" and before.run_seq != gate.value.run_seq
        claimed = replace(
            before,
            owner=self.invocation,
            lease_until=now + ctx.settings.stale_after,
            epoch=before.epoch + 1,
            last_commit=f"{self.invocation}:claim:{before.epoch + 1}",
            crashes=before.crashes + 1,
            run_seq=gate.value.run_seq if newer else before.run_seq,
            counts=Counts() if newer else before.counts,
            errors=() if newer else before.errors,
        )
        writes: list[Write] = []
        if hint is not None and hint.value.dirty and _contains(before, hint.value.after, hint.value.until):
            claimed = replace(claimed, unsettled=True)
            writes.append(ctx.hints.update(hint, replace(hint.value, dirty=False)))
        writes.insert(0, ctx.chunks.update(chunk, claimed))
        try:
            revision = ctx.documents.commit(writes, [gate.check])[0]
        except (CommitRefusedError, CommitUnknownError):
            found = ctx.chunks.get(before.id)
            if found is None or found.value.last_commit != claimed.last_commit:
                return None
            revision = found.revision
        # The ledger was read before the claim; the chunk's revision guarded both, so nobody wrote it in between.
        return Holding(ctx, gate, Stored(claimed, revision, chunk.ref), ledger, self.invocation)


def _contains(chunk: Chunk, after: str, until: str | None) -> bool:
    """Whether the chunk still has the whole range, compared by identity of its ends.

    A chunk only ever shrinks from the left (the tail is kept), so the right end tells nothing and the left everything.
    """
    return chunk.after == after and chunk.until == until
