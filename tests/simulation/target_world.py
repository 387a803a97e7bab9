"""The simulated world with a target instead of a source: annotations change, and their dues are paid, stepped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from shared.model.chunk import Chunk
from shared.model.link import GONE
from shared.model.owed import Permit as DuePermit
from shared.model.project import Project
from shared.model.providers import S3
from shared.model.run import Gate, Permit
from shared.model.storage import CONDITIONAL, CONDITIONAL_DELETES, Storage, clean
from shared.ports import Query, Write
from shared.records import tasks
from shared.records.links import Links
from shared.services.context import EXPORT_ANNOTATIONS
from shared.services.exports import dues, units
from shared.services.labelling import annotating
from shared.services.storages import editing
from shared.services.sync import syncing
from tests.simulation.world import PROJECT, STORAGE, Actor, World

TASK, USER = 3, 1
PREFIX = "out/"
TIME_OUT = 900.0
"""An invocation that is older was ended by its platform."""


@dataclass
class TargetWorld(World):
    """One target of one project with one task. What people do to annotations is done at once, between two steps."""

    config: dict[str, Any] = field(default_factory=dict)
    conditional_deletes: bool = True
    calm: bool = False
    """Nobody dies and no answer is lost: then all is well at once, and nothing is left for a second look."""
    stalled: list[tuple[Actor, bool]] = field(default_factory=list)
    """Who waits until all others came to rest, and whether he dies one step later."""
    faulted: bool = False
    """The bucket failed once; a full sync may have told so."""
    annotations: list[int] = field(default_factory=list)
    """Those there are, oldest first."""
    edits: int = 0
    born: dict[Actor, float] = field(default_factory=dict)
    ever: set[str] = field(default_factory=set)
    """Keys of all objects that were ever right."""

    def _register(self) -> None:
        config = clean(S3, {"bucket": "bucket", "prefix": PREFIX, **self.config}, partial=False, direction="export")
        config = {name: value for name, value in config.items() if name not in S3.secrets}
        honours = {CONDITIONAL: self.objects.conditional, CONDITIONAL_DELETES: self.conditional_deletes}
        storage = Storage(
            id=STORAGE,
            type="s3",
            direction="export",
            project=PROJECT,
            created_at=self.now,
            config={**config, **honours},
            secrets=self.ctx.vault.seal({}),
            meta={},
        )
        gate = Gate(
            id=str(STORAGE),
            storage=STORAGE,
            project=PROJECT,
            map="map1",
            location=storage.location,
            shape=storage.shape,
        )
        root = Chunk(id="root", storage=STORAGE, map="map1", after="", until=None, start="")
        origin = tasks.Origin("other", "k", None)
        task = tasks.create(TASK, project=PROJECT, storage=1, origin=origin, version="1", now=self.now, data=b"{}")
        ctx = self.ctx
        self.documents.commit(
            [
                ctx.projects.create(PROJECT, Project(id=PROJECT, title="project", created_at=self.now)),
                ctx.storages.create(STORAGE, storage),
                ctx.gates.create(STORAGE, gate),
                ctx.chunks.create(root.id, root),
                *task.writes,
            ]
        )

    # ---------------------------------------------------------------------------------------- what people do

    def create(self) -> None:
        """A new annotation."""
        self._changed(lambda: self.annotations.append(annotating.create(self.ctx, TASK, self._result(), user=USER).id))

    def edit(self) -> None:
        """The newest annotation is edited."""
        if self.annotations:
            self._changed(lambda: annotating.update(self.ctx, self.annotations[-1], self._result(), user=USER))

    def delete(self) -> None:
        """The newest annotation is deleted."""
        if self.annotations:
            self._changed(lambda: annotating.delete(self.ctx, self.annotations.pop()))

    def _result(self) -> dict[str, Any]:
        self.edits += 1
        return {"result": [{"edit": self.edits}]}

    def _changed(self, change: Callable[[], Any]) -> None:
        self.now += 0.01
        change()
        self.ever |= self.right()

    def template(self, template: str) -> None:
        """Objects get other names."""
        editing.update(self.ctx, S3, STORAGE, {"key_template": template}, partial=True, direction="export")
        self.ever |= self.right()

    # ------------------------------------------------------------------------------------------- deliveries

    def spawn(self, name: str, target: Callable[[], None], message: str = "") -> Actor:
        actor = super().spawn(name, target, message)
        self.born[actor] = self.now
        return actor

    def deliver(self, name: str) -> Actor:
        message = self.waiting[name]
        if message.target != EXPORT_ANNOTATIONS:
            self.dispatches[name] = self.dispatches.get(name, 0) + 1
            run = Permit(**orjson.loads(message.body))
            return self.spawn(f"lane#{run.ticket}", lambda: syncing.run_permit(self.ctx, run), name)
        permit = DuePermit(**orjson.loads(message.body))
        due = self.ctx.dues.get(permit.item)
        if due is not None and due.value.again and self.calm and not (self.actors or self.stalled or self.edited):
            self.check_bucket()
        return self.spawn(f"due {permit.item}#{permit.ticket}", lambda: dues.pay(self.ctx, permit), name)

    def end_the_old(self) -> None:
        """What its platform does to an invocation that takes too long."""
        for actor in self.actors:
            if self.now - self.born[actor] > TIME_OUT:
                actor.kill()

    # -------------------------------------------------------------------------------------------- judging

    def wants(self) -> dict[int, units.Want]:
        """What should be there, by unit."""
        stored = self.ctx.storages.get(STORAGE)
        assert stored is not None
        by_task = units.format_of(stored.value) == "task"
        return units.wants(self.ctx, stored.value, [TASK] if by_task else self.annotations)

    def right(self) -> set[str]:
        """The keys that should be there."""
        return {want.key for want in self.wants().values() if want.body is not None}

    def owed(self) -> list[str]:
        found = super().owed()
        found += [f"due {d.ref.id} waits" for d in self.documents.query(Query(collection="dues", limit=1000))]
        return found

    def check_bucket(self) -> None:
        """The bucket is the pure function of annotations and settings, and the links agree with it."""
        deletes = self.config["can_delete_objects"]
        say = self.problems.append
        wants = self.wants()
        links = {link.unit: link for link in self._links()}
        for unit, want in wants.items():
            link = links.get(unit)
            if want.body is None:
                continue
            if want.key not in self.object_keys():
                say(f"{want.key} is missing")
                continue
            stat = self.objects.stat(want.key)
            if _told(self.objects.read(want.key, stat.version)) != _told(want.body()):
                say(f"{want.key} is not the newest")
            if link is None or (link.rev, link.key, link.version) != (want.rev, want.key, stat.version):
                say(f"the link of {want.key} is {link}; the object's version is {stat.version}, its state {want.rev}")
        surplus = set(self.object_keys()) - self.right()
        if deletes and surplus:
            say(f"{sorted(surplus)} should be gone")
        if surplus - self.ever:
            say(f"{sorted(surplus - self.ever)} were never right")
        for unit, link in links.items():
            gone = unit not in wants or wants[unit].body is None
            if link.intent or link.gone != gone or (gone and deletes and link.version) or link.rev > GONE:
                say(f"the link of unit {unit} is {link}")

    def _links(self) -> list[Any]:
        found = self.documents.query(Query(collection="links", limit=1000))
        return [Links(self.documents).stored(document).value for document in found]

    def check_map(self) -> None:
        """The chunks tile all positions."""
        chunks = sorted(self.chunks(), key=lambda chunk: chunk.after)
        edges = [(chunk.after, chunk.until) for chunk in chunks]
        if [after for after, _ in edges] != ["", *(until for _, until in edges[:-1])] or edges[-1][1] is not None:
            self.problems.append(f"gap or overlap: {edges}")

    def observe(self, writes: Sequence[Write]) -> None:
        for write in writes:
            changes = getattr(write, "changes", None)
            if write.ref.collection != "runs" or not changes or "outcome" not in changes:
                continue
            if changes["outcome"] == "completed_with_errors" and not self.faulted:
                self.problems.append("completed_with_errors without an error")
            if changes["outcome"] == "failed" and not (self.edited or self.faulted):
                self.problems.append(f"Failed, though no fault lasted: {changes['traceback']}")


def _told(body: bytes) -> Any:
    """What people said: without times that go by."""
    content = orjson.loads(body)
    parts = content.get("annotations", [content])
    return [(part["id"], part["result"]) for part in parts]
