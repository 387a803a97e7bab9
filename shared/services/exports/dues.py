"""Dues: the commit that changes an annotation also says, in a document of its own, which targets are owed what.

What can't be written now is tried again with a growing pause.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from shared.errors import CommitRefusedError, CommitUnknownError, StoreError
from shared.log import logger
from shared.model.link import MAX_UNITS, Due
from shared.model.owed import Permit, pause
from shared.model.storage import Storage
from shared.ports import Create
from shared.records.collection import Stored
from shared.services.context import EXPORT_ANNOTATIONS, QUEUE_EXPORTS, Context
from shared.services.exports import units
from shared.services.exports.settling import settle
from shared.services.exports.target import Target
from shared.services.owed import Desk
from shared.services.secrets import masked
from shared.services.sync import runs

DESK = Desk("due", QUEUE_EXPORTS, EXPORT_ANNOTATIONS, lambda ctx: ctx.dues)
send, wake_overdue = DESK.send, DESK.wake_overdue


def targets(ctx: Context, project: int) -> list[Storage]:
    """The project's export storages that have a bucket. Read before the commit that changes something."""
    found = [stored.value for stored in ctx.storages.of_project(project)]
    return [one for one in found if one.direction == "export" and one.has_bucket]


def writes(ctx: Context, targets: Iterable[Storage], changed: Sequence[tuple[int, int]]) -> list[Create]:
    """Parts of the commit that changes annotations: a due for each target and each `MAX_UNITS` units.

    `changed`: annotations that were made, changed or deleted, as (annotation, task).
    """
    now = ctx.clock()
    made: list[Create] = []
    for storage in targets:
        place = 1 if units.format_of(storage) == "task" else 0
        numbers = list(dict.fromkeys(pair[place] for pair in changed if pair[place]))
        for at in range(0, len(numbers), MAX_UNITS):
            due = Due(
                id=ctx.new_id(),
                storage=storage.id,
                project=storage.project,
                units=tuple(numbers[at : at + MAX_UNITS]),
                since=now,
                due=now,
            )
            made.append(ctx.dues.create(due.id, due))
    return made


def pay(ctx: Context, permit: Permit) -> None:
    """Writes what a due names. May be called twice with the same permit, also at the same time."""
    stored = ctx.dues.get(permit.item)
    if stored is None:
        return  # paid, or never committed
    due = stored.value
    if due.ticket != permit.ticket:
        DESK.wake(ctx, due)
        return
    gate, storage = ctx.gates.get(due.storage), ctx.storages.get(due.storage)
    if gate is None or storage is None:
        _forget(ctx, stored)
        return
    secrets: dict[str, str] = {}
    look: list[Create] = []
    try:
        secrets = ctx.vault.open(storage.value.secrets)
        target = Target(ctx, storage.value, gate.value.map, ctx.open_store(storage.value), again=due.again)
        outcomes = settle(target, due.units)
        failed = {outcome.unit: outcome.error for outcome in outcomes if outcome.error is not None}
        gone = [outcome.unit for outcome in outcomes if outcome.kind in {"deleted", "nothing"}]
        if gone and target.deletes and not due.again:
            look = [_second_look(ctx, due, gone)]
    except StoreError as error:
        failed = dict.fromkeys(due.units, error)
    if not failed:
        _forget(ctx, stored, look)
        return
    reason = masked(str(next(iter(failed.values()))), secrets)[:500]
    _put_off(ctx, stored, list(failed), reason, look, lasting=all(error.permanent for error in failed.values()))


def _second_look(ctx: Context, due: Due, gone: Sequence[int]) -> Create:
    """No condition keeps a writer that came to a halt from making, later, the object of a unit that was deleted.

    When all who began before are over, whatever they left is removed.
    """
    now = ctx.clock()
    units, when = tuple(gone), now + ctx.settings.export_look_again
    again = replace(due, id=ctx.new_id(), units=units, since=now, due=when, ticket=1, failures=0, reason="", again=True)
    return ctx.dues.create(again.id, again)


def _forget(ctx: Context, stored: Stored[Due], look: Sequence[Create] = ()) -> None:
    try:
        ctx.documents.commit([stored.delete, *look])
    except (CommitRefusedError, CommitUnknownError):
        return  # whoever else works on it comes to the same end, or the sweep finds it
    DESK.send(ctx, look, delay=ctx.settings.export_look_again)


def _put_off(
    ctx: Context, stored: Stored[Due], left: Sequence[int], reason: str, look: Sequence[Create], *, lasting: bool
) -> None:
    """What is left is tried again later; after too many times the storage says that it failed, and a sync mends it."""
    due = stored.value
    failures = due.failures + 1
    if failures >= ctx.settings.export_max_attempts:
        _give_up(ctx, stored, reason, look)
        return
    delay = pause(failures + (2 if lasting else 0))
    moved = replace(due, units=tuple(left), failures=failures, reason=reason)
    moved = replace(moved, ticket=due.ticket + 1, due=ctx.clock() + delay)
    try:
        ctx.documents.commit([ctx.dues.update(stored, moved), *look])
    except (CommitRefusedError, CommitUnknownError):
        return  # somebody else was faster, or the sweep finds it
    DESK.send(ctx, look, delay=ctx.settings.export_look_again)
    logger.warning(
        "export put off", action="export.retry", storage=due.storage, units=len(left), seconds=delay, reason=reason
    )
    DESK.enqueue(ctx, due.id, moved.ticket, delay=delay)


def _give_up(ctx: Context, stored: Stored[Due], reason: str, look: Sequence[Create]) -> None:
    """Nobody would see a due that was dropped, so a run is opened and failed: its reason stands on the storage."""
    due = stored.value
    logger.error("export given up", action="export.failed", storage=due.storage, units=len(due.units), reason=reason)
    text = (
        f"{len(due.units)} changed annotations could not be written in {ctx.settings.export_max_attempts} attempts: "
        f"{reason}\nStart a sync once the cause is mended: it writes what is missing."
    )
    runs.fail_visibly(ctx, due.storage, text)
    _forget(ctx, stored, look)
