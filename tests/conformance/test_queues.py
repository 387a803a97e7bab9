"""Runs the task-queue suite against every adapter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.adapters.queues.inprocess import InProcessQueue
from tests.conformance.cloud_tasks_harness import cloud_tasks
from tests.conformance.queue_harness import Handler, Harness

# The suite is no test module by name; its assertions shall explain themselves all the same.
pytest.register_assert_rewrite("tests.conformance.queues")

from tests.conformance.queues import TaskQueueConformance  # noqa: E402


class InProcessHarness:
    """The embedded queue, with a clock that stands still until it is moved."""

    one = "one"
    two = "two"
    max_backoff = 30.0

    def __init__(self, path: str) -> None:
        self._now = 1_700_000_000.0
        self.handler = Handler(self.now)
        self.queue = self.control = InProcessQueue(
            path,
            queues=[self.one, self.two],
            deliver=lambda delivery: self.handler(*delivery),
            max_backoff=self.max_backoff,
            clock=self.now,
        )
        self.queue.start()

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds
        self.queue.wake()

    def sever(self) -> None:
        self.queue.close()


@pytest.fixture(params=["inprocess", "inprocess-memory", "cloudtasks"])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    if request.param == "cloudtasks":
        with cloud_tasks() as served:
            yield served
        return
    harness = InProcessHarness(":memory:" if request.param == "inprocess-memory" else str(tmp_path / "queue.db"))
    yield harness
    harness.queue.close()


class TestTaskQueue(TaskQueueConformance):
    pass
