"""The search through the schedules of targets finds defects: each rule of the writers, left out, must be caught."""

from dataclasses import replace

import pytest

from shared.records.links import Links
from shared.services.exports import dues, removing, settling, target, writing
from shared.services.owed import Desk
from tests.simulation.schedules import random_schedule
from tests.simulation.stepped import SteppedObjects
from tests.simulation.target_schedules import replayed, single_faults
from tests.simulation.test_target_schedules import SCENARIOS

TRIES = 600


def no_intent(patch):
    """The link is written only when the object is."""

    def without(target, works):
        new = [work for work in works if work.before is None]
        for work in works:
            work.held = work.before
        return writing.intend(target, new) if new else True

    patch.setattr(settling, "intend", without)


def the_link_is_not_read_again(patch):
    patch.setattr(target.Target, "unmoved", lambda self, work: True)


def written_without_a_condition(patch):
    write = SteppedObjects.write
    patch.setattr(SteppedObjects, "write", lambda self, key, body, expect=None, **a: write(self, key, body, **a))


def recorded_without_a_condition(patch):
    update = Links.update
    patch.setattr(Links, "update", lambda self, stored, link: update(self, stored, link)._replace(revision=None))


def no_tombstone(patch):
    """What is gone is forgotten at once."""

    def forgetting(target, work):
        removing.remove(target, work)
        if work.outcome is not None:
            target.ctx.documents.commit([target.ctx.links.get(work.link.id).delete])

    patch.setattr(settling, "remove", forgetting)


def nobody_looks_again(patch):
    forget = dues._forget
    patch.setattr(dues, "_forget", lambda ctx, stored, look=(): forget(ctx, stored))


def the_due_goes_before_the_object_is_there(patch):
    settle = dues.settle

    def early(target, numbers):
        for stored in target.ctx.dues.find():
            target.ctx.documents.commit([stored.delete])
        return settle(target, numbers)

    patch.setattr(dues, "settle", early)


def the_sweep_wakes_nobody(patch):
    patch.setattr(Desk, "wake_overdue", lambda self, ctx, limit: 0)


def an_intent_counts_as_well(patch):
    well = settling._well
    patch.setattr(
        settling, "_well", lambda link, want: well(replace(link, intent=0, rev=max(link.rev, link.intent)), want)
    )


def what_was_replaced_is_not_mended(patch):
    patch.setattr(target.Work, "clobbered", property(lambda self: False, lambda self, value: None), raising=False)


def what_was_written_too_late_stays(patch):
    patch.setattr(writing, "_take_back", lambda target, work: None)


def one_former_name_is_enough(patch):
    begin = target.Work.begin

    def forgetful(the_target, want, before):
        work = begin(the_target, want, before)
        work.link = replace(work.link, old_keys=work.link.old_keys[-1:])
        return work

    patch.setattr(target.Work, "begin", forgetful)


def a_name_that_was_only_intended_is_forgotten(patch):
    begin = target.Work.begin

    def forgetful(the_target, want, before):
        if before is not None and not before.value.version:
            before = replace(before, value=replace(before.value, intent=0))
        return begin(the_target, want, before)

    patch.setattr(target.Work, "begin", forgetful)


def removed_without_looking_at_the_link(patch):
    remove = removing._delete
    patch.setattr(removing, "_delete", lambda target, work, key, expect: remove(_Blindly(target), work, key, expect))


class _Blindly:
    def __init__(self, target):
        self._target = target

    def __getattr__(self, name):
        return getattr(self._target, name)

    def unmoved(self, work):
        return True

    def expecting(self, version):
        return None


BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
DEFECTS = [
    (no_intent, "two edits", ("edit", "deliver", "switch")),
    (the_link_is_not_read_again, "two edits"),
    (written_without_a_condition, "two edits"),
    (recorded_without_a_condition, "made"),
    (no_tombstone, "made"),
    (nobody_looks_again, "made, in task format"),
    (the_due_goes_before_the_object_is_there, "two edits"),
    (the_sweep_wakes_nobody, "made"),
    (an_intent_counts_as_well, "two edits"),
    (what_was_replaced_is_not_mended, "no conditions"),
    (what_was_replaced_is_not_mended, "no conditions of deletions"),
    (what_was_written_too_late_stays, "other names for what is new"),
    (one_former_name_is_enough, "other names"),
    (a_name_that_was_only_intended_is_forgotten, "other names for what is new"),
    (removed_without_looking_at_the_link, "the last one deleted"),
]


@pytest.mark.parametrize(
    ("plant", "name", "kinds"),
    [(*one, ())[:3] for one in DEFECTS],
    ids=lambda value: getattr(value, "__name__", value if isinstance(value, str) else ""),
)
def test_a_planted_defect_is_caught(plant, name, kinds, monkeypatch):
    """Some schedule shows it, though without any fault all is well."""
    plant(monkeypatch)

    scenario = BY_NAME[name]
    assert _first_problem(scenario._replace(kinds=kinds or scenario.kinds))


def _first_problem(scenario):
    for schedule in single_faults(scenario):
        if problems := replayed(scenario, schedule):
            return problems
    for seed in range(TRIES):
        if problems := replayed(scenario, random_schedule(scenario, seed, 45)):
            return problems
    return []
