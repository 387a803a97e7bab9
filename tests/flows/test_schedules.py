"""Scheduled syncs, of import storages and datasets: when they are due, started once each, and what failures do."""

import pytest

from shared.adapters.objects.memory import MemoryObjects
from shared.model.providers import S3
from shared.services.storages import editing
from shared.services.sweeping import sweep
from shared.services.sync import runs, schedules
from shared.settings import Settings
from tests.simulation.world import STORAGE, World

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture(params=["import", "dataset"])
def world(request):
    config = {"sync_interval": 60}
    world = World(MemoryObjects(), Settings(max_lanes=1), config=config, direction=request.param)
    world.edited = True  # runs fail here, and are meant to
    return world


def stored(world):
    return world.ctx.storages.get(STORAGE).value


def started(world):
    """Whether a sweep starts a sync now."""
    before = world.gate().run_seq
    sweep(world.ctx)
    return world.gate().run_seq - before


def edit(world, **fields):
    editing.update(world.ctx, S3, STORAGE, fields, partial=True, direction=stored(world).direction)


def finish(world, *, failed=False):
    if failed:
        runs.fail(world.ctx, world.ctx.gates.get(STORAGE), "broken")
    while world.waiting:
        world.run_to_end(world.deliver(next(iter(world.waiting))))


def test_the_first_at_once_and_then_by_the_interval(world):
    assert started(world) == 1
    finish(world)
    assert (stored(world).status, stored(world).meta["trigger"]) == ("completed", "schedule")
    world.now += HOUR - 1
    assert started(world) == 0
    world.now += 1
    assert started(world) == 1


def test_a_sync_by_hand_counts(world):
    world.now += 10 * HOUR
    runs.start_run(world.ctx, STORAGE)
    finish(world)
    assert "trigger" not in stored(world).meta
    assert started(world) == 0
    world.now += HOUR
    assert started(world) == 1


def test_one_under_way_is_left_alone(world):
    runs.start_run(world.ctx, STORAGE)
    world.now += HOUR
    assert started(world) == 0
    assert stored(world).next_sync == world.now + HOUR


def test_failures_double_the_pause_up_to_a_day(world):
    pauses = []
    for _ in range(8):
        assert started(world) == 1
        begun = world.now
        finish(world, failed=True)
        pauses.append(stored(world).next_sync - begun)
        world.now = stored(world).next_sync
    assert pauses == [2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, *[DAY] * 4]
    assert started(world) == 1
    finish(world)
    assert stored(world).next_sync - world.now == HOUR


def test_an_edit_gives_it_another_chance(world):
    started(world)
    finish(world, failed=True)
    assert started(world) == 0
    edit(world, sync_interval=5)
    assert (stored(world).failures, stored(world).next_sync) == (0, world.now + 300)


@pytest.mark.parametrize("fields", [{"synchronizable": False}, {"sync_interval": 0}])
def test_not_for_those_that_have_none(world, fields):
    edit(world, **fields)
    world.now += DAY
    assert (started(world), stored(world).next_sync) == (0, None)
    edit(world, synchronizable=True, sync_interval=60)
    assert started(world) == 1


def test_two_sweeps_at_once_start_one(world):
    """Whichever way their steps are mixed; also if the sync of the first is over before the second comes to it."""
    for turn in range(1, 60):
        world.now += DAY
        before = world.gate().run_seq
        slow = world.spawn("sweep", lambda: schedules.start_due(world.ctx, 10))
        for _ in range(turn):
            if not slow.over:
                slow.go()
        world.run_to_end(world.spawn("sweep", lambda: schedules.start_due(world.ctx, 10)))
        finish(world)
        while not slow.over:
            slow.go()
        world.reap()
        finish(world)
        assert world.gate().run_seq == before + 1, turn
