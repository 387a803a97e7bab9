"""The real writers of targets under every single fault at every port call, and under random bundles of faults."""

import pytest

from tests.simulation.schedules import random_schedule, some
from tests.simulation.target_schedules import Bare, Blind, HalfBlind, TargetScenario, replayed, single_faults

WORKERS = (
    "kill",
    "switch",
    "deliver",
    "duplicate",
    "stall",
    "stall, die",
    "lapse",
    "lose answer",
    "sweep",
    "late sweep",
)
BUCKET = ("unavailable", "answer lost", "written, unavailable")
PEOPLE = ("edit", "edit, never told", "delete", "create")
LATE = (
    *("stall, edit", "stall, delete", "stall, create"),
    *("stall, edit, die", "stall, delete, die", "stall, delete, create, die"),
)
ALL = (*WORKERS, *BUCKET, *PEOPLE, *LATE)
RENAMED = (
    *(kind for kind in WORKERS if kind != "stall, die"),
    *BUCKET,
    "edit",
    "delete",
    "template",
    "template",
    "stall, template",
    "sync",
)
BY_TASK = {"export_format": "task"}
KEPT = {"can_delete_objects": False}

SCENARIOS = [
    TargetScenario("two edits", ("edit", "edit"), ALL, {}, exported=("create",)),
    TargetScenario("made", ("create",), ALL, {}),
    TargetScenario("made, in task format", ("create",), ALL, BY_TASK),
    TargetScenario("edited and deleted", ("edit", "delete"), ALL, {}, exported=("create",)),
    TargetScenario("edited and deleted, kept", ("edit", "delete"), ALL, KEPT, exported=("create",)),
    TargetScenario("the last one deleted", ("delete",), ALL, BY_TASK, exported=("create",)),
    TargetScenario("two of a task", ("create", "create"), ALL, BY_TASK),
    TargetScenario("deleted in task format, kept", ("delete", "create"), ALL, BY_TASK | KEPT, exported=("create",)),
    TargetScenario("no metadata", ("edit", "edit", "delete"), ALL, {}, exported=("create",), bucket=Bare),
    TargetScenario("no conditions of deletions", ("delete",), ALL, BY_TASK, exported=("create",), bucket=HalfBlind),
    TargetScenario("no conditions", ("edit", "edit"), ALL, {}, exported=("create",), bucket=Blind),
    TargetScenario("no conditions, deleted", ("edit", "delete"), ALL, {}, exported=("create",), bucket=Blind),
    TargetScenario("a full sync beside it", ("edit", "sync"), (*ALL, "sync"), {}, exported=("create", "create")),
    TargetScenario("other names", ("edit", "template"), RENAMED, {}, exported=("create",)),
    TargetScenario("other names for what is new", ("create", "template"), RENAMED, {}),
]
RANDOM = 80
"""Schedules of each scenario: 1,200 in all."""


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_one_fault_anywhere(scenario):
    """Whatever goes wrong once, at whichever port call: the bucket is what annotations and settings make of it."""
    for schedule in some(single_faults(scenario)):
        assert replayed(scenario, schedule) == [], f"replayed(SCENARIOS[{SCENARIOS.index(scenario)}], {schedule})"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_many_faults(scenario):
    """Two to eight faults at random places."""
    for seed in range(RANDOM):
        schedule = random_schedule(scenario, seed, 45)
        assert replayed(scenario, schedule) == [], f"replayed(SCENARIOS[{SCENARIOS.index(scenario)}], {schedule})"
