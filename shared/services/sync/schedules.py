"""Schedules: storages that are synced again and again. The sweep starts what is due, as it stands on the storage.

A sync by schedule is one like any other. Where one is under way, the due one is folded into it.
"""

from shared.errors import SluiceError
from shared.log import logger
from shared.model.schedule import due, scheduled
from shared.services.context import Context
from shared.services.sync import runs


def start_due(ctx: Context, limit: int) -> None:
    """Starts the syncs that are due, the longest due first, at most so many. Harmless twice at once.

    Whoever starts one moves the time in the same commit, so that nobody starts it again.
    """
    for stored in ctx.storages.due(ctx.clock(), limit):
        try:
            if not _folded(ctx, stored.value.id):
                runs.start_run(ctx, stored.value.id, "schedule")
        except SluiceError as error:
            logger.error(
                "sweep could not start a sync", action="sweep.schedule", storage=stored.value.id, reason=str(error)
            )


def _folded(ctx: Context, number: int) -> bool:
    """Whether a sync is under way, which then counts; the next one is due an interval from now."""
    storage, gate = ctx.storages.get(number), ctx.gates.get(number)
    if storage is None or gate is None or not gate.value.run:
        return False
    now = ctx.clock()
    if due(storage.value, now):
        ctx.documents.commit([ctx.storages.update(storage, scheduled(storage.value, started=now))])
    return True
