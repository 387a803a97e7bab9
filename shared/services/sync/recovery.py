"""After a restart of the only server of a data directory: whatever an earlier process leased is free."""

from dataclasses import replace

from shared.errors import CommitRefusedError
from shared.log import logger
from shared.services.context import Context


def expire_leases(ctx: Context) -> int:
    """Ends the leases of earlier processes; returns how many. Only where no other process can be at work.

    The waiting time of five heartbeats is for processes that might still live; a data directory's lock says they don't.
    """
    ended = 0
    after = None
    while True:
        page = ctx.runs.active(after, 50)
        for run in page:
            gate = ctx.gates.get(run.value.storage)
            if gate is not None:
                ended += _expire(ctx, gate.value.map)
        if len(page) < 50:
            break
        after = (page[-1].value.id,)
    for chunk in ctx.chunks.unsettled(1000):
        ended += _expire(ctx, chunk.value.map)
    if ended:
        logger.info("leases of an earlier process ended", action="recovery.leases", chunks=ended)
    return ended


def _expire(ctx: Context, storage_map: str) -> int:
    ended = 0
    for chunk in ctx.chunks.leased(storage_map, ctx.clock(), 500):
        if chunk.value.owner.startswith(ctx.boot + "/"):
            continue
        try:
            ctx.documents.commit([ctx.chunks.update(chunk, replace(chunk.value, lease_until=0.0))])
            ended += 1
        except CommitRefusedError:
            continue
    return ended
