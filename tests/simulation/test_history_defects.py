"""The histories are worth something only if they find defects: each rule about changes and deletions, left out."""

import pytest

from shared.model import ledger
from shared.model.policies import Policies
from shared.ports import Delete, Update
from shared.records import tasks
from shared.services.imports import aligning, batching, retiring
from shared.services.imports.retiring import Retirer
from shared.services.sync import syncing
from tests.simulation.test_histories import play

SEEDS = 1000
UPDATE, IGNORE = "update_unannotated", "ignore"
DELETE = "delete_unannotated"


def work_is_overlooked(patch):
    patch.setattr(retiring.tasks, "annotated", lambda _document: False)


def an_edit_is_no_work(patch):
    patch.setattr(tasks, "annotated", lambda document: bool(document.data.get("annotation_ids")))


def revisions_are_not_expected(patch):
    updated = batching.Batcher.updated

    def blind(self, writes, *args, **named):
        updated(
            self, [w._replace(revision=None) if isinstance(w, Update | Delete) else w for w in writes], *args, **named
        )

    patch.setattr(batching.Batcher, "updated", blind)


def users_deletions_are_forgotten(patch):
    retire = Retirer._retire

    def forgetful(self, entry, found, applied):
        step = retire(self, entry, found, applied)
        forgotten = [[Delete(task.ref, None)] for task in found if task.data["deleted"]]
        return step._replace(writes=[*step.writes, *forgotten])

    patch.setattr(Retirer, "_retire", forgetful)


def an_entry_is_dropped_with_its_tombstones(patch):
    retire = Retirer._retire

    def dropping(self, entry, found, applied):
        step = retire(self, entry, found, applied)
        return step if step.entry is None or step.entry.tasks else step._replace(entry=None)

    patch.setattr(Retirer, "_retire", dropping)


def what_is_back_is_as_it_was(patch):
    diff = ledger.diff

    def blind(listing, known, **about):
        known = {key: entry._replace(applied="") for key, entry in known.items()}
        return diff(listing, known, **about)

    patch.setattr(syncing, "diff", blind)


def marks_stay(patch):
    marked = tasks.marked
    patch.setattr(tasks, "marked", lambda task, mark, *args: marked(task, mark, *args) if mark else {})


def a_change_is_not_marked(patch):
    marked = tasks.marked
    patch.setattr(
        tasks, "marked", lambda task, mark, *args: {} if mark == "source_changed" else marked(task, mark, *args)
    )


def the_version_is_not_kept_up(patch):
    refreshed = Retirer._refreshed

    def late(self, todo, found):
        step = refreshed(self, todo, found)
        without = [[w for w in of_task if "version" not in w.changes] for of_task in step.writes]
        return step._replace(writes=without)

    patch.setattr(Retirer, "_refreshed", late)


def changes_are_not_ignored(patch):
    patch.setattr(Policies, "updates", property(lambda _self: True))


def changes_are_always_ignored(patch):
    patch.setattr(Policies, "updates", property(lambda _self: False))


def rows_that_went_stay(patch):
    patch.setattr(aligning.Alignment, "_part", lambda *_args: None)


def deletions_never_happen(patch):
    patch.setattr(Policies, "owes", lambda _self, _applied: False)


def any_tombstone_takes_a_row(patch):
    plan = aligning.Alignment._plan

    def blind(self, old, rows):
        return plan(self, [d._replace(data={**d.data, "mark": ""}) if d.data["deleted"] else d for d in old], rows)

    patch.setattr(aligning.Alignment, "_plan", blind)


def nobody_is_told_of_the_verdict(patch):
    patch.setattr("shared.services.sync.runs._judge_deletions", lambda _ctx, _gate: None)


DEFECTS = [
    (work_is_overlooked, (UPDATE, DELETE, True)),
    (work_is_overlooked, (UPDATE, "keep", False)),
    (an_edit_is_no_work, (UPDATE, DELETE, False)),
    (revisions_are_not_expected, (UPDATE, DELETE, True)),
    (revisions_are_not_expected, (UPDATE, "keep", False)),
    (users_deletions_are_forgotten, (UPDATE, DELETE, True)),
    (an_entry_is_dropped_with_its_tombstones, (UPDATE, DELETE, False)),
    (what_is_back_is_as_it_was, (IGNORE, "mark", True)),
    (what_is_back_is_as_it_was, (IGNORE, DELETE, False)),
    (marks_stay, (UPDATE, "mark", False)),
    (a_change_is_not_marked, (UPDATE, "keep", True)),
    (a_change_is_not_marked, (UPDATE, "keep", False)),
    (the_version_is_not_kept_up, (UPDATE, "keep", True)),
    (changes_are_not_ignored, (IGNORE, "keep", False)),
    (changes_are_always_ignored, (UPDATE, "keep", False)),
    (rows_that_went_stay, (UPDATE, DELETE, False)),
    (deletions_never_happen, (UPDATE, DELETE, True)),
    (deletions_never_happen, (UPDATE, "mark", False)),
    (any_tombstone_takes_a_row, (UPDATE, "keep", False)),
    (nobody_is_told_of_the_verdict, (UPDATE, DELETE, True)),
]


@pytest.mark.parametrize(("plant", "combination"), DEFECTS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_planted_defect_is_caught(plant, combination, monkeypatch):
    plant(monkeypatch)

    assert any(_goes_wrong(seed, combination) for seed in range(SEEDS))


def _goes_wrong(seed, combination):
    try:
        return play(seed, *combination)
    except Exception as error:  # noqa: BLE001  a run that does not end well, or whatever the defect breaks
        return [repr(error)]
