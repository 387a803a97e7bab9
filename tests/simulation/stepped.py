"""The ports of the simulated world: each call is a step, before which the scheduler decides who goes on.

What is done outside of actors (by the test itself) takes no step and meets no fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shared.errors import CommitUnknownError, StoreUnavailableError, VersionMismatchError, WriteUnknownError
from shared.ports import Check, Document, Message, MessageState, Query, Ref, Stat, Write
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
        if self.world.lose_next_answer and self.world.stepping:
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
    """The bucket, a step before each page and each other call; writes and deletions may fail, or lose their answer."""

    order = "bytes"
    seek = True

    def __init__(self, world: World) -> None:
        self.world = world
        self.conditional = world.objects.conditional
        self.keeps_metadata = world.objects.keeps_metadata

    def pages(self, prefix: str = "", after: str = "", *, recursive: bool = True) -> Iterator[list[Any]]:
        pages = self.world.objects.pages(prefix, after, recursive=recursive)
        while True:
            self.world.step("list")
            page = next(pages, None)
            if page is None:
                return
            yield page

    def stat(self, key: str) -> Stat:
        self.world.step(f"stat {key}")
        return self.world.objects.stat(key)

    def write(self, key: str, body: bytes, *, expect: str | None = None, **about: Any) -> str:
        self.world.step(f"write {key}")
        fault = self._fault()
        if fault == "unavailable":
            raise StoreUnavailableError("the bucket is away")
        try:
            version = self.world.objects.write(key, body, expect=expect, **about)
        except VersionMismatchError as error:
            if fault == "answer lost":  # nobody can tell whose write is in the way
                raise WriteUnknownError("perhaps it was written") from error
            raise
        if fault == "written, unavailable":
            raise StoreUnavailableError("the answer was lost, and the next tries failed")
        if fault == "answer lost" and expect is not None:
            raise WriteUnknownError("perhaps it was written")
        self.world.step(f"written {key}")
        return version

    def delete(self, key: str, *, expect: str | None = None) -> None:
        self.world.step(f"delete {key}")
        fault = self._fault()
        if fault == "unavailable":
            raise StoreUnavailableError("the bucket is away")
        self.world.objects.delete(key, expect=expect)
        if fault:
            raise StoreUnavailableError("the answer was lost, and the next tries failed")
        self.world.step(f"deleted {key}")

    def _fault(self) -> str:
        if not self.world.stepping:
            return ""
        fault, self.world.bucket_fault = self.world.bucket_fault, ""
        return fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world.objects, name)
