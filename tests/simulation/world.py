"""The simulated world: the real services on in-process ports, where a scheduler decides who takes the next step.

Every port call is a step. Before each one the actor stops and the scheduler chooses: let it go on, let another one go
on, kill one, deliver a message (perhaps twice), let all leases lapse, purge the queue, run the sweep, and so on. An
actor that is killed disappears between two port calls, as a process does.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from greenlet import greenlet

from shared.adapters.documents.sqlite import SqliteDocuments
from shared.adapters.objects.memory import MemoryObjects
from shared.adapters.receivers import HttpReceivers
from shared.model import ledger as ledgers
from shared.model.chunk import Chunk
from shared.model.fields import Direction
from shared.model.order import by_utf8
from shared.model.project import Project
from shared.model.run import Ending, Gate, Permit
from shared.model.schedule import scheduled
from shared.model.storage import Storage
from shared.ports import Delete, Message, Query, Write
from shared.records.runs import gates
from shared.services import sweeping
from shared.services.context import Context
from shared.services.sync import hints, runs, status, syncing
from shared.settings import Settings
from tests.simulation.stepped import SteppedDocuments, SteppedObjects, SteppedQueue

PROJECT, STORAGE = 1, 7


class Killed(BaseException):
    """Thrown into an actor: its process is gone."""


class Actor:
    """Something that runs: a delivery, an API call, a sweep."""

    def __init__(self, name: str, target: Callable[[], None], message: str = "") -> None:
        self.name = name
        self.message = message
        self.at = "start"
        self._killed = False
        self._glet = greenlet(target)

    @property
    def over(self) -> bool:
        return self._killed or bool(self._glet.dead)

    def go(self) -> None:
        """Runs to its next port call, or to its end."""
        self._glet.switch()

    def kill(self) -> None:
        """Ends it here: nothing it would have done afterwards happens."""
        if self._glet:  # begun and not over
            self._glet.throw(Killed)
        self._killed = True


@dataclass
class World:
    """One storage in one project, whose services are stepped by a scheduler."""

    objects: MemoryObjects
    settings: Settings
    log: list[str] = field(default_factory=list)
    now: float = 1_000_000.0
    actors: list[Actor] = field(default_factory=list)
    waiting: dict[str, Message] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    dispatches: dict[str, int] = field(default_factory=dict)
    purged: bool = False
    edited: bool = False
    problems: list[str] = field(default_factory=list)
    lose_next_answer: bool = False
    bucket_fault: str = ""
    """What happens to the next write or deletion of an object."""
    needed: frozenset[str] = frozenset()
    events: bool = False
    blob_mode: bool = True
    direction: Direction = "import"
    config: Mapping[str, Any] = field(default_factory=dict)
    """More settings of the storage."""
    errors: bool = False
    """Whether a run is to end with errors."""
    deletions: int = 0
    """Tasks deleted so far."""

    def __post_init__(self) -> None:
        self.main = greenlet.getcurrent()
        self.documents = SqliteDocuments(":memory:", indexes=())
        counter = iter(range(1, 1_000_000))
        self.ctx = Context(
            documents=SteppedDocuments(self),
            queue=SteppedQueue(self),
            settings=self.settings,
            open_store=lambda _storage: SteppedObjects(self),
            receivers=HttpReceivers(allow_private=False, timeout=1.0),  # no webhook is made here
            clock=lambda: self.now,
            new_id=lambda: f"id{next(counter):06d}",
            rng=random.Random(7),
            boot="boot",
        )
        self._register()

    @property
    def project(self) -> int:
        """The storage's."""
        return 0 if self.direction == "dataset" else PROJECT

    def _register(self) -> None:
        storage = Storage(
            id=STORAGE,
            type="s3",
            direction=self.direction,
            project=self.project,
            created_at=self.now,
            config={"bucket": "b", "use_blob_urls": self.blob_mode, "recursive_scan": True, **self.config},
            secrets=b"",
            meta={},
        )
        storage = scheduled(storage, started=None)
        gate = Gate(
            id=str(STORAGE),
            storage=STORAGE,
            project=self.project,
            map="map1",
            location=storage.location,
            shape=storage.shape,
        )
        root = Chunk(id="root", storage=STORAGE, map="map1", after="", until=None, start="")
        ctx = self.ctx
        self.documents.commit(
            [
                ctx.projects.create(PROJECT, Project(id=PROJECT, title="project", created_at=self.now)),
                ctx.storages.create(STORAGE, storage),
                ctx.gates.create(STORAGE, gate),
                ctx.chunks.create(root.id, root),
            ]
        )

    # ---------------------------------------------------------------------------------------------- stepping

    @property
    def stepping(self) -> bool:
        """Whether an actor is at work, and not the test itself."""
        return greenlet.getcurrent() is not self.main

    def step(self, what: str) -> None:
        """Called before each port call: gives the turn back to the scheduler."""
        current = greenlet.getcurrent()
        if current is self.main:
            return
        for actor in self.actors:
            if actor._glet is current:
                actor.at = what
        self.main.switch()

    def spawn(self, name: str, target: Callable[[], None], message: str = "") -> Actor:
        """A new actor, which has not taken a step yet."""

        def guarded() -> None:
            try:
                target()
            except Killed:
                return
            except Exception as error:  # noqa: BLE001  an answer of 500: the message stays
                self.log.append(f"{name}: {type(error).__name__}: {error}")
                self.due[message] = self.now + 1
                return
            if message:
                self.waiting.pop(message, None)

        actor = Actor(name, guarded, message)
        self.actors.append(actor)
        return actor

    def deliver(self, name: str) -> Actor:
        """Delivers a waiting message; until its actor ends well it stays in the queue."""
        self.dispatches[name] = self.dispatches.get(name, 0) + 1
        permit = Permit(**orjson.loads(self.waiting[name].body))
        who = f"hint {permit.hint}" if permit.hint else f"lane {permit.lane}"
        return self.spawn(f"{who}#{permit.ticket}", lambda: syncing.run_permit(self.ctx, permit), name)

    def start(self) -> Actor:
        return self.spawn("api start", lambda: runs.start_run(self.ctx, STORAGE) and None)

    def sweep(self) -> Actor:
        return self.spawn("sweep", lambda: sweeping.sweep(self.ctx))

    def read(self) -> Actor:
        return self.spawn("api read", lambda: status.ensure_status(self.ctx, STORAGE))

    def cancel(self) -> Actor:
        def cancelled() -> None:
            gate = self.ctx.gates.get(STORAGE)
            if gate is not None and gate.value.run:
                runs.end_run(self.ctx, gate, Ending(outcome="cancelled", traceback="cancelled"))

        self.edited = True
        return self.spawn("api cancel", cancelled)

    def event(self, key: str) -> Actor:
        self.events = True

        def told() -> None:
            gate = self.ctx.gates.get(STORAGE)
            assert gate is not None
            hints.mark_dirty(self.ctx, gate.value, by_utf8, key)

        return self.spawn(f"event {key}", told)

    def run_to_end(self, actor: Actor) -> None:
        while not actor.over:
            actor.go()
        self.reap()

    def reap(self) -> None:
        self.actors = [actor for actor in self.actors if not actor.over]

    # -------------------------------------------------------------------------------------------- judging

    def gate(self) -> Gate:
        stored = gates(self.documents).get(STORAGE)
        assert stored is not None
        return stored.value

    def task_keys(self) -> list[str]:
        """Keys of the objects that a sync took: of their tasks, or their records."""
        if self.direction == "dataset":
            blobs = self.documents.query(Query(collection="ledgers", limit=1000))
            return sorted(key for document in blobs for key in ledgers.decode(document.data["blob"]))
        query = Query(collection="tasks", limit=1000)
        return sorted(document.data["key"] for document in self.documents.query(query))

    def object_keys(self) -> list[str]:
        return [info.key for page in MemoryObjects.pages(self.objects) for info in page]

    def chunks(self) -> list[Chunk]:
        return [stored.value for stored in self.ctx.chunks.in_order("map1", after=None, limit=1000)]

    def owed(self) -> list[str]:
        """What is left to do; empty when all is at rest."""
        found = []
        if self.gate().run:
            found.append("a run is active")
        for chunk in self.chunks():
            if chunk.unsettled:
                found.append(f"{chunk.id} is unsettled")
        for document in self.documents.query(Query(collection="hints", limit=1000)):
            if document.data["dirty"]:
                found.append(f"hint {document.ref.id} is dirty")
        if self.waiting:
            found.append(f"{len(self.waiting)} messages wait")
        return found

    def check_map(self) -> None:
        """The chunks tile the whole key space, and every ledger entry lies in its chunk."""
        edge: str | None = ""
        for chunk in self.chunks():
            if chunk.after != edge:
                self.problems.append(
                    f"gap or overlap: a chunk begins at {chunk.after!r}, the one before ends at {edge!r}"
                )
            edge = chunk.until
            for key in self.ctx.ledgers.get(chunk.id) or {}:
                if not (chunk.after < key and (chunk.until is None or key <= chunk.until)):
                    self.problems.append(f"{key} is in the ledger of ({chunk.after!r}, {chunk.until!r}]")
        if edge is not None:
            self.problems.append(f"the map ends at {edge!r}")

    def observe(self, writes: Sequence[Write]) -> None:
        """Looks at every commit: no run may end in a lie, and none may write after its end."""
        if not self.events and not self.gate().run and any(write.ref.collection == "tasks" for write in writes):
            self.problems.append("tasks were written for a run that is over")
        self.deletions += sum(write.ref.collection == "tasks" and isinstance(write, Delete) for write in writes)
        for write in writes:
            if write.ref.collection == "runs" and not hasattr(write, "revision"):
                self.needed = frozenset(self.object_keys())
            changes = getattr(write, "changes", None)
            if write.ref.collection != "runs" or not changes or "outcome" not in changes:
                continue
            outcome = changes["outcome"]
            if outcome == "completed" and not self.needed <= set(self.task_keys()):
                self.problems.append("Completed, but an object that was there at the start is missing")
            if outcome == "completed" and changes.get("listed", 0) != (
                changes.get("excluded", 0) + changes.get("imported", 0) + changes.get("failed", 0)
            ):
                self.problems.append(f"the counts do not add up: {changes}")
            if outcome == "failed" and not (self.purged or self.edited):
                self.problems.append(f"Failed, though nobody purged or edited: {changes['traceback']}")
            if outcome == "completed_with_errors" and not self.errors:
                self.problems.append("completed_with_errors without an error")
