"""What people read is never older than what they could know already."""

from shared.adapters.objects.memory import MemoryObjects
from shared.services.storages import views
from shared.settings import Settings
from tests.simulation.world import STORAGE, World


def test_a_run_that_ends_while_it_is_read():
    """The storage was read, then its run ended, then the gate is read: the new end is shown, not the one before."""
    objects = MemoryObjects()
    objects.put("k", b"")
    world = World(objects, Settings(max_lanes=1))
    world.run_to_end(world.start())
    before = world.ctx.storages.get(STORAGE).value
    for name in list(world.waiting):
        world.run_to_end(world.deliver(name))

    info = views.storage_info(world.ctx, before)

    assert ("completed", 1) == (info.status, info.last_sync_count)
