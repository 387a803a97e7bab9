"""Records become tasks under every single fault at every port call, and under random bundles of faults."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
import pytest

from shared.adapters.objects.memory import MemoryObjects
from shared.model.addition import Addition
from shared.model.chunk import Chunk
from shared.model.ledger import Entry
from shared.model.owed import Permit
from shared.model.project import Project
from shared.model.run import Gate
from shared.model.storage import Storage
from shared.model.user import User
from shared.ports import Query, Update
from shared.records.additions import Additions
from shared.services import announcing
from shared.services.datasets import adding, additions
from shared.services.labelling import task_edits
from shared.settings import Settings
from tests.simulation.schedules import Schedule, Simulation, faults_at_some_steps, random_schedule
from tests.simulation.world import PROJECT, STORAGE, Actor, World

KEYS = ("k0", "k1", "k2", "k3", "k4")
USER = User(id=1, email="a@b.c", username="a", role="admin", created_at=0.0)
WORKERS = ("kill", "switch", "deliver", "duplicate", "lapse", "lose answer", "late sweep", "purge")
RANDOM = 80


@dataclass
class AdditionWorld(World):
    """A dataset that was synced: five records in two chunks. Commits take two records each."""

    def _register(self) -> None:
        config = {"bucket": "b"}
        storage = Storage(
            id=STORAGE,
            type="s3",
            direction="dataset",
            project=0,
            created_at=self.now,
            config=config,
            secrets=b"",
            meta={},
        )
        gate = Gate(id="7", storage=STORAGE, project=0, map="map1", location=storage.location, shape=storage.shape)
        ctx = self.ctx
        chunks = [
            Chunk(id="a", storage=STORAGE, map="map1", after="", until="k2", start=""),
            Chunk(id="b", storage=STORAGE, map="map1", after="k2", until=None, start=b"k2".hex()),
        ]
        parts = [KEYS[:3], KEYS[3:]]
        self.documents.commit(
            [
                ctx.projects.create(PROJECT, Project(id=PROJECT, title="project", created_at=self.now)),
                ctx.storages.create(STORAGE, storage),
                ctx.gates.create(STORAGE, gate),
                *(ctx.chunks.create(chunk.id, chunk) for chunk in chunks),
                *(
                    ctx.ledgers.write(
                        chunk.id, {key: Entry(key, "1") for key in part}, exists=False, storage_map="map1"
                    )
                    for chunk, part in zip(chunks, parts, strict=True)
                ),
            ]
        )

    def ask(self, **given: Any) -> Actor:
        storage = self.ctx.storages.get(STORAGE)
        assert storage is not None
        asked = {"project": PROJECT, "filter": {}, **given}
        return self.spawn("api", lambda: additions.start(self.ctx, storage.value, asked, user=USER) and None)

    def deliver(self, name: str) -> Actor:
        permit = Permit(**orjson.loads(self.waiting[name].body))
        return self.spawn(f"addition#{permit.ticket}", lambda: adding.work(self.ctx, permit), name)

    def sweep(self) -> Actor:
        return self.spawn("sweep", lambda: additions.DESK.wake_overdue(self.ctx, 10) and None)

    def additions(self) -> list[Addition]:
        found = self.documents.query(Query(collection="additions", limit=1000))
        return [Additions(self.documents).stored(document).value for document in found]

    def owed(self) -> list[str]:
        found = [f"{one.id} is {one.state}" for one in self.additions() if not one.over]
        return [*found, *(f"{name} waits" for name in self.waiting)]

    def observe(self, writes: Any) -> None:
        """Every commit that makes tasks says so, and how many."""
        made = sum(write.ref.collection == "tasks" and hasattr(write, "data") for write in writes)
        if made and not any(write.ref.collection == "additions" for write in writes):
            self.problems.append("tasks were made, and their addition does not know")


class Case(NamedTuple):
    """What is asked for, by whom else, and after what."""

    name: str
    given: dict[str, Any]
    before: bool = False
    """Two of the records are tasks already, one of which a user deleted."""
    twice: bool = False
    slice_seconds: float = 1e9
    kinds: tuple[str, ...] = WORKERS


class AdditionSimulation(Simulation):
    """One schedule, then healing, then the verdict on tasks and counts."""

    world: AdditionWorld
    scenario: Any

    def __init__(self, scenario: Case, schedule: Schedule) -> None:
        settings = Settings(slice_seconds=scenario.slice_seconds, batch_writes=announcing.ROOM + adding.REST + 2)
        self.world = AdditionWorld(MemoryObjects(), settings)
        self.scenario = scenario
        self._take(schedule)

    def run(self) -> list[str]:
        world, case = self.world, self.scenario
        if case.before:
            world.ask(filter={"prefix": "k1"})
            world.ask(filter={"prefix": "k3"})
            self._heal()
            numbers = {document.data["key"]: int(document.ref.id) for document in self._tasks()}
            task_edits.delete(world.ctx, numbers["k3"])
            world.now += 1
        self.asked_before = len(world.additions())
        self.steps, self.stops = 0, []
        self.faults = True
        for _ in range(1 + case.twice):
            world.ask(**case.given)
        self._until_quiet()
        self.faults = False
        reached = self.steps
        self._heal()
        if len(world.additions()) == self.asked_before:  # whoever asked died first
            world.ask(**case.given)
            self._heal()
        self.steps = reached
        self._judge()
        return world.problems

    def _tasks(self) -> list[Any]:
        return self.world.documents.query(Query(collection="tasks", limit=1000))

    def _judge(self) -> None:
        say = self.world.problems.append
        tasks = self._tasks()
        live = sorted(document.data["key"] for document in tasks if not document.data["deleted"])
        left_out = {"k3"} if self.scenario.before and "reimport_deleted" not in self.scenario.given else set()
        if live != [key for key in KEYS if key not in left_out]:
            say(f"the tasks are {live}")
        mine = sorted(self.world.additions(), key=lambda one: one.id)[self.asked_before :]
        wanted = len(live) - (1 if self.scenario.before else 0)
        if sum(one.created for one in mine) != wanted:
            say(f"{[one.created for one in mine]} were counted as made, of {wanted}")
        for one in mine:
            if (one.state, one.selected) != ("completed", 5):
                say(f"{one}")
            if one.created + one.existed + one.deleted != 5 or one.deleted != len(left_out):
                say(f"the counts do not add up: {one}")


CASES = [
    Case("all", {}),
    Case("message by message", {}, slice_seconds=0.0),
    Case("some were there", {}, before=True),
    Case("what was deleted too", {"reimport_deleted": True}, before=True),
    Case("asked twice at once", {}, twice=True),
]


def played(case: Case, schedule: Schedule) -> list[str]:
    one = AdditionSimulation(case, schedule)
    problems = one.run()
    return [*problems, *one.stops] if problems else []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_fault_anywhere(case):
    for schedule in faults_at_some_steps(case, AdditionSimulation):
        assert played(case, schedule) == [], f"played(CASES[{CASES.index(case)}], {schedule})"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_many_faults(case):
    for seed in range(RANDOM):
        schedule = random_schedule(case, seed, 60)
        assert played(case, schedule) == [], f"played(CASES[{CASES.index(case)}], {schedule})"


def unguarded(patch):
    """The addition is written whoever wrote it before."""
    update = Additions.update
    patch.setattr(
        Additions, "update", lambda self, stored, value: Update(*update(self, stored, value)[:2], revision=None)
    )


def nobody_sweeps(patch):
    patch.setattr(AdditionWorld, "sweep", lambda self: self.spawn("sweep", lambda: None))


def numbers_of_their_own(patch):
    """A task's number does not follow from what it is made of."""
    numbers = iter(range(1, 10**6))
    patch.setattr(adding, "task_id", lambda *_: next(numbers))


@pytest.mark.parametrize("plant", [unguarded, nobody_sweeps, numbers_of_their_own])
def test_a_planted_defect_is_caught(plant, monkeypatch):
    plant(monkeypatch)
    case = CASES[4 if plant is numbers_of_their_own else 1]
    tries = (played(case, random_schedule(case, seed, 60)) for seed in range(600))
    assert any(tries)
