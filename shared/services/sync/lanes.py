"""Lanes: chains of messages that wake workers. A ticket is committed, then enqueued, then confirmed.

Whoever dies between two of these leaves an unconfirmed ticket, which the sweep (or any older message of the lane)
enqueues under its own name; a name that was used once is refused by the queue, so nothing is sent twice.
"""

from dataclasses import replace

import orjson

from shared.errors import CommitRefusedError, CommitUnknownError
from shared.model.run import Lane, Permit, lane_id, lane_message
from shared.ports import Message
from shared.records.collection import Stored
from shared.services.context import QUEUE_RUNS, SYNC_CHUNK, Context

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


def send_all(ctx: Context, run: str) -> None:
    """Enqueues every ticket of a run that is not confirmed, and confirms them together."""
    waiting = [lane for lane in ctx.lanes.of_run(run) if lane.value.confirmed < lane.value.ticket]
    for lane in waiting:
        ctx.queue.enqueue(_message(lane.value, 0.0))
    _confirm(ctx, waiting)


def send(ctx: Context, lane: Stored[Lane], *, delay: float = 0.0) -> None:
    """Makes sure that the message of the lane's ticket was queued once."""
    if lane.value.confirmed < lane.value.ticket:
        ctx.queue.enqueue(_message(lane.value, delay))
        _confirm(ctx, [lane])


def advance(ctx: Context, permit: Permit, *, idle: bool) -> None:
    """Hands the lane over to its next ticket; does nothing if another holder of this ticket was faster.

    `idle`: nothing could be claimed, so the message is delayed: 1 s, doubling to 30 s.
    """
    for _ in range(2):  # the second time for a confirmation that came in between
        lane = ctx.lanes.get(lane_id(permit.run, permit.lane))
        if lane is None or lane.value.ticket != permit.ticket:
            return
        times = lane.value.idle + 1 if idle else 0
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(times - 1, 10)) if idle else 0.0
        moved = replace(lane.value, ticket=permit.ticket + 1, idle=times, quiet_since=ctx.clock())
        try:
            revision = ctx.documents.commit([ctx.lanes.update(lane, moved)])[0]
        except (CommitRefusedError, CommitUnknownError):
            continue
        send(ctx, Stored(moved, revision, lane.ref), delay=pause)
        return


def message_name(lane: Lane) -> str:
    """Name of the message of the lane's current ticket."""
    return lane_message(lane.run, lane.number, lane.ticket)


def _message(lane: Lane, delay: float) -> Message:
    body = {"storage": lane.storage, "run": lane.run, "lane": lane.number, "ticket": lane.ticket}
    return Message(QUEUE_RUNS, message_name(lane), SYNC_CHUNK, orjson.dumps(body), delay)


def _confirm(ctx: Context, lanes: list[Stored[Lane]]) -> None:
    """Marks tickets as queued; a lane that moved on meanwhile needs no mark."""
    if not lanes:
        return
    try:
        ctx.documents.commit(
            [ctx.lanes.update(lane, replace(lane.value, confirmed=lane.value.ticket)) for lane in lanes]
        )
    except (CommitRefusedError, CommitUnknownError):
        if len(lanes) > 1:
            for lane in lanes:
                _confirm(ctx, [lane])
