"""What lies in a chunk's range; a range that does not fit is cut, and the tail kept."""

from shared.errors import StoreError
from shared.model.chunk import start_index
from shared.model.ledger import split
from shared.ports import Create
from shared.services.context import Context
from shared.services.sync.holding import Holding
from shared.services.sync.walking import Pending, Walk


def refuse_deadly(ctx: Context, holding: Holding) -> None:
    """Raises the `StoreError` of a chunk that killed its worker too often without any progress."""
    if holding.chunk.crashes > ctx.settings.max_chunk_crashes:
        fault = holding.chunk.fault or "the worker died each time, without a word (out of memory?)"
        raise StoreError(f"A part of the bucket stopped its worker {holding.chunk.crashes - 1} times in a row: {fault}")


def list_range(ctx: Context, holding: Holding, walk: Walk, deadline: float) -> Pending | None:
    """What lies in the chunk's range; cuts off full chunks while it does not fit, and they stay cut off.

    None: out of time, and the chunk is given back. Raises `ChunkLostError`, or the `StoreError` that stopped it.
    """
    chunk = holding.chunk
    pending = Pending(ctx.settings, walk.scope)
    for page in walk.pages(chunk.after, chunk.until):
        for info in page:
            if (last := pending.add(info)) is not None:
                _spin_off(ctx, holding, walk, last)
        if ctx.out_of_time(deadline) and holding.chunk.after != chunk.after:
            holding.commit(lease_until=0.0, crashes=0, tries=0)
            return None
    return pending


def _spin_off(ctx: Context, holding: Holding, walk: Walk, last: str) -> None:
    """Keep the tail: everything up to `last` becomes a chunk, as open and as unsettled as this one."""
    chunk, sort_key = holding.chunk, walk.store.sort_key
    left, right = split(holding.ledger, sort_key(last), sort_key)
    page = chunk.cut_off(ctx.new_id(), last)
    writes: list[Create] = [ctx.chunks.create(page.id, page)]
    if left:
        blob = ctx.ledgers.write(page.id, left, exists=False, storage_map=page.map)
        assert isinstance(blob, Create)  # noqa: S101
        writes.append(blob)
    holding.commit(
        writes,
        ledger=right if left else None,
        after=last,
        start=start_index(sort_key(last)),
        crashes=0,
        tries=0,
    )
