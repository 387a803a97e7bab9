"""The way back for what users deleted, under every single fault: each deletion is forgotten once, and no other."""

from dataclasses import replace

import pytest

from shared.services.imports import undeleting
from shared.services.labelling import task_edits
from shared.services.sync import runs
from shared.services.sync.holding import Holding
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

KINDS = tuple(kind for kind in ALL if kind not in {"cancel", "start"})
SCENARIOS = [
    Scenario("two lanes", objects=3, lanes=2, kinds=KINDS, synced=True),
    Scenario("handed over", objects=3, lanes=1, kinds=KINDS, synced=True, slice_seconds=0),
]


class Reimport(Simulation):
    """A user deleted two tasks, and one of the objects is gone; another is deleted while the run is under way."""

    again = 45
    """The step at which a user deletes one of them again, if it is there by then."""

    def _afterwards(self):
        world = self.world
        self.numbers = {task.data["key"]: int(task.ref.id) for task in self._live()}
        for key in ("k0", "k1"):
            task_edits.delete(world.ctx, self.numbers[key])
        world.objects.remove("k1")
        world.problems.clear()
        world.events = True  # a user writes tasks, too
        self.deleted_again = False
        start = runs.start_run
        world.start = lambda: world.spawn("api start", lambda: self._asked(start))
        world.now += 1

    def _asked(self, start):
        start(self.world.ctx, STORAGE, reimport_deleted=True)

    def _live(self):
        return self.world.ctx.tasks.page(1, after=None, limit=50)[0]

    def _deviate(self, actor):
        if self.steps >= self.again and not self.deleted_again and "k0" in {task.data["key"] for task in self._live()}:
            self.world.now += 1
            task_edits.delete(self.world.ctx, self.numbers["k0"])
            self.deleted_again = True
        return super()._deviate(actor)

    def _verdict(self):
        world = self.world
        if (world.purged or world.gate().run_seq == self.runs_before) and not self.deleted_again:
            world.purged = False
            world.start()
            self._heal()
        live = sorted(task.data["key"] for task in self._live())
        expected = ["k2"] if self.deleted_again else ["k0", "k2"]
        if live != expected and not world.problems:
            world.problems.append(f"tasks {live} are not {expected}")
        return []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("again", [20, 45, 10**9])
def test_faults(scenario, again, monkeypatch):
    monkeypatch.setattr(Reimport, "again", again)
    for schedule in faults_at_some_steps(scenario, Reimport):
        assert replay(scenario, schedule, Reimport) == [], schedule
    for seed in range(40):
        schedule = random_schedule(scenario, seed, 200)
        assert replay(scenario, schedule, Reimport) == [], schedule


def caught(scenario):
    if Reimport(scenario, ()).run():
        return True
    return any(replay(scenario, schedule, Reimport) for schedule in faults_at_every_step(scenario, Reimport))


def test_what_is_deleted_meanwhile_would_come_back_without_the_time(monkeypatch):
    """A planted defect: the run forgets whatever it finds deleted."""
    real = undeleting.undelete
    monkeypatch.setattr(Reimport, "again", 20)

    def late(ctx, holding, storage, run, *others):
        return real(ctx, holding, storage, replace(run, time_queued=float("inf")), *others)

    monkeypatch.setattr("shared.services.sync.syncing.undelete", late)
    assert caught(SCENARIOS[1])


def test_a_ledger_in_a_commit_of_its_own_would_forget_too_much(monkeypatch):
    """A planted defect: the deletion is forgotten before the ledger knows, and whoever comes next knows of neither."""
    commit = Holding.commit

    def torn(self, writes=(), *, ledger=None, **changes):
        if any(write.ref.collection == "tasks" and not hasattr(write, "data") for write in writes):
            commit(self, writes)
            writes = ()
        commit(self, writes, ledger=ledger, **changes)

    monkeypatch.setattr(Holding, "commit", torn)
    assert caught(SCENARIOS[0])
