"""Event work made visible: what notifications came to, noted in memory and written down now and then.

Nothing that follows from a notification touches the storage's own document. A map has a document of its own for this,
and each process writes it at most once per `event_window`, whatever happens; so what a process saw in its last window
is written with the next event or by its own sweep, and lost with the process. Counts are a lower bound.
"""

from shared.errors import CommitUnknownError, SluiceError
from shared.log import logger
from shared.model.event_work import NOTHING, EventWork
from shared.model.run import Gate
from shared.services.context import Context


def note_events(ctx: Context, gate: Gate, count: int) -> None:
    """Notes that notifications were honoured."""
    _note(ctx, gate, EventWork(last_event=ctx.clock(), events=count))


def note_sync(ctx: Context, gate: Gate, created: int, *, settled: bool) -> None:
    """Notes that a hint was worked on, and what that made. Not `settled`: the rest comes later."""
    if settled or created:
        now = ctx.clock() if settled else 0.0
        _note(ctx, gate, EventWork(last_event_sync=now, event_syncs=int(settled), event_tasks_created=created))


def write_down(ctx: Context) -> None:
    """Writes what this process has noted so far; for the sweep."""
    for storage, storage_map in ctx.tally.waiting():
        gate = ctx.gates.get(storage)
        if gate is not None and gate.value.map == storage_map:
            _write(ctx, gate.value)
        else:
            ctx.tally.take((storage, storage_map), ctx.clock(), 0.0)  # nobody can see it any more


def seen(ctx: Context, gate: Gate) -> EventWork:
    """What is written down, and what this process has noted since."""
    stored = ctx.event_work.get(gate.map)
    return (stored.value if stored else NOTHING) + ctx.tally.of((gate.storage, gate.map))


def _note(ctx: Context, gate: Gate, work: EventWork) -> None:
    ctx.tally.add((gate.storage, gate.map), work)
    _write(ctx, gate)


def _write(ctx: Context, gate: Gate) -> None:
    """Never raises for the platform: the work itself is done, or will be found undone."""
    place = (gate.storage, gate.map)
    work = ctx.tally.take(place, ctx.clock(), ctx.settings.event_window)
    if work is None:
        return
    try:
        stored, current = ctx.event_work.get(gate.map), ctx.gates.get(gate.storage)
        if current is None or current.value.map != gate.map:
            return
        write = ctx.event_work.update(stored, stored.value + work) if stored else ctx.event_work.first(gate.map, work)
        ctx.documents.commit([write], [current.check])
    except CommitUnknownError:
        logger.debug("perhaps not noted", action="event.note", storage=gate.storage)  # once too few, not once too many
    except SluiceError as error:  # mostly another process that was faster; with the next window
        ctx.tally.add(place, work)
        logger.debug("not noted yet", action="event.note", storage=gate.storage, reason=str(error))
