"""When a storage with a `sync_interval` is synced next."""

from dataclasses import replace

from shared.model.storage import Storage

MINUTE = 60.0
LONGEST = 86_400.0
"""Seconds up to which failures in a row put off the next sync, unless the interval itself is longer."""


def scheduled(storage: Storage, *, started: float | None) -> Storage:
    """The storage with the time of its next sync, counted from the start of the last; None: there was none.

    The interval doubles with each sync in a row that failed, so that a broken storage costs little.
    """
    interval = MINUTE * (storage.config.get("sync_interval") or 0)
    if not interval or not storage.config.get("synchronizable", True) or not storage.has_bucket:
        return replace(storage, next_sync=None)
    if started is None:
        return replace(storage, next_sync=storage.created_at)
    pause = min(interval * 2.0 ** min(storage.failures, 30), max(interval, LONGEST))
    return replace(storage, next_sync=started + pause)


def due(storage: Storage, now: float) -> bool:
    """Whether its schedule wants a sync to be started now."""
    return storage.next_sync is not None and storage.next_sync <= now
