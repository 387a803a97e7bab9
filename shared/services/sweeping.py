"""The sweep: once a minute it heals whatever a dead process left behind. Bounded, re-entrant, never the only hope.

Order matters: enqueue what is owed, finalise what can be, start what is due, wake what lies unowned.
"""

from shared.errors import SluiceError
from shared.log import logger
from shared.ports import Delete
from shared.services import idempotency
from shared.services.accounts import issuing
from shared.services.context import Context
from shared.services.datasets import additions
from shared.services.exports import dues
from shared.services.migrations import migrating
from shared.services.sync import event_notes, hints, lanes, schedules, status
from shared.services.trash import collect_trash
from shared.services.webhooks import outbox

MAX_RUNS = 200
MAX_SCHEDULED = 100
MAX_WAKES = 200
MAX_DELIVERIES = 200
MAX_TRASH = 2000
MAX_OLD_RUNS = 50
MAX_OLD_UPLOADS = 200
MAX_OLD_ADDITIONS = 200
MAX_TOMBSTONES = 400
MAX_OLD_KEYS = 2000
MAX_OLD_TOKENS = 400
MAX_MIGRATED = 1000


def sweep(ctx: Context) -> None:
    """One pass. What fails for one storage is logged and does not keep the others waiting."""
    after = None
    seen = 0
    while seen < MAX_RUNS:
        page = ctx.runs.active(after, 50)
        for run in page:
            _guarded(ctx, run.value.storage, run.value.id)
        seen += len(page)
        if len(page) < 50:
            break
        after = (page[-1].value.id,)
    schedules.start_due(ctx, MAX_SCHEDULED)
    _wake(ctx)
    _wake_owed(ctx)
    event_notes.write_down(ctx)
    _forget_old_runs(ctx)
    _forget_old_uploads(ctx)
    _forget_old_additions(ctx)
    _forget_tombstones(ctx)
    idempotency.forget(ctx, MAX_OLD_KEYS)
    issuing.forget_expired(ctx, MAX_OLD_TOKENS)
    migrating.migrate(ctx, MAX_MIGRATED)
    collect_trash(ctx, MAX_TRASH)
    ctx.documents.maintain()


def _forget_old_runs(ctx: Context) -> None:
    """Removes runs that ended long ago, with their lanes."""
    for run in ctx.runs.ended_before(ctx.clock() - ctx.settings.keep_runs_days * 86_400, MAX_OLD_RUNS):
        members = ctx.lanes.of_run(run.value.id)
        ctx.documents.commit([*(Delete(lane.ref, None) for lane in members), Delete(run.ref, None)])


def _forget_old_uploads(ctx: Context) -> None:
    """Removes the records of uploads that began long ago; their tasks stay."""
    old = ctx.uploads.begun_before(ctx.clock() - ctx.settings.keep_runs_days * 86_400, MAX_OLD_UPLOADS)
    if old:
        ctx.documents.commit([Delete(upload.ref, None) for upload in old])


def _forget_old_additions(ctx: Context) -> None:
    """Removes what is known of additions that ended long ago; their tasks stay."""
    old = ctx.additions.ended_before(ctx.clock() - ctx.settings.keep_runs_days * 86_400, MAX_OLD_ADDITIONS)
    if old:
        ctx.documents.commit([Delete(addition.ref, None) for addition in old])


def _forget_tombstones(ctx: Context) -> None:
    """Removes links of units that were deleted so long ago that no late writer can be left."""
    old = ctx.links.tombstones(ctx.clock() - ctx.settings.keep_tombstones_days * 86_400, MAX_TOMBSTONES)
    if old:
        ctx.documents.commit([Delete(link.ref, None) for link in old])


def _guarded(ctx: Context, storage: int, run: str) -> None:
    try:
        lanes.send_all(ctx, run)
        status.ensure_status(ctx, storage)
    except SluiceError as error:
        logger.error(
            "sweep could not look after a run", action="sweep.run", run=run, storage=storage, reason=str(error)
        )


def _wake_owed(ctx: Context) -> None:
    """What is owed to webhooks, targets and projects, and what no message is known of."""
    for desk in (outbox.DESK, dues.DESK, additions.DESK):
        try:
            desk.wake_overdue(ctx, MAX_DELIVERIES)
        except SluiceError as error:  # such as a function whose URL is not configured: the rest goes on
            logger.error("sweep could not look after what is owed", action=f"sweep.{desk.kind}", reason=str(error))


def _wake(ctx: Context) -> None:
    """Hints and unsettled chunks that nobody has owned for a while."""
    now = ctx.clock()
    before = now - ctx.settings.rewake_seconds
    for hint in ctx.hints.dirty(before, MAX_WAKES):
        hints.wake(ctx, hint)
    for chunk in ctx.chunks.unsettled(MAX_WAKES):
        if chunk.value.leased(now):
            continue
        known = ctx.hints.get(chunk.value.id)
        if known is None or known.value.since < before:
            hints.wake_chunk(ctx, chunk.value)
