"""Is a run still alive? Answered for every read of a storage and by the sweep, with one rule.

A run is stale when no lease on its chunks is live, its last sign of life is older than five heartbeats, and the queue
holds no message for the confirmed ticket of any of its lanes. A backlog waits in the queue, so it is not stale.
"""

from shared.log import logger
from shared.model.run import Gate
from shared.ports import MessageState
from shared.records.collection import Stored
from shared.services.context import QUEUE_RUNS, Context
from shared.services.sync import lanes, runs

MAX_DISPATCHES = 10
"""Deliveries of one ticket, none of which led to a claim, before the platform's answer is the reason to fail."""

NO_MESSAGE = (
    "The sync was stopped: nobody works on it and its messages are gone from the queue.\n"
    "This typically occurs if the queue was purged or a message was deleted. "
    "What was imported so far is kept; start the sync again to import the rest."
)


def ensure_status(ctx: Context, storage: int) -> None:
    """Ends the storage's active run if it has nothing left to do (completed) or nobody left to do it (failed)."""
    gate = ctx.gates.get(storage)
    if gate is not None and gate.value.run:
        judge(ctx, gate)


def judge(ctx: Context, gate: Stored[Gate]) -> None:
    """Finalises or fails the gate's active run if that is due. Harmless at any time, by anybody, twice at once."""
    if runs.finalise(ctx, gate):
        return
    run = ctx.runs.get(gate.value.run)
    if run is None:
        return
    now = ctx.clock()
    if ctx.chunks.any_leased(gate.value.map, now):
        return
    members = ctx.lanes.of_run(run.value.id)
    if any(lane.value.confirmed < lane.value.ticket for lane in members):
        return  # enqueueing is owed, not lost
    quiet_since = max([run.value.time_queued, run.value.time_last_ping, *(lane.value.quiet_since for lane in members)])
    if now - quiet_since <= ctx.settings.stale_after:
        return
    # Read the lanes, ask the queue, commit: the verdict checks the lanes, so one that moved on refuses it.
    reason = _reason([ctx.queue.state(QUEUE_RUNS, lanes.message_name(lane.value)) for lane in members])
    if reason and runs.fail(ctx, gate, reason, [lane.check for lane in members]):
        logger.warning("run is stale", action="run.stale", storage=gate.value.storage, run=run.value.id)


def _reason(states: list[MessageState]) -> str:
    """Why the run is dead, "" if it is not."""
    if all(state.absent for state in states):
        return NO_MESSAGE
    refused = [state for state in states if state.dispatches >= MAX_DISPATCHES and state.last_status]
    if len(refused) == len(states):
        status = refused[0].last_status
        return (
            f"The sync was stopped: its messages were delivered {refused[0].dispatches} times and each time answered "
            f"with HTTP {status}. Check that the function sync_chunk is deployed and that the queue may call it."
        )
    return ""
