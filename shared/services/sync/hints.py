"""Hints: an event says that a range is dirty, and nothing more. A permit wakes a worker for it.

The hint is cleared by the claim that takes it, before anything is listed, so an object that was there when its event
came is always seen. Work on a hint is no run: it leaves status and last_sync_count alone.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import orjson

from shared.errors import CommitRefusedError, CommitUnknownError
from shared.log import logger
from shared.model.chunk import Chunk, start_index
from shared.model.run import Gate, Hint, Permit, hint_message
from shared.ports import Create, Message, Update
from shared.records.collection import Stored
from shared.services.context import QUEUE_EVENTS, SYNC_CHUNK, Context
from shared.services.sync import event_notes, runs
from shared.services.sync.claiming import Claimer
from shared.services.sync.holding import Holding
from shared.services.sync.walking import Walk

RETRIES = 5
PAUSE = 5.0
"""Delay of a permit that has to come back."""

SortKey = Callable[[str], bytes]
SyncHeld = Callable[[Context, Holding, Walk | None, float], Walk | None]


def mark_all(ctx: Context, gate: Gate, sort_key: SortKey, keys: Iterable[str]) -> None:
    """Notes that something changed at each of the keys; costs the chunks that they lie in, not the keys.

    One mark serves all keys in its range: they all changed before this call, and the mark was seen after it began.
    Raises `CommitRefusedError`, `QueueUnavailableError`: some may not be noted; call it again.
    """
    known: Hint | None = None
    for key in sorted(set(keys), key=sort_key):
        if known is None or not _within(known, sort_key, key):
            known = mark_dirty(ctx, gate, sort_key, key)


def mark_dirty(ctx: Context, gate: Gate, sort_key: SortKey, key: str) -> Hint | None:
    """Notes that something changed at `key`, and returns the hint that says so; None if no chunk holds the key.

    Writes nothing if it is noted already, which costs two reads. While events pour in, a hint is written when it is
    set, when its message was queued, and when a claim takes it, and none of these more than once per `event_window`:
    at most 3 x (windows + 2) writes and (windows + 2) listings for each chunk that events touch.
    Idempotent; an event may be told twice, late or out of order. Raises `CommitRefusedError`, `QueueUnavailableError`.
    """
    for _ in range(RETRIES):
        chunk = covering(ctx, gate.map, sort_key, key)
        if chunk is None:
            return None
        hint = ctx.hints.get(chunk.id)
        now, window = ctx.clock(), ctx.settings.event_window
        if hint is not None and hint.value.dirty and _within(hint.value, sort_key, key):
            if now - hint.value.since < 2 * window:
                send(ctx, hint, delay=window)  # whoever set it may have died before its message was queued
                return hint.value
            marked = replace(hint.value, ticket=hint.value.ticket + 1, since=now)
        elif hint is not None:
            after = min(hint.value.after, chunk.after, key=sort_key) if hint.value.dirty else chunk.after
            ticket = hint.value.ticket + 1
            marked = replace(hint.value, dirty=True, ticket=ticket, after=after, until=chunk.until, since=now)
        else:
            marked = _new(chunk, now)
        write = ctx.hints.update(hint, marked) if hint is not None else ctx.hints.create(chunk.id, marked)
        try:
            revision = ctx.documents.commit([write])[0]
        except (CommitRefusedError, CommitUnknownError):
            continue
        send(ctx, Stored(marked, revision, write.ref), delay=window)
        return marked
    raise CommitRefusedError(f"a hint of storage {gate.storage} is being changed by others; try again")


def covering(ctx: Context, storage_map: str, sort_key: SortKey, key: str) -> Chunk | None:
    """The chunk whose range holds the key. Mostly the first one read; more are where long keys begin alike."""
    found_key = sort_key(key)
    for limit in (1, 20):
        found = ctx.chunks.find(
            ("map", "==", storage_map), ("start", "<=", start_index(found_key)), order=("-start",), limit=limit
        )
        for chunk in found:
            if _in_range(chunk.value, sort_key, found_key):
                return chunk.value
    return None


def run_permit(ctx: Context, permit: Permit, sync_held: SyncHeld) -> None:
    """Syncs the chunk of a hint if it is dirty or unsettled; leaves a later permit if it can't be done now."""
    while True:
        hint, gate = ctx.hints.get(permit.hint), ctx.gates.get(permit.storage)
        chunk = ctx.chunks.get(permit.hint)
        if hint is None or gate is None or chunk is None or chunk.value.map != gate.value.map:
            return
        if hint.value.ticket != permit.ticket:
            send(ctx, hint)
            return
        if hint.value.dirty and hint.value.after != chunk.value.after:
            _split(ctx, hint, chunk.value)
            continue
        if not hint.value.dirty and not chunk.value.unsettled:
            runs.finalise(ctx, gate)
            return
        holding = None
        if chunk.value.claimable(ctx.clock()):
            holding = Claimer(ctx, in_order=False).take(gate, chunk)
        if holding is None:
            wake(ctx, hint, delay=PAUSE)
            return
        created = holding.chunk.counts.created
        sync_held(ctx, holding, None, ctx.clock() + ctx.settings.slice_seconds)
        event_notes.note_sync(
            ctx, gate.value, holding.chunk.counts.created - created, settled=not holding.chunk.unsettled
        )
        _wake_parts(ctx, chunk.value, holding.chunk)
        settled = ctx.chunks.get(permit.hint)
        if settled is not None and settled.value.unsettled and not settled.value.claimable(ctx.clock()):
            wake(ctx, hint, delay=PAUSE)
            return


def _wake_parts(ctx: Context, before: Chunk, chunk: Chunk) -> None:
    """What event work cut off is unsettled, and no lane comes for it: whoever cut wakes it, else the sweep."""
    if chunk.after == before.after:
        return
    for part in _parts(ctx, chunk, before.after):
        if part.unsettled and part.claimable(ctx.clock()):
            wake_chunk(ctx, part)


def wake(ctx: Context, hint: Stored[Hint], *, delay: float = 0.0) -> None:
    """Takes the next ticket of a hint and enqueues it under its new name; the old name may be refused for ever."""
    current = ctx.hints.get(hint.value.id)
    if current is None:
        return
    moved = replace(current.value, ticket=current.value.ticket + 1, since=ctx.clock())
    try:
        revision = ctx.documents.commit([ctx.hints.update(current, moved)])[0]
    except (CommitRefusedError, CommitUnknownError):
        return  # somebody else woke it
    send(ctx, Stored(moved, revision, current.ref), delay=delay)


def wake_chunk(ctx: Context, chunk: Chunk) -> None:
    """Wakes an unsettled chunk, which may never have had a hint of its own."""
    hint = ctx.hints.get(chunk.id)
    if hint is not None:
        wake(ctx, hint)
        return
    made = replace(_new(chunk, ctx.clock()), dirty=False)
    try:
        create = ctx.hints.create(chunk.id, made)
        revision = ctx.documents.commit([create])[0]
    except (CommitRefusedError, CommitUnknownError):
        return
    send(ctx, Stored(made, revision, create.ref))


def send(ctx: Context, hint: Stored[Hint], *, delay: float = 0.0) -> None:
    """Makes sure that the message of the hint's ticket was queued once."""
    if hint.value.confirmed >= hint.value.ticket:
        return
    body = {"storage": hint.value.storage, "hint": hint.value.id, "ticket": hint.value.ticket}
    name = hint_message(hint.value.id, hint.value.ticket)
    ctx.queue.enqueue(Message(QUEUE_EVENTS, name, SYNC_CHUNK, orjson.dumps(body), delay))
    try:
        ctx.documents.commit([ctx.hints.update(hint, replace(hint.value, confirmed=hint.value.ticket))])
    except (CommitRefusedError, CommitUnknownError):
        logger.debug("hint moved on", action="hint.confirm", chunk=hint.value.id)


def _split(ctx: Context, hint: Stored[Hint], chunk: Chunk) -> None:
    """The hint's range is several chunks by now: each gets a hint of its own, and this one keeps its chunk's range."""
    writes: list[Create | Update] = []
    made: list[tuple[Hint, int]] = []
    for part in (parts := _parts(ctx, chunk, hint.value.after)):
        last = part is parts[-1] and part.after != hint.value.after
        after = hint.value.after if last else part.after  # beyond what was read: its own permit splits it further
        other = ctx.hints.get(part.id)
        if other is None:
            value = replace(_new(part, ctx.clock()), after=after)
            writes.append(ctx.hints.create(value.id, value))
        else:
            if other.value.dirty and not last:
                after = other.value.after
            value = replace(other.value, dirty=True, ticket=other.value.ticket + 1, after=after, since=ctx.clock())
            writes.append(ctx.hints.update(other, value))
        made.append((value, len(writes) - 1))
    writes.append(ctx.hints.update(hint, replace(hint.value, after=chunk.after)))
    try:
        revisions = ctx.documents.commit(writes)
    except (CommitRefusedError, CommitUnknownError):
        return  # read again and decide again
    for value, index in made:
        send(ctx, Stored(value, revisions[index], writes[index].ref), delay=ctx.settings.event_window)


def _parts(ctx: Context, chunk: Chunk, after: str) -> list[Chunk]:
    """The chunks that tile what lies between `after` and this chunk, from the right; as many as one query reads."""
    found = ctx.chunks.find(("map", "==", chunk.map), ("start", "<", chunk.start), order=("-start",), limit=400)
    # Chunks are cut off from the left of their tail, so going left from the tail meets the parts one by one.
    by_end = {part.value.until: part.value for part in found}
    parts: list[Chunk] = []
    end: str | None = chunk.after
    while end != after and (part := by_end.get(end)) is not None:
        parts.append(part)
        end = part.after
    return parts


def _new(chunk: Chunk, now: float) -> Hint:
    return Hint(
        id=chunk.id,
        storage=chunk.storage,
        map=chunk.map,
        dirty=True,
        ticket=1,
        after=chunk.after,
        until=chunk.until,
        since=now,
    )


def _within(hint: Hint, sort_key: SortKey, key: str) -> bool:
    return _in_range(hint, sort_key, sort_key(key))


def _in_range(part: Hint | Chunk, sort_key: SortKey, key: bytes) -> bool:
    left = not part.after or sort_key(part.after) < key
    return left and (part.until is None or key <= sort_key(part.until))
