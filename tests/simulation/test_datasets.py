"""The same search on a dataset: records equal objects, each once, in the ledger of the chunk that they lie in."""

import pytest

from shared.services.datasets.indexing import IndexSync
from tests.simulation.schedules import Simulation, faults_at_some_steps, random_schedule, replay
from tests.simulation.test_schedules import SCENARIOS

RANDOM = 60
NAMES = {"first sync, two lanes", "second sync, two lanes", "an event, handed over"}
SEARCHED = [scenario for scenario in SCENARIOS if scenario.name in NAMES]
"""The rest of the search is about lanes and tickets, and those are the same."""


class DatasetSimulation(Simulation):
    """A schedule whose storage is a dataset."""

    direction = "dataset"


@pytest.mark.parametrize("scenario", SEARCHED, ids=lambda scenario: scenario.name)
def test_one_fault_anywhere(scenario):
    for schedule in faults_at_some_steps(scenario, DatasetSimulation):
        assert replay(scenario, schedule, DatasetSimulation) == [], f"{scenario.name}: {schedule}"


@pytest.mark.parametrize("scenario", SEARCHED, ids=lambda scenario: scenario.name)
def test_many_faults(scenario):
    for seed in range(RANDOM):
        schedule = random_schedule(scenario, seed, 150)
        assert replay(scenario, schedule, DatasetSimulation) == [], f"{scenario.name}: {schedule}"


def test_a_chunk_that_is_done_without_its_ledger_is_noticed(monkeypatch):
    """The search can fail: a sync that marks chunks done and leaves records out."""
    commit = IndexSync._commit

    def forgetful(self, ledger, counts, **changes):
        commit(self, dict(list(ledger.items())[1:]), counts, **changes)

    monkeypatch.setattr(IndexSync, "_commit", forgetful)
    assert replay(SEARCHED[0], (), DatasetSimulation)
