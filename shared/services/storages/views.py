"""StorageInfo as people read it: the state an active run adds to what the last run left."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from shared.model.chunk import Counts
from shared.model.event_work import EventWork
from shared.model.fields import Direction
from shared.model.run import Run
from shared.model.storage import Status, Storage
from shared.services.context import Context
from shared.services.sync import event_notes


class StorageInfo(NamedTuple):
    """The state of a storage now."""

    status: Status
    last_sync: float | None
    last_sync_count: int | None
    last_sync_job: str | None
    traceback: str | None
    meta: dict[str, Any]


def meta_time(moment: float) -> str:
    """A time as Label Studio writes it into `meta`: 2026-11-22 03:53:22.964064+00:00."""
    return str(datetime.fromtimestamp(moment, UTC))


def synced(storage: Storage, counts: Counts, *, whole: bool = True) -> int:
    """`last_sync_count`: tasks that an import made, new records of a dataset, objects of a target that are well.

    `whole`: all of a target was looked at; else what was written is all that is certain.
    """
    return counts.imported if storage.direction == "export" and whole else counts.created


def run_meta(run: Run, counts: Counts, direction: Direction = "import") -> dict[str, Any]:
    """`meta` of a storage for a run, under way or ended."""
    meta: dict[str, Any] = {"attempts": run.attempts, "time_queued": meta_time(run.time_queued)}
    if run.time_in_progress:
        meta["time_in_progress"] = meta_time(run.time_in_progress)
        meta["time_last_ping"] = meta_time(run.time_last_ping)
    last = run.time_ended or run.time_last_ping
    if run.time_ended:
        completed = run.outcome in {"completed", "completed_with_errors"}
        meta["time_completed" if completed else "time_failure"] = meta_time(run.time_ended)
    meta["duration"] = round(max(0.0, last - (run.time_in_progress or run.time_queued)), 6) if last else 0.0
    if run.trigger != "api":
        meta["trigger"] = run.trigger
    if direction == "export":
        meta["total_annotations"] = counts.listed
        meta["objects_written"] = counts.created
        meta["objects_unchanged"] = max(0, counts.imported - counts.created)
        meta["objects_deleted"] = counts.gone
        meta["objects_failed"] = counts.failed
        return meta
    if direction == "import":
        meta["tasks_existed"] = counts.existed
        meta["tasks_failed_validation"] = counts.bad_rows
        meta["tasks_updated"] = counts.updated
    else:
        meta["records_updated"] = counts.updated
    meta["objects_listed"] = counts.listed
    meta["objects_imported"] = counts.imported
    meta["objects_excluded"] = counts.excluded
    meta["objects_failed"] = counts.failed
    meta["objects_gone"] = counts.gone
    if direction == "import":
        meta["tasks_deleted"] = counts.deleted
    return meta


def event_meta(work: EventWork, direction: Direction = "import") -> dict[str, Any]:
    """What `meta` adds for a storage that honours notifications."""
    meta: dict[str, Any] = {}
    if work.last_event:
        meta["last_event"] = meta_time(work.last_event)
    if work.last_event_sync:
        meta["last_event_sync"] = meta_time(work.last_event_sync)
    created = "event_records_created" if direction == "dataset" else "event_tasks_created"
    return meta | {"events": work.events, "event_syncs": work.event_syncs, created: work.event_tasks_created}


def storage_info(ctx: Context, storage: Storage) -> StorageInfo:
    """The state now. Reads the gate, then run and running sums if one is active, else the storage once more.

    In this order: what was read before the gate may be from before the end of a run that the gate no longer knows.
    """
    gate = ctx.gates.get(storage.id)
    # Beside the state of the sync, since work on notifications is none.
    events: dict[str, Any] = {}
    if gate and storage.config.get("auto_sync"):
        events = event_meta(event_notes.seen(ctx, gate.value), storage.direction)
    run = ctx.runs.get(gate.value.run) if gate and gate.value.run else None
    if gate is None or run is None or not run.value.active:
        latest = ctx.storages.get(storage.id)
        storage = latest.value if latest else storage
        return StorageInfo(
            storage.status,
            storage.last_sync,
            storage.last_sync_count,
            storage.last_sync_job,
            storage.traceback,
            {**storage.meta, **events},
        )
    if not run.value.time_in_progress:
        meta = {"attempts": run.value.attempts, "time_queued": meta_time(run.value.time_queued)}
        return StorageInfo("queued", None, None, run.value.id, None, meta | events)
    counts = ctx.chunks.sums(gate.value.map, run.value.seq)
    meta = run_meta(run.value, counts, storage.direction)
    return StorageInfo("in_progress", None, synced(storage, counts), run.value.id, None, meta | events)
