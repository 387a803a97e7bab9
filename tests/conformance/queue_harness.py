"""What an adapter supplies to the task-queue suite: a running queue, and the handler that it delivers to."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from shared.ports import QueueControl, TaskQueue

TIMEOUT = 20.0


class Received(NamedTuple):
    """A delivery as it arrived; the headers' names are in lower case."""

    target: str
    headers: dict[str, str]
    body: bytes
    at: float


class Handler:
    """What the queue delivers to: records each delivery, then answers what the test wrote down, or 200."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._received: dict[str, list[Received]] = defaultdict(list)
        self._script: dict[str, list[int | Exception]] = defaultdict(list)
        self._held: set[str] = set()

    def __call__(self, target: str, headers: Mapping[str, str], body: bytes) -> int:
        folded = {key.lower(): value for key, value in headers.items()}
        name = folded["x-cloudtasks-taskname"]
        with self._changed:
            self._received[name].append(Received(target, folded, body, self._clock()))
            self._changed.notify_all()
            self._changed.wait_for(lambda: name not in self._held, TIMEOUT)
            answer = self._script[name].pop(0) if self._script[name] else 200
        if isinstance(answer, Exception):
            raise answer
        return answer

    def answers(self, name: str, *answers: int | Exception) -> None:
        """What the deliveries of this name get, one after the other."""
        self._script[name].extend(answers)

    def of(self, name: str) -> list[Received]:
        """The deliveries of this name so far."""
        with self._changed:
            return list(self._received[name])

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Deliveries of this name get no answer before the block ends."""
        self._held.add(name)
        try:
            yield
        finally:
            with self._changed:
                self._held.discard(name)
                self._changed.notify_all()

    def wait_for(self, predicate: Callable[[], bool]) -> None:
        """Waits until it holds. Looked at after each delivery, and often: a queue's state changes without a word."""
        end = time.monotonic() + TIMEOUT
        while not predicate():
            assert time.monotonic() < end, f"waited in vain; delivered: {sorted(self._received)}"
            with self._changed:
                self._changed.wait(0.005)


class Harness(Protocol):
    """A running queue with two empty queues, `one` and `two`, at least two deliveries at a time, and its handler."""

    queue: TaskQueue
    control: QueueControl
    handler: Handler
    one: str
    two: str
    max_backoff: float

    def now(self) -> float:
        """The queue's time."""

    def advance(self, seconds: float) -> None:
        """Lets so much of the queue's time pass."""

    def sever(self) -> None:
        """Makes the queue unreachable, for good."""
