"""The real services under every single fault at every port call, and under seeded random bundles of faults."""

import pytest

from tests.simulation.schedules import Scenario, faults_at_every_step, random_schedule, replay

ALL = (
    "kill",
    "switch",
    "deliver",
    "duplicate",
    "lapse",
    "lose answer",
    "sweep",
    "late sweep",
    "read",
    "start",
    "cancel",
    "purge",
)
EVENTS = (*(kind for kind in ALL if kind != "purge"), "late")

SCENARIOS = [
    Scenario("first sync, one lane", objects=3, lanes=1, kinds=ALL),
    Scenario("first sync, two lanes", objects=4, lanes=2, kinds=ALL),
    Scenario("first sync, handed over after each commit", objects=3, lanes=1, kinds=ALL, slice_seconds=0),
    Scenario("second sync, two lanes", objects=4, lanes=2, kinds=ALL, synced=True),
    Scenario("an event in mid-run", objects=3, lanes=1, kinds=EVENTS, late="a"),
    Scenario("an event, handed over", objects=3, lanes=1, kinds=EVENTS, late="a", slice_seconds=0),
    Scenario("an event makes a done chunk too large", objects=3, lanes=2, kinds=EVENTS, late="k0x", synced=True),
]
RANDOM = 120


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_one_fault_anywhere(scenario):
    """Whatever goes wrong once, at whichever port call: tasks equal objects, nothing is left open, no status lies."""
    schedules = faults_at_every_step(scenario)

    for schedule in schedules:
        assert replay(scenario, schedule) == [], f"replay(SCENARIOS[{SCENARIOS.index(scenario)}], {schedule})"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_many_faults(scenario):
    """Two to eight faults at random places."""
    for seed in range(RANDOM):
        schedule = random_schedule(scenario, seed, 250)
        assert replay(scenario, schedule) == [], f"replay(SCENARIOS[{SCENARIOS.index(scenario)}], {schedule})"
