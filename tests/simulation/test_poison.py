"""An object that kills whoever reads it: after three deaths it is set aside, and everything else is imported."""

import json

from shared.adapters.objects.memory import MemoryObjects
from shared.settings import Settings
from tests.simulation.world import STORAGE, Killed, World


class Poisoned(MemoryObjects):
    """Reading the poisoned key is the end of the process; listing is, too, if `listing` says so."""

    deaths = 0
    key = "k5.json"
    listing = False

    def read(self, key, version, *, offset=0, length=None):
        if key == self.key:
            self.deaths += 1
            raise Killed
        return super().read(key, version, offset=offset, length=length)

    def pages(self, prefix="", after="", *, recursive=True):
        if self.listing:
            self.deaths += 1
            raise Killed
        return super().pages(prefix, after, recursive=recursive)


def world_of(objects):
    for number in range(10):
        objects.put(f"k{number}.json", json.dumps({"data": {"n": number}}).encode())
    return World(objects, Settings(max_lanes=1), blob_mode=False)


def run(world):
    """Delivers, lets time pass, delivers, until the run is over."""
    world.run_to_end(world.start())
    for _ in range(500):
        if not world.waiting:
            break
        first = min(world.waiting, key=world.due.__getitem__)
        world.now = max(world.now + 1, world.due[first])
        world.run_to_end(world.deliver(first))
    return world.ctx.storages.get(STORAGE).value


def test_a_poisoned_object_is_set_aside():
    """The run ends with errors, names the object, and has all the others."""
    world = world_of(objects := Poisoned())

    ended = run(world)

    assert ("completed_with_errors", 9) == (ended.status, ended.last_sync_count)
    assert "k5.json: it stopped the worker" in ended.traceback
    assert [f"k{n}.json" for n in range(10) if n != 5] == world.task_keys()
    assert 3 <= objects.deaths <= 5


def test_it_is_tried_again_when_it_changes():
    """A new version is a new object."""
    world = world_of(objects := Poisoned())
    run(world)
    deaths = objects.deaths
    assert "completed_with_errors" == run(world).status
    assert deaths == objects.deaths

    objects.key = ""
    objects.put("k5.json", b'{"data": {"n": 55}}')

    assert ("completed", 1) == ((ended := run(world)).status, ended.last_sync_count)


def test_a_worker_that_always_dies_fails_the_run():
    """If no single object is to blame the run fails, and says so, instead of going on for ever."""
    world = world_of(objects := Poisoned())
    objects.listing = True

    ended = run(world)

    assert "failed" == ended.status
    assert "stopped its worker" in ended.traceback
    assert objects.deaths <= world.settings.max_chunk_crashes + 1
