"""Schedules of a target: what happens to annotations and to the bucket while dues are paid and syncs run."""

from collections.abc import Callable
from typing import Any, NamedTuple

from shared.adapters.objects.memory import MemoryObjects
from shared.settings import Settings
from tests.simulation.schedules import Deviation, Schedule, Simulation, replay
from tests.simulation.target_world import TIME_OUT, TargetWorld

OTHER = "other/{annotation}"
NAMES = ("{annotation}", OTHER, "third/{annotation}")


CALM = {
    "switch",
    "deliver",
    "duplicate",
    "stall",
    "edit",
    "delete",
    "create",
    "stall, edit",
    "stall, delete",
    "stall, create",
}
"""Deviations in which nobody dies and no answer is lost."""

POINTS: dict[str, str | tuple[str, ...]] = {
    "kill": ("commit", "write", "written", "delete", "deleted", "enqueue"),
    "lose answer": "commit ",
    "unavailable": ("write ", "delete "),
    "answer lost": "write ",
    "written, unavailable": ("write ", "delete "),
}
"""Before which port calls a deviation can make a difference, if not before all."""


class Bare(MemoryObjects):
    """A bucket that keeps no metadata."""

    keeps_metadata = False

    def write(self, key: str, body: bytes, **about: Any) -> str:
        return super().write(key, body, **{**about, "metadata": {}})


class Blind(Bare):
    """A bucket that looks at no condition."""

    conditional = False

    def write(self, key: str, body: bytes, **about: Any) -> str:
        return super().write(key, body, **{**about, "expect": None})

    def delete(self, key: str, *, expect: str | None = None) -> None:
        super().delete(key)


class HalfBlind(MemoryObjects):
    """A bucket that looks at the conditions of writes alone."""

    def delete(self, key: str, *, expect: str | None = None) -> None:
        super().delete(key)


class TargetScenario(NamedTuple):
    """What happened before the schedule begins, and what may happen in it."""

    name: str
    acts: tuple[str, ...]
    kinds: tuple[str, ...]
    config: dict[str, Any]
    exported: tuple[str, ...] = ()
    """Acts whose dues were all paid before."""
    bucket: Callable[..., MemoryObjects] = MemoryObjects


class TargetSimulation(Simulation):
    """One schedule of one scenario, then healing, then the verdict on the bucket."""

    world: TargetWorld
    scenario: Any
    patience = TIME_OUT

    def __init__(self, scenario: TargetScenario, schedule: Schedule) -> None:
        config = {"can_delete_objects": True, **scenario.config}
        settings = Settings(max_lanes=1, chunk_target=1, slice_seconds=1e9)
        honours = scenario.bucket not in {Blind, HalfBlind}
        self.world = TargetWorld(scenario.bucket(page_size=1), settings, config=config, conditional_deletes=honours)
        self.scenario = scenario
        self.world.calm = CALM.issuperset(deviation.kind for deviation in schedule)
        self._take(schedule)

    def run(self) -> list[str]:
        world = self.world
        for act in self.scenario.exported:
            self._more(act, 1)
        self._heal()
        self.steps, self.stops = 0, []
        for act in self.scenario.acts:
            self._more(act, 1)
        self.faults = True
        self._until_quiet()
        while world.stalled:
            self._wake_the_stalled()
            self._until_quiet()
        self.faults = False
        reached = self.steps
        world.bucket_fault = ""
        self._heal()
        if world.calm and not world.edited:
            world.check_bucket()  # nobody died, so everybody mended what he replaced
        if not world.conditional_deletes or world.edited or world.faulted:
            world.edited = world.faulted = False  # what no due can know of is for the next full sync to find
            world.start()
            self._heal()
        world.check_bucket()
        world.check_map()
        self.steps = reached
        return world.problems

    def _deliver_next(self) -> None:
        """Who stalled goes on before much time goes by."""
        world = self.world
        if world.stalled and min(world.due[name] for name in world.waiting) > world.now + 60:
            self._wake_the_stalled()
        else:
            super()._deliver_next()

    def _wake_the_stalled(self) -> None:
        """The one that waited longest goes on from just before its port call."""
        world = self.world
        actor, dies = world.stalled.pop(0)
        world.actors.append(actor)
        world.end_the_old()
        if not actor.over:
            self.stops.append(f"{actor.name} @ {actor.at}, late")
            actor.go()
        if dies:
            actor.kill()
        world.reap()

    def _more(self, kind: str, pick: int) -> bool:
        world = self.world
        world.end_the_old()
        if kind in {"create", "edit", "delete"}:
            getattr(world, kind)()
        elif kind == "edit, never told":
            before = set(world.waiting)
            world.edit()
            for name in set(world.waiting) - before:
                del world.waiting[name]
        elif kind == "sync":
            world.start()
        elif kind == "template":
            world.edited = True
            world.template(NAMES[pick % 3])
        elif kind.startswith("stall"):  # such as "stall, delete, die"
            _, *acts = kind.split(", ")
            if world.actors and not world.actors[0].over:
                world.stalled.append((world.actors.pop(0), "die" in acts))
            for act in acts:
                self._more(act, pick)
        elif kind in {"unavailable", "answer lost", "written, unavailable"}:
            world.bucket_fault, world.faulted = kind, True
        else:
            return False
        return True

    def _undelivered(self) -> list[str]:
        return [name for name in super()._undelivered() if self.world.due[name] <= self.world.now + 1]


def single_faults(scenario: TargetScenario) -> list[Schedule]:
    """Every schedule with one deviation, where it can make a difference: the like of its neighbours is left out."""
    plain = TargetSimulation(scenario, ())
    problems = plain.run()
    assert not problems, problems
    schedules: list[Schedule] = [()]
    for step, stop in enumerate(plain.stops[: plain.steps]):
        at = stop.partition(" @ ")[2]
        for kind in scenario.kinds:
            if at.startswith(POINTS.get(kind, "")):
                schedules += [(Deviation(step, kind, pick),) for pick in ((0, 2) if "template" in kind else (0,))]
    return schedules


def replayed(scenario: TargetScenario, schedule: Schedule) -> list[str]:
    """Runs one schedule; on a problem the list ends with who stopped where."""
    return replay(scenario, schedule, TargetSimulation)
