"""Makes the objects of a target what their units say: the only writer of links and of objects.

Three steps for each unit: (1) the revision to be written goes onto the link, (2) the object is written on the condition
that it is what the link says, (3) what was written goes onto the link. Steps 1 and 3 are refused if anybody wrote the
link in between, and then the unit is begun again. Many units take each step together; what is refused goes alone.
"""

from collections.abc import Sequence

from shared.errors import StoreError
from shared.model.link import Link, Want
from shared.services.exports import units
from shared.services.exports.removing import remove, remove_again
from shared.services.exports.target import ATTEMPTS, Kind, Outcome, Target, Work
from shared.services.exports.writing import intend, put, put_all, record

BATCH = 200
BUSY = "Others write the same object again and again; try again later."


def settle(target: Target, numbers: Sequence[int]) -> list[Outcome]:
    """Makes each unit's object what the unit is now, in the order given.

    Idempotent; may run many times at once, also for the same units. A failure of a unit is its outcome.
    """
    return _in_batches(target, numbers, None)


def audit(target: Target, numbers: Sequence[int], wrong: frozenset[int]) -> list[Outcome]:
    """For units that were settled before: removes what is gone by now, and writes again what is `wrong`.

    That is, whose link says that all is well though the bucket says otherwise. Others are left to `settle`.
    """
    return _in_batches(target, numbers, wrong)


def _in_batches(target: Target, numbers: Sequence[int], wrong: frozenset[int] | None) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for at in range(0, len(numbers), BATCH):
        outcomes += _settle_batch(target, numbers[at : at + BATCH], wrong)
    return outcomes


def _settle_batch(target: Target, numbers: Sequence[int], wrong: frozenset[int] | None) -> list[Outcome]:
    # Links before states: then no link knows of a newer state than was read.
    found = target.ctx.links.get_many([target.link_id(number) for number in numbers])
    wants = units.wants(target.ctx, target.storage, numbers)
    done: dict[int, Outcome] = {}
    works: list[Work] = []
    alone: dict[int, bool] = {}
    """Units that go by themselves, and whether they are written though their link says that all is well."""
    for number, stored in zip(numbers, found, strict=True):
        want, link = wants[number], stored.value if stored else None
        well = link is not None and _well(link, want)
        force = wrong is not None and well and number in wrong
        if want.body is None and target.again:
            alone[number] = False
        elif link is not None and well and not force:
            done[number] = Outcome(number, _known(target, link))
        elif wrong is not None and want.body is not None and not force:
            done[number] = Outcome(number, "unchanged")
        elif want.body is None or (link is not None and link.old_keys):
            alone[number] = force
        else:
            works.append(Work.begin(target, want, stored))
    if works and intend(target, works):
        put_all(target, works)
        record(target, works)
    for work in works:
        if work.outcome is not None:
            done[work.want.unit] = work.outcome
        else:
            alone[work.want.unit] = work.clobbered or (wrong is not None and work.want.unit in wrong)
    for number, force in alone.items():
        done[number] = _settle_one(target, number, force=force)
    return [done[number] for number in numbers]


def _settle_one(target: Target, number: int, *, force: bool) -> Outcome:
    for _ in range(ATTEMPTS):
        stored = target.ctx.links.get(target.link_id(number))
        want = units.wants(target.ctx, target.storage, [number])[number]
        work = Work.begin(target, want, stored)
        try:
            if stored is not None and _well(stored.value, want) and not force:
                if want.body is None:
                    return remove_again(target, stored, work)
                return Outcome(number, _known(target, stored.value))
            if want.body is None:
                remove(target, work)
            elif intend(target, [work]):
                put(target, work)
                record(target, [work])
        except StoreError as error:
            return Outcome(number, "failed", error)
        if work.outcome is not None:
            return work.outcome
        force = force or work.clobbered
    return Outcome(number, "failed", StoreError(BUSY))


def _well(link: Link, want: Want) -> bool:
    """Whether the link says that the object is as it should be, or that somebody knows of a newer state."""
    if link.rev > want.rev:
        return True
    settled = link.rev == want.rev and not link.intent and not link.old_keys
    return settled and (link.gone if want.body is None else not link.gone and link.key == want.key)


def _known(target: Target, link: Link) -> Kind:
    return "written" if target.run and link.run == target.run and not link.gone else "unchanged"
