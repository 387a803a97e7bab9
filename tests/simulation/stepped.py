"""The ports of the simulated world: each call is a step, before which the scheduler decides who goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shared.errors import CommitUnknownError
from shared.ports import Check, Document, Message, MessageState, Query, Ref, Write
from tests.indexes import CheckedIndexes

if TYPE_CHECKING:
    from tests.simulation.world import World


UNTOUCHED = frozenset({"webhooks", "outbox", "uploads", "tokens", "idempotency"})
"""Collections that nobody writes here: when they are read makes no difference."""


class SteppedDocuments:
    """The document store, a step before each call; a commit's answer may be lost."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.checked = CheckedIndexes(world.documents)

    def get(self, ref: Ref) -> Document | None:
        self.world.step(f"get {ref.collection}")
        return self.world.documents.get(ref)

    def get_many(self, refs: Sequence[Ref]) -> list[Document | None]:
        self.world.step("get_many")
        return self.world.documents.get_many(refs)

    def query(self, query: Query) -> list[Document]:
        if query.collection not in UNTOUCHED:
            self.world.step(f"query {query.collection}")
        return self.checked.query(query)

    def count(self, query: Query) -> int:
        self.world.step("count")
        return self.checked.count(query)

    def sum(self, query: Query, fields: Sequence[str]) -> dict[str, int]:
        self.world.step("sum")
        return self.checked.sum(query, fields)

    def commit(self, writes: Sequence[Write], checks: Sequence[Check] = ()) -> list[str]:
        self.world.step("commit " + ",".join(sorted({write.ref.collection for write in writes})))
        revisions = self.world.documents.commit(writes, checks)
        self.world.observe(writes)
        if self.world.lose_next_answer:
            self.world.lose_next_answer = False
            raise CommitUnknownError
        self.world.step("committed")
        return revisions

    def maintain(self) -> None:
        return

    def close(self) -> None:
        self.world.documents.close()


class SteppedQueue:
    """A queue that the scheduler empties: named, a used name is refused for ever."""

    def __init__(self, world: World) -> None:
        self.world = world

    def enqueue(self, message: Message) -> bool:
        self.world.step("enqueue")
        if message.name in self.world.used:
            return False
        self.world.used.add(message.name)
        self.world.waiting[message.name] = message
        self.world.due[message.name] = self.world.now + message.delay
        self.world.step("enqueued")
        return True

    def state(self, queue: str, name: str) -> MessageState:
        self.world.step("state")
        return MessageState(absent=name not in self.world.waiting, dispatches=self.world.dispatches.get(name, 0))

    def close(self) -> None:
        return


class SteppedObjects:
    """The bucket, a step before each page."""

    order = "bytes"
    seek = True
    conditional = True

    def __init__(self, world: World) -> None:
        self.world = world

    def pages(self, prefix: str = "", after: str = "", *, recursive: bool = True) -> Iterator[list[Any]]:
        pages = self.world.objects.pages(prefix, after, recursive=recursive)
        while True:
            self.world.step("list")
            page = next(pages, None)
            if page is None:
                return
            yield page

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world.objects, name)
