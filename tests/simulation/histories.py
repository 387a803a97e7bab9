"""Random histories of a bucket and its users, with notifications that get lost, doubled, late and out of order.

The real services run stepped, so that an upload or an annotation may come between any two port calls of a sync. At
the end one scheduled sync runs, with everything that was not told yet left untold. `expected.problems` then compares.
"""

import json
import random
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shared.adapters.objects.memory import MemoryObjects
from shared.errors import NotFoundError
from shared.ports import Document, Query
from shared.services.labelling import annotating, task_edits
from shared.settings import Settings
from tests.simulation.world import STORAGE, Actor, World

KEYS = ("a", "b/c", "d")
LOST = 0.1
DOUBLED = 0.2
SAVED_BEFORE = 0.15
ACTIONS = 20
MOST_STEPS = 6000


class Version(NamedTuple):
    """What an object held once; blob mode looks at no text."""

    version: str
    texts: tuple[str, ...]


class Work(NamedTuple):
    """Somebody annotated or edited a task, as it was then."""

    number: str
    key: str
    row: int | None
    text: str
    version: str
    leftover: bool
    """Its row was no longer in the file."""


class Deletion(NamedTuple):
    """Somebody deleted a task."""

    number: str
    key: str
    row: int | None
    text: str
    mark: str
    alone: bool
    """No other task had the same row."""


@dataclass
class History:
    """One history: what was done to the bucket and to tasks, and the world it was done in."""

    seed: int
    on_changed: str
    on_deleted: str
    blob_mode: bool
    objects: MemoryObjects = field(init=False)
    world: World = field(init=False)
    versions: dict[str, list[Version]] = field(default_factory=dict)
    works: list[Work] = field(default_factory=list)
    deletions: list[Deletion] = field(default_factory=list)
    seen: dict[str, Document] = field(default_factory=dict)
    """Tasks that were there at some moment, by number."""
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.objects = MemoryObjects(page_size=2)
        policies = {"on_changed": self.on_changed, "on_deleted": self.on_deleted, "sync_interval": 1}
        settings = Settings(max_lanes=2, chunk_target=2, batch_writes=9)
        self.world = World(self.objects, settings, blob_mode=self.blob_mode, config=policies, events=True)
        self._untold: list[str] = []
        self._texts = 0

    # ------------------------------------------------------------------------------------------ what happens

    def run(self) -> None:
        """All of it, to the end of the scheduled sync."""
        for _ in range(ACTIONS):
            self._act()
            if self.rng.random() < 0.5:
                self._tell()
            if self.rng.random() < 0.5:
                self._work()
            if self.rng.random() < 0.08:
                self.world.start()
        self._settle()
        self._act_once_more()
        self.scheduled_sync()

    def _act_once_more(self) -> None:
        """Something that perhaps nobody is told of before the sync."""
        for _ in range(self.rng.randrange(3)):
            self._act()

    def scheduled_sync(self) -> None:
        """The sweep starts a sync; what was told before is done, and what was not stays untold."""
        self.world.now += 3600
        before = self.world.gate().run_seq
        self.world.run_to_end(self.world.sweep())
        assert self.world.gate().run_seq == before + 1, "no sync was started by schedule"
        self._settle()
        run = self.world.ctx.runs.get(self.world.ctx.storages.get(STORAGE).value.last_sync_job).value
        assert (run.trigger, run.outcome) == ("schedule", "completed"), run

    def tell_the_rest(self) -> None:
        """Late notifications arrive; they change nothing any more."""
        while self._untold:
            self._tell()
        self._settle()

    def _act(self) -> None:
        act = self.rng.choices(
            [self._upload, self._again, self._remove, self._annotate, self._edit, self._delete], [5, 1, 4, 3, 1, 3]
        )[0]
        act()
        self._look()

    def _upload(self) -> None:
        key = self.rng.choice(KEYS)
        rows = self.rng.randint(1, 3)
        self._texts += 1
        self._put(key, tuple(f"{key} {self._texts} {row}" for row in range(rows)))

    def _again(self) -> None:
        """An object gets back what it held at some time."""
        if self.versions:
            key = self.rng.choice(sorted(self.versions))
            self._put(key, self.rng.choice(self.versions[key]).texts)

    def _put(self, key: str, texts: tuple[str, ...]) -> None:
        body = json.dumps([{"data": {"text": text}} for text in texts])
        version = self.objects.put(key, body.encode())
        self.versions.setdefault(key, []).append(Version(version, texts))
        self._notify(key, f"put {key} as {version}")

    def _remove(self) -> None:
        if there := sorted(self.present()):
            key = self.rng.choice(there)
            self.objects.remove(key)
            self._notify(key, f"remove {key}")

    def _annotate(self) -> None:
        def annotate(number: int) -> None:
            annotating.create(self.world.ctx, number, {"result": []}, user=1)

        self._touch("annotate", annotate)

    def _edit(self) -> None:
        self._touch("edit", lambda number: task_edits.update(self.world.ctx, number, {"meta": {"by": "hand"}}))

    def _touch(self, name: str, work: Any) -> None:
        task = self._some_task()
        if task is None:
            return
        data = task.data
        texts = self._current_texts(data["key"])
        leftover = not self.blob_mode and data["row"] >= len(texts)
        try:
            work(int(task.ref.id))
        except NotFoundError:
            return
        self.log.append(f"{name} {task.ref.id} of {data['key']} row {data['row']}")
        if task.ref.id not in {work.number for work in self.works}:
            self.works.append(Work(task.ref.id, data["key"], data["row"], text_of(task), data["version"], leftover))

    def _delete(self) -> None:
        task = self._some_task()
        if task is None:
            return
        data = task.data
        others = [d for d in self.live().values() if (d.data["key"], d.data["row"]) == (data["key"], data["row"])]
        task_edits.delete(self.world.ctx, int(task.ref.id))
        self.log.append(f"delete {task.ref.id} of {data['key']} row {data['row']}")
        mark = data.get("mark", "")
        self.deletions.append(Deletion(task.ref.id, data["key"], data["row"], text_of(task), mark, len(others) == 1))

    # ------------------------------------------------------------------------------- notifications, workers

    def _notify(self, key: str, what: str) -> None:
        lost = self.rng.random() < LOST
        self.log.append(what + (" (lost)" if lost else ""))
        if not lost:
            self._untold += [key] * (2 if self.rng.random() < DOUBLED else 1)

    def _tell(self) -> None:
        """One of the notifications arrives, whichever."""
        if self._untold:
            key = self._untold.pop(self.rng.randrange(len(self._untold)))
            self.log.append(f"told of {key}")
            self.world.run_to_end(self.world.event(key))

    def _work(self) -> None:
        """A message is delivered; in the middle of it the bucket may change, and somebody may be at work."""
        world = self.world
        if world.waiting:
            name = self.rng.choice(sorted(world.waiting))
            world.now = max(world.now, world.due[name])
            actor = world.deliver(name)
            self.log.append(f"deliver {actor.name}")
            at = self.rng.randrange(60) if self.rng.random() < 0.5 else -1
            while not actor.over:
                if at == 0:
                    self.log.append(f"meanwhile, at {actor.at}:")
                    self._act()
                at -= 1
                self._go(actor)
            world.reap()
        self._look()

    def _go(self, actor: Actor) -> None:
        """A step; somebody may save an annotation right before a commit that writes tasks."""
        if actor.at.startswith("commit") and "tasks" in actor.at and self.rng.random() < SAVED_BEFORE:
            self.log.append("in the same moment:")
            self._annotate()
        actor.go()

    def _settle(self) -> None:
        """All messages are delivered, in the order in which they are due."""
        world = self.world
        for _ in range(MOST_STEPS):
            for actor in list(world.actors):
                while not actor.over:
                    self._go(actor)
            world.reap()
            if not world.waiting:
                self._look()
                return
            name = min(world.waiting, key=world.due.__getitem__)
            world.now = max(world.now, world.due[name])
            world.deliver(name)
        raise AssertionError(f"never comes to rest: {world.owed()}")

    # ----------------------------------------------------------------------------------------- looking at it

    def present(self) -> dict[str, Version]:
        """What the bucket holds."""
        keys = [info.key for page in MemoryObjects.pages(self.objects) for info in page]
        return {key: self.versions[key][-1] for key in keys}

    def live(self) -> dict[str, Document]:
        """The tasks of the project, by number."""
        found = self.world.documents.query(Query(collection="tasks", limit=1000))
        return {document.ref.id: document for document in found if not document.data["deleted"]}

    def _current_texts(self, key: str) -> tuple[str, ...]:
        there = self.present().get(key)
        return there.texts if there else ()

    def _look(self) -> None:
        self.seen |= self.live()

    def _some_task(self) -> Document | None:
        there = self.live()
        return there[self.rng.choice(sorted(there))] if there else None


def text_of(task: Document) -> str:
    """What a task of a file says; the address of one in blob mode."""
    return str(next(iter(json.loads(task.data["data"]).values())))
