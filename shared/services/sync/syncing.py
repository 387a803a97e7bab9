"""What a woken worker does: claim open chunks and sync them until its time slice ends, then hand its lane on.

It acknowledges without a successor only when its run is over, or when it saw that no chunk is open (then it ends the
run). While any chunk is open, leased or not, the lane goes on. Nothing here answers the queue with an error for what
is expected: faults of a bucket are kept on the chunk, and the lane works elsewhere or comes back later.
"""

from collections.abc import Callable

from shared.errors import ObjectNotFoundError, SluiceError, StoreError, StoreUnavailableError
from shared.log import logger
from shared.model.chunk import backoff
from shared.model.fields import Direction
from shared.model.ledger import diff, owed
from shared.model.run import Permit, lane_id
from shared.model.sidecars import Pairs, paired
from shared.model.storage import Scope, Storage
from shared.ports import ObjectInfo, ObjectStore
from shared.services.context import Context
from shared.services.datasets.indexing import IndexSync
from shared.services.exports.full_sync import FullSync
from shared.services.imports.importing import Importer
from shared.services.imports.undeleting import undelete
from shared.services.sync import hints, lanes, runs
from shared.services.sync.claiming import Claimer
from shared.services.sync.holding import ChunkLostError, Holding, ping
from shared.services.sync.listing import list_range, refuse_deadly
from shared.services.sync.walking import Pending, Walk


def run_permit(ctx: Context, permit: Permit) -> None:
    """Works on what the permit names. May be called twice with the same permit, also at the same time."""
    if permit.hint:
        hints.run_permit(ctx, permit, sync_held)
        return
    lane = ctx.lanes.get(lane_id(permit.run, permit.lane))
    gate = ctx.gates.get(permit.storage)
    if gate is None or gate.value.run != permit.run or lane is None:
        return
    if lane.value.ticket != permit.ticket:
        lanes.send(ctx, lane)
        return
    if work(ctx, permit):
        return
    lanes.advance(ctx, permit, idle=False)


def work(ctx: Context, permit: Permit) -> bool:
    """Syncs chunk after chunk. True: the permit is spent; False: there is more to do, later."""
    deadline = ctx.clock() + ctx.settings.slice_seconds
    storage = ctx.storages.get(permit.storage)
    if storage is None:
        return True
    deletes = storage.value.direction == "import" and storage.value.policies.deletes
    claimer = Claimer(ctx, in_order=not storage.value.provider.lanes, deletes=deletes)
    walk: Walk | None = None
    first = True
    while True:
        gate = ctx.gates.get(permit.storage)
        if gate is None or gate.value.run != permit.run:
            return True
        holding = claimer.next(gate)
        if holding == "none open":
            if not runs.finalise(ctx, gate):
                if claimer.decided(gate):
                    continue  # of deletions that waited
                lanes.advance(ctx, permit, idle=True)  # others are ending it; look again later, not in a circle
            return True
        if isinstance(holding, str):
            lanes.advance(ctx, permit, idle=first)
            return True
        if first:
            ping(ctx, permit.run)
            first = False
        walk = sync_held(ctx, holding, walk, deadline)
        if ctx.out_of_time(deadline):
            return False


def sync_held(ctx: Context, holding: Holding, walk: Walk | None, deadline: float) -> Walk | None:
    """Syncs a chunk as far as time allows, and settles what went wrong. Returns the walk if it can be carried on."""
    with ctx.heartbeat(holding):
        try:
            storage = ctx.storages.get(holding.gate.value.storage)
            if storage is None:
                return None
            if walk is None or holding.chunk.unsettled:
                walk = Walk(ctx.open_store(storage.value), Scope.of(storage.value))
            SYNCS[storage.value.direction](ctx, holding, storage.value, walk, deadline).run()
            return walk
        except ChunkLostError:
            logger.info("chunk lost", action="chunk.lost", chunk=holding.chunk.id, storage=holding.chunk.storage)
        except StoreUnavailableError as error:
            _put_off(ctx, holding, str(error))
        except StoreError as error:
            _fail(ctx, holding, str(error))
        except Exception as error:  # noqa: BLE001  any bug costs one chunk a pause, and in the end the run: never silence
            logger.exception("chunk failed", action="chunk.error", chunk=holding.chunk.id)
            text = str(error) if isinstance(error, SluiceError) else type(error).__name__
            _crashed(ctx, holding, f"The sync ran into an unexpected error ({text}); the log has the details.")
    return None


def _put_off(ctx: Context, holding: Holding, reason: str) -> None:
    """A fault that may pass: the chunk is left alone for a while; after too many in a row the run fails."""
    tries = holding.chunk.tries + 1
    if tries > ctx.settings.max_tries:
        _fail(ctx, holding, f"{reason}\nGiven up after {tries - 1} tries in a row.")
        return
    pause = backoff(tries, ctx.settings.max_backoff)
    logger.warning("chunk put off", action="chunk.retry", chunk=holding.chunk.id, reason=reason, seconds=pause)
    try:
        # Only the claim counted a crash, and this was none.
        crashes = max(0, holding.chunk.crashes - 1)
        until = ctx.clock() + pause
        holding.commit(tries=tries, crashes=crashes, fault=reason[:500], not_before=until, lease_until=0.0, trying="")
    except ChunkLostError:
        return


def _crashed(ctx: Context, holding: Holding, reason: str) -> None:
    """An error of ours: it stays counted as a crash, and the chunk is tried again later."""
    if holding.chunk.crashes >= ctx.settings.max_chunk_crashes:
        _fail(ctx, holding, reason)
        return
    pause = backoff(holding.chunk.crashes, ctx.settings.max_backoff)
    try:
        holding.commit(fault=reason[:500], not_before=ctx.clock() + pause, lease_until=0.0)
    except ChunkLostError:
        return


def _fail(ctx: Context, holding: Holding, reason: str) -> None:
    """A permanent fault: the run ends now, with the reason; in event work a run is opened to show it."""
    try:
        holding.commit(lease_until=0.0, fault=reason[:500], crashes=max(0, holding.chunk.crashes - 1))
    except ChunkLostError:
        return
    gate = ctx.gates.get(holding.chunk.storage)
    if gate is not None and not gate.value.run:
        runs.start_run(ctx, holding.chunk.storage, "event")
        gate = ctx.gates.get(holding.chunk.storage)
    if gate is not None and gate.value.run and holding.gate.value.run in {"", gate.value.run}:
        runs.fail(ctx, gate, reason)


class ChunkSync:
    """One sync of one held chunk: list, cut if it does not fit, diff, import, done."""

    def __init__(self, ctx: Context, holding: Holding, storage: Storage, walk: Walk, deadline: float) -> None:
        self.ctx = ctx
        self.holding = holding
        self.storage = storage
        self.walk = walk
        self.deadline = deadline
        self.store: ObjectStore = walk.store

    def run(self) -> None:
        """Syncs the chunk. Raises `ChunkLostError`, or the `StoreError` that stopped it."""
        refuse_deadly(self.ctx, self.holding)
        gate, chunk = self.holding.gate.value, self.holding.chunk
        stored = self.ctx.runs.get(gate.run) if gate.run else None
        run = stored.value if stored else None
        wants, policies = self.walk.scope.wants, self.storage.policies
        importer = Importer(self.ctx, self.holding, self.storage, self.store, self.deadline, run)
        if run is not None and run.deletions and chunk.seen_seq == gate.run_seq and not chunk.unsettled:
            importer.settle(owed(self.holding.ledger, wants=wants, policies=policies))
            return
        pending = list_range(self.ctx, self.holding, self.walk, self.deadline)
        if pending is None:
            return  # what was cut off so far stays cut off
        found, sidecars = self._paired(pending)
        if (
            run is not None
            and run.reimport_deleted
            and not undelete(self.ctx, self.holding, self.storage, run, found, self.deadline)
        ):
            return
        plan = diff(found, self.holding.ledger, shape=self.storage.shape, wants=wants, policies=policies)
        importer.run(plan, found, pending.listed - len(found), sidecars)

    def _paired(self, pending: Pending) -> Pairs:
        """What was listed, with the sidecars that belong to it, also where those lie outside of the chunk's range."""
        if not self.walk.scope.sidecars:
            return Pairs(pending.wanted, {})
        sort_key = self.store.sort_key
        low = sort_key(self.holding.chunk.after) if self.holding.chunk.after else b""
        high = None if self.holding.chunk.until is None else sort_key(self.holding.chunk.until)

        def elsewhere(key: str) -> ObjectInfo | None:
            if low < sort_key(key) and (high is None or sort_key(key) <= high):
                return None  # it would have been listed
            try:
                return self.store.stat(key).info
            except ObjectNotFoundError:
                return None

        return paired(pending.wanted, elsewhere)


SYNCS: dict[Direction, Callable[[Context, Holding, Storage, Walk, float], FullSync | ChunkSync | IndexSync]] = {
    "import": ChunkSync,
    "export": FullSync,
    "dataset": IndexSync,
}
"""What the sync of a chunk is."""
