"""Deletions by policy under every single fault, and bundles of them: all or none, whoever dies when."""

from dataclasses import replace

import pytest

from shared.records.chunks import Chunks
from shared.services.imports.batching import Batcher
from shared.services.imports.retiring import Retirer
from shared.services.labelling import annotating
from shared.services.sync import claiming, syncing
from tests.simulation.schedules import (
    Scenario,
    Simulation,
    faults_at_every_step,
    faults_at_some_steps,
    random_schedule,
    replay,
)
from tests.simulation.test_schedules import ALL
from tests.simulation.world import STORAGE

FEW = Scenario("as many as may", objects=4, lanes=2, kinds=ALL, synced=True)
HANDED_OVER = Scenario("handed over after each commit", objects=3, lanes=1, kinds=ALL, synced=True, slice_seconds=0)
RANDOM = 120


class Deletions(Simulation):
    """Two of the objects go between the syncs, one of them with an annotation on its task."""

    config = {"on_deleted": "delete_unannotated"}  # noqa: RUF012
    floor = 2

    def _afterwards(self):
        world = self.world
        settings = replace(world.settings, deletion_floor=self.floor, deletion_share=0.0)
        world.settings = world.ctx.settings = settings
        world.errors = self.floor < 2
        tasks = {task.data["key"]: int(task.ref.id) for task in world.ctx.tasks.page(1, after=None, limit=50)[0]}
        annotating.create(world.ctx, tasks["k2"], {"result": []}, user=1)
        for key in ("k0", "k2"):
            world.objects.remove(key)
        world.problems.clear()
        self.all = set(tasks)

    def _verdict(self):
        world = self.world
        if world.purged or world.edited or world.gate().run_seq == self.runs_before:
            world.purged = world.edited = False
            world.start()
            self._heal()
        expected = sorted(self.all - {"k0"} if self.floor == 2 else self.all)
        found = world.task_keys()
        if found != expected and not world.problems:
            world.problems.append(f"tasks {found} are not {expected}")
        marks = {t.data["key"]: t.data.get("mark", "") for t in world.ctx.tasks.page(1, after=None, limit=50)[0]}
        gone = {key for key, mark in marks.items() if mark}
        if gone != {"k2", "k0"} & set(found):
            world.problems.append(f"marked are {marks}")
        if self.floor < 2 and world.deletions:
            world.problems.append(f"{world.deletions} tasks were deleted")
        storage = world.ctx.storages.get(STORAGE).value
        if self.floor < 2 and ("delete_gone" not in (storage.traceback or "") or "errors" not in storage.status):
            world.problems.append(f"nobody is told: {storage.status}, {storage.traceback}")
        world.check_map()
        return []


class TooMany(Deletions):
    """One more than may go."""

    floor = 1


SEARCHED = [(FEW, Deletions), (HANDED_OVER, Deletions), (FEW, TooMany), (HANDED_OVER, TooMany)]


def named(value):
    return getattr(value, "name", getattr(value, "__name__", None))


@pytest.mark.parametrize(("scenario", "simulation"), SEARCHED, ids=named)
def test_one_fault_anywhere(scenario, simulation):
    for schedule in faults_at_some_steps(scenario, simulation):
        assert replay(scenario, schedule, simulation) == [], f"{simulation.__name__}, {scenario.name}, {schedule}"


@pytest.mark.parametrize(("scenario", "simulation"), SEARCHED, ids=named)
def test_many_faults(scenario, simulation):
    for seed in range(RANDOM):
        schedule = random_schedule(scenario, seed, 250)
        assert replay(scenario, schedule, simulation) == [], f"{simulation.__name__}, {scenario.name}, {schedule}"


def nobody_waits_for_the_verdict(patch):
    settle = Retirer.settle

    def hasty(self, owed):
        run = self._importer.run_value
        self._importer.run_value = run and replace(run, deletions=run.deletions or "allowed")
        return settle(self, owed)

    patch.setattr(Retirer, "settle", hasty)
    patch.setattr(Retirer, "_few", lambda _self, _more: True)


def each_visit_counts_anew(patch):
    wait = Batcher.wait

    def adding(self, entries, doomed):
        wait(self, entries, self.holding.chunk.counts.doomed + doomed)
        if self.holding.chunk.counts.doomed == 1:
            self.holding.commit(seen_seq=0)  # as if its worker had died before it was seen

    patch.setattr(Batcher, "wait", adding)


def what_is_there_is_judged_with_what_is_gone(patch):
    def careless(ledger, *, wants, policies):
        return [entry for key, entry in ledger.items() if wants(key)]

    patch.setattr(syncing, "owed", careless)


def a_run_ends_with_deletions_owed(patch):
    real = Chunks.any_open
    patch.setattr(Chunks, "any_open", lambda self, of, seq, by="done_seq": real(self, of, seq, "seen_seq"))


def what_waits_is_never_claimed(patch):
    patch.setattr(claiming.Claimer, "decided", lambda _self, _gate: False)


DEFECTS = [
    (nobody_waits_for_the_verdict, FEW, TooMany),
    (each_visit_counts_anew, FEW, Deletions),
    (what_is_there_is_judged_with_what_is_gone, HANDED_OVER, Deletions),
    (a_run_ends_with_deletions_owed, FEW, Deletions),
    (what_waits_is_never_claimed, FEW, Deletions),
]


@pytest.mark.parametrize(("plant", "scenario", "simulation"), DEFECTS, ids=named)
def test_a_planted_defect_is_caught(plant, scenario, simulation, monkeypatch):
    plant(monkeypatch)

    assert _first_problem(scenario, simulation)


def _first_problem(scenario, simulation):
    if problems := simulation(scenario, ()).run():
        return problems
    return next(
        (
            problems
            for schedule in faults_at_every_step(scenario, simulation)
            if (problems := replay(scenario, schedule, simulation))
        ),
        [],
    )
