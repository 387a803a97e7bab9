"""Schedules: a list of deviations from "everybody runs to his end, in turn", and what is checked at the end of each.

A deviation happens at a numbered step. All schedules with one deviation are tried, then seeded random ones with many.
A schedule prints as a line of Python; `replay` runs it again.
"""

import os
import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from shared.adapters.objects.memory import MemoryObjects
from shared.model.fields import Direction
from shared.settings import Settings
from tests.simulation.world import Actor, World

MAX_STEPS = 4000


class Scenario(NamedTuple):
    """What there is in the bucket, how wide the sync is, and which deviations may happen."""

    name: str
    objects: int
    lanes: int
    kinds: tuple[str, ...]
    late: str = ""
    """The object that appears in mid-run, with its event."""
    synced: bool = False
    """Begin with a bucket that was synced once."""
    slice_seconds: float = 1e9
    """0: a worker hands over after every commit."""


class Deviation(NamedTuple):
    """At this step, this instead of going on."""

    step: int
    kind: str
    pick: int = 0


Schedule = tuple[Deviation, ...]


class Simulation:
    """One schedule of one scenario, then healing, then the verdict."""

    config: Mapping[str, Any] = MappingProxyType({})
    """Settings of the storage."""
    direction: Direction = "import"

    def __init__(
        self, scenario: Scenario, schedule: Schedule, *, prepare: Callable[[World], None] | None = None
    ) -> None:
        objects = MemoryObjects(page_size=1)
        for number in range(scenario.objects):
            objects.put(f"k{number}", b"")
        settings = Settings(
            max_lanes=scenario.lanes, chunk_target=1, slice_seconds=scenario.slice_seconds, batch_writes=7
        )
        self.world = World(objects, settings, config=self.config, direction=self.direction)
        self.scenario = scenario
        self._take(schedule)
        if prepare:
            prepare(self.world)

    def _take(self, schedule: Schedule) -> None:
        self.by_step: dict[int, list[Deviation]] = {}
        for deviation in schedule:
            self.by_step.setdefault(deviation.step, []).append(deviation)
        self.steps = 0
        self.stops: list[str] = []
        """Who stopped where, step by step."""

    def run(self) -> list[str]:
        """Runs it all; returns what went wrong."""
        world = self.world
        if self.scenario.synced:
            world.start()
            self._until_quiet()
            self._heal()
            self.steps, self.stops = 0, []
            world.purged = world.edited = False
            world.problems.clear()
            self._afterwards()
        self.runs_before = world.gate().run_seq
        self.faults = True
        world.start()
        self._until_quiet()
        self.faults = False
        self._heal()
        return world.problems + self._verdict()

    faults = False
    patience = 1.0
    """Seconds that healing may wait for what is put off, each time."""
    runs_before = 0

    def _afterwards(self) -> None:
        """For other simulations: what happens between the first sync and the one that is searched."""

    def _until_quiet(self) -> None:
        """Everybody alive runs in turn, then the next message is delivered, until nobody is left."""
        world = self.world
        while world.actors or world.waiting:
            if not world.actors:
                self._deliver_next()
            if not world.actors:
                continue
            actor = world.actors[0]
            if self.faults:
                actor = self._deviate(actor)
            if actor is not None and not actor.over:
                self.stops.append(f"{actor.name} @ {actor.at}")
                actor.go()
            self.steps += 1
            world.reap()
            if self.steps > MAX_STEPS:
                world.problems.append(f"never comes to rest: {world.owed()}; {self.stops[-6:]}")
                for left in world.actors:
                    left.kill()
                world.actors.clear()
                return

    def _deliver_next(self) -> None:
        world = self.world
        first = min(world.waiting, key=world.due.__getitem__)
        world.now = max(world.now, world.due[first])
        world.deliver(first)

    def _deviate(self, actor: Actor) -> Actor | None:
        world = self.world
        for deviation in self.by_step.get(self.steps, ()):
            kind, pick = deviation.kind, deviation.pick
            self.stops.append(f"--- {kind}")
            if self._more(kind, pick):
                continue
            if kind == "kill":
                actor.kill()
            elif kind == "switch" and len(world.actors) > 1:  # the next one runs on; this one waits at the end
                world.actors.append(world.actors.pop(0))
            elif kind == "deliver" and (free := self._undelivered()):
                self._first(world.deliver(free[pick % len(free)]))
            elif kind == "duplicate" and world.waiting:
                names = list(world.waiting)
                self._first(world.deliver(names[pick % len(names)]))
            elif kind == "lapse":  # all leases; whoever held one goes on as a zombie, after the others
                world.now += world.settings.stale_after + 1
                world.actors.append(world.actors.pop(0))
            elif kind == "lose answer":
                world.lose_next_answer = True
            elif kind == "sweep":
                self._first(world.sweep())
            elif kind == "late sweep":
                world.now += world.settings.stale_after + 1
                self._first(world.sweep())
            elif kind == "read":
                self._first(world.read())
            elif kind == "cancel":
                self._first(world.cancel())
            elif kind == "start":
                self._first(world.start())
            elif kind == "purge":
                world.waiting.clear()
                world.purged = True
            elif kind == "late" and (late := self.scenario.late) not in world.object_keys():
                world.objects.put(late, b"")
                self._first(world.event(late))
        return world.actors[0] if world.actors else None

    def _more(self, kind: str, pick: int) -> bool:
        """For other worlds: whether it was a deviation of theirs, which has happened then."""
        return False

    def _first(self, actor: Actor) -> None:
        """The new actor takes the next step."""
        self.world.actors.remove(actor)
        self.world.actors.insert(0, actor)

    def _undelivered(self) -> list[str]:
        busy = {actor.message for actor in self.world.actors}
        return [name for name in self.world.waiting if name not in busy]

    def _heal(self) -> None:
        """No more faults: time passes, the sweep runs, messages are delivered, until nothing is owed."""
        world = self.world
        world.lose_next_answer = False
        for _ in range(12):
            self._until_quiet()
            if not world.owed() or world.problems:
                return
            world.now += world.settings.stale_after + world.settings.rewake_seconds + self.patience
            world.sweep()
        world.problems.append(f"does not heal: {world.owed()}")

    def _verdict(self) -> list[str]:
        world = self.world
        if (late := self.scenario.late) in world.object_keys() and late not in world.task_keys():
            world.problems.append("the object of a delivered event was never imported")
        if world.purged or world.edited or world.gate().run_seq == self.runs_before:
            world.purged = world.edited = False
            world.start()  # a failed run, or none at all: the next sync completes the rest
            self._heal()
        expected, found = world.object_keys(), world.task_keys()
        if found != expected and not world.problems:
            world.problems.append(f"tasks {found} are not the objects {expected}")
        world.check_map()
        return []


def faults_at_every_step(scenario: Scenario, simulation: Any = Simulation) -> list[Schedule]:
    """Every schedule with exactly one deviation, and none at all."""
    plain = simulation(scenario, ())
    problems = plain.run()
    assert not problems, problems
    schedules: list[Schedule] = [()]
    for step in range(plain.steps):
        for kind in scenario.kinds:
            schedules += [
                (Deviation(step, kind, pick),) for pick in range(2 if kind in {"deliver", "duplicate"} else 1)
            ]
    return schedules


def faults_at_some_steps(scenario: Scenario, simulation: Any = Simulation) -> list[Schedule]:
    """Every schedule with exactly one deviation, as far as `some` takes them."""
    return some(faults_at_every_step(scenario, simulation))


def some(schedules: Sequence[Any]) -> list[Any]:
    """Every third schedule, of each kind of fault at every third step or so; all of them with SLUICE_SEARCH=all."""
    if os.environ.get("SLUICE_SEARCH") == "all":
        return list(schedules)
    # The step is added, since there may be three times as many faults at each of them.
    return [one for at, one in enumerate(schedules) if not one or (at + one[0].step) % 3 == 0]


def random_schedule(scenario: Any, seed: int, steps: int) -> Schedule:
    """A schedule of two to eight deviations, every other one with all of them close together."""
    rng = random.Random(seed)
    first, width = (rng.randrange(steps), 25) if seed % 2 else (0, steps)
    return tuple(
        sorted(
            Deviation(first + rng.randrange(width), rng.choice(scenario.kinds), rng.randrange(4))
            for _ in range(rng.randint(2, 8))
        )
    )


def replay(scenario: Any, schedule: Schedule, simulation: Any = Simulation) -> list[str]:
    """Runs one schedule; on a problem the list ends with who stopped where."""
    one = simulation(scenario, schedule)
    problems = one.run()
    return [*problems, *one.stops] if problems else []
