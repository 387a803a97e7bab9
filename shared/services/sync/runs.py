"""The life of a run: start, finalise, fail. Each change is one commit, guarded by the gate."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from shared.errors import CommitRefusedError, CommitUnknownError, InvalidInputError, NotFoundError
from shared.log import logger
from shared.model.chunk import Counts
from shared.model.policies import most_deletions
from shared.model.run import Deletions, Ending, Gate, Lane, Outcome, Run, Trigger, lane_id
from shared.model.schedule import due, scheduled
from shared.model.storage import Storage
from shared.ports import Check, Write
from shared.records.collection import Stored
from shared.services.context import Context
from shared.services.storages.views import run_meta, synced
from shared.services.sync import lanes

RETRIES = 20
MAX_TRACEBACK_LINES = 40
TOO_MANY = (
    "{0} objects are gone, which is more than may take their tasks with them unasked: their tasks were marked "
    "source_deleted, none was deleted. If the bucket, the prefix and the credentials are right and the objects are "
    "meant to be gone, start a sync with ?delete_gone=true; if not, mend them and sync again, and the marks go away."
)


def start_run(
    ctx: Context,
    storage_id: int,
    trigger: Trigger = "api",
    *,
    reimport_deleted: bool = False,
    delete_gone: bool = False,
) -> str:
    """Starts a sync and returns the run's id; a sync under way is left alone and its id returned.

    One commit, then the lanes' messages; whoever dies in between is helped by the sweep. By schedule, "" is returned
    if it is not due (any more). Raises `NotFoundError`, and `InvalidInputError` if the sync under way was not asked
    for what this one is.
    """
    asked = {"reimport_deleted": reimport_deleted, "delete_gone": delete_gone}
    for _ in range(RETRIES):
        gate, storage = ctx.gates.get(storage_id), ctx.storages.get(storage_id)
        if gate is None or storage is None:
            raise NotFoundError(f"Storage {storage_id} does not exist.")
        now = ctx.clock()
        if trigger == "schedule" and not due(storage.value, now):
            return ""
        if gate.value.run:
            _refuse_other(ctx, gate.value, asked)
            return gate.value.run
        run = Run(
            id=ctx.new_id(),
            storage=storage_id,
            project=gate.value.project,
            seq=gate.value.run_seq + 1,
            trigger=trigger,
            lanes=ctx.settings.max_lanes if storage.value.provider.lanes else 1,
            attempts=int(storage.value.meta.get("attempts", 0)) + 1,
            time_queued=now,
            reimport_deleted=reimport_deleted,
            delete_gone=delete_gone,
        )
        mine = [
            Lane(id=lane_id(run.id, number), run=run.id, storage=storage_id, number=number, quiet_since=now)
            for number in range(run.lanes)
        ]
        writes: list[Write] = [
            ctx.gates.update(gate, replace(gate.value, run=run.id, run_seq=run.seq)),
            ctx.runs.create(run.id, run),
            *(ctx.lanes.create(lane.id, lane) for lane in mine),
        ]
        after = scheduled(storage.value, started=now)
        moves = after != storage.value
        if moves:
            writes.append(ctx.storages.update(storage, after))
        try:
            ctx.documents.commit(writes, [] if moves else [storage.check])
        except (CommitRefusedError, CommitUnknownError):
            continue
        logger.info("run started", action="run.start", storage=storage_id, run=run.id, trigger=trigger)
        lanes.send_all(ctx, run.id)
        return run.id
    raise CommitRefusedError(f"storage {storage_id} is being changed by others; try again")


def _refuse_other(ctx: Context, gate: Gate, asked: Mapping[str, bool]) -> None:
    """Raises `InvalidInputError` if the active run does not do what is asked for."""
    run = ctx.runs.get(gate.run) if any(asked.values()) else None
    for name, wanted in asked.items():
        if run is not None and wanted and not getattr(run.value, name):
            raise InvalidInputError.of(name, "A sync without it is under way: ask again when that has ended.")


def finalise(ctx: Context, gate: Stored[Gate]) -> bool:
    """Ends the active run as completed if it has no work left; whether it (or somebody just now) ended it.

    If nothing but deletions is left, it gives the verdict on them, and the run goes on.
    """
    if not gate.value.run:
        return True
    if ctx.chunks.any_open(gate.value.map, gate.value.run_seq):
        if not ctx.chunks.any_open(gate.value.map, gate.value.run_seq, "seen_seq"):
            _judge_deletions(ctx, gate)
        return False
    counts = ctx.chunks.sums(gate.value.map, gate.value.run_seq)
    outcome: Outcome = "completed"
    reasons: list[str] = []
    run = ctx.runs.get(gate.value.run)
    if run is not None and run.value.deletions == "refused":
        outcome = "completed_with_errors"
        reasons.append(TOO_MANY.format(counts.doomed))
    if counts.failed or counts.bad_rows:
        outcome = "completed_with_errors"
        reasons.append(failures(ctx, gate.value, counts))
        if not counts.imported and _writes(ctx, gate.value.storage):
            outcome = "failed"  # not a single object is in the bucket
    return end_run(ctx, gate, Ending(outcome=outcome, traceback="\n".join(reasons), counts=counts))


def _judge_deletions(ctx: Context, gate: Stored[Gate]) -> None:
    """Says once for the run whether the tasks of what is gone are deleted, now that all of the bucket was seen."""
    settings = ctx.settings
    for _ in range(RETRIES):
        run = ctx.runs.get(gate.value.run)
        if run is None or not run.value.active or run.value.deletions:
            return
        counts = ctx.chunks.sums(gate.value.map, gate.value.run_seq)
        known = counts.listed - counts.excluded + counts.doomed
        few = counts.doomed <= most_deletions(known, settings.deletion_floor, settings.deletion_share)
        verdict: Deletions = "allowed" if few or run.value.delete_gone else "refused"
        try:
            ctx.documents.commit([ctx.runs.update(run, replace(run.value, deletions=verdict))], [gate.check])
        except (CommitRefusedError, CommitUnknownError):
            continue  # a ping, or somebody else's verdict
        logger.info(
            "verdict on deletions", action="run.deletions", run=run.value.id, objects=counts.doomed, verdict=verdict
        )
        return


def failures(ctx: Context, gate: Gate, counts: Counts) -> str:
    """What went wrong with single objects and rows, for people: a summary and the first few."""
    lines = [
        line for chunk in ctx.chunks.failing(gate.map, gate.run_seq, MAX_TRACEBACK_LINES) for line in chunk.value.errors
    ][:MAX_TRACEBACK_LINES]
    total = counts.failed + counts.bad_rows
    stored = ctx.storages.get(gate.storage)
    summary = f"{counts.failed} objects and {counts.bad_rows} rows could not be imported."
    if stored is not None and stored.value.direction == "export":
        summary = f"{counts.failed} of {counts.listed} objects could not be written or deleted."
    if stored is not None and stored.value.direction == "dataset":
        summary = f"{counts.failed} objects can't be records."
    more = [f"... and {total - len(lines)} more"] if total > len(lines) else []
    return "\n".join([summary, *sorted(lines), *more])


def _writes(ctx: Context, storage: int) -> bool:
    stored = ctx.storages.get(storage)
    return stored is not None and stored.value.direction == "export"


def fail_visibly(ctx: Context, storage: int, reason: str) -> None:
    """Fails what no run did, so that people see it: a run is opened for the reason alone. One under way sees itself."""
    gate = ctx.gates.get(storage)
    if gate is None or gate.value.run:
        return
    started = start_run(ctx, storage, "event")
    gate = ctx.gates.get(storage)
    if gate is not None and gate.value.run == started:
        fail(ctx, gate, reason)


def fail(ctx: Context, gate: Stored[Gate], reason: str, checks: Sequence[Check] = ()) -> bool:
    """Ends the active run as failed with a reason people can act on; what was imported stays."""
    counts = ctx.chunks.sums(gate.value.map, gate.value.run_seq)
    return end_run(ctx, gate, Ending(outcome="failed", traceback=reason, counts=counts), checks=checks)


def end_run(
    ctx: Context,
    gate: Stored[Gate],
    ending: Ending,
    *,
    checks: Sequence[Check] = (),
) -> bool:
    """Ends the active run in one commit: gate, run and StorageInfo. Everything that checks the gate is refused then.

    Returns False where `gate` is no longer current or a check does not hold: read again and decide again.
    """
    for _ in range(RETRIES):
        run, storage = ctx.runs.get(gate.value.run), ctx.storages.get(gate.value.storage)
        if run is None or storage is None:
            return False
        writes, ended = ending_writes(ctx, gate, run, storage, ending)
        try:
            ctx.documents.commit(writes, checks)
        except (CommitRefusedError, CommitUnknownError):
            now_gate = ctx.gates.get(gate.value.storage)
            if now_gate is None or now_gate.revision != gate.revision:
                return now_gate is None or now_gate.value.run != gate.value.run
            if _any_moved(ctx, checks):
                return False
            continue  # a ping or an edit of the title moved a document that the end writes: take it along
        logger.info(
            "run ended",
            action="run.end",
            storage=gate.value.storage,
            run=ended.id,
            outcome=ended.outcome,
            reason=ended.traceback[:500],
            **ended.counts._asdict(),
        )
        return True
    return False


def ending_writes(
    ctx: Context,
    gate: Stored[Gate],
    run: Stored[Run],
    storage: Stored[Storage],
    ending: Ending,
    *,
    gate_changes: Mapping[str, Any] = MappingProxyType({}),
    storage_changes: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[list[Write], Run]:
    """The writes that end a run, for callers that change gate and storage in the same commit (edits)."""
    now = ctx.clock()
    ended = replace(
        run.value,
        active=False,
        outcome=ending.outcome,
        traceback=ending.traceback,
        counts=ending.counts,
        time_ended=now,
    )
    clean = ending.outcome in {"completed", "completed_with_errors"}
    info = replace(
        storage.value,
        status=ending.outcome if ending.outcome in {"completed", "completed_with_errors"} else "failed",
        last_sync=now if clean else None,
        last_sync_count=synced(storage.value, ending.counts, whole=clean),
        last_sync_job=run.value.id,
        traceback=ending.traceback or None,
        meta=run_meta(ended, ending.counts, storage.value.direction),
        failures=storage.value.failures + 1 if ending.outcome == "failed" else 0,
        **storage_changes,
    )
    info = scheduled(info, started=ended.time_queued)
    writes: list[Write] = [
        ctx.gates.update(gate, replace(gate.value, run="", **gate_changes)),
        ctx.runs.update(run, ended),
        ctx.storages.update(storage, info),
    ]
    return writes, ended


def _any_moved(ctx: Context, checks: Sequence[Check]) -> bool:
    found = ctx.documents.get_many([check.ref for check in checks]) if checks else []
    return any((d.revision if d else None) != check.revision for d, check in zip(found, checks, strict=True))
