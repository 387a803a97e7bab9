"""The Cloud Tasks adapter on the project's server: a clock that stands still until it is moved, and HTTP targets."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infra.emulators.cloud_tasks.server import Served, serving
from shared.adapters.queues.cloud_tasks import CloudTasksQueue
from tests.cloud_tasks import ACCOUNT, POOL, PREFIX, create_queues, receiver
from tests.conformance.queue_harness import Handler

TARGETS = ("sync", "other", "deliver_webhook")


class CloudTasksHarness:
    one = "one"
    two = "two"
    max_backoff = 30.0

    def __init__(self) -> None:
        self._now = 1_700_000_000.0
        self.handler = Handler(self.now)
        self.served: Served
        self.queue: CloudTasksQueue
        self.control: CloudTasksQueue
        self.url = ""

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds
        self.served.service.wake()

    def sever(self) -> None:
        self.served.sever()

    def adapter(self, **options: Any) -> CloudTasksQueue:
        settings = {
            "project": "project",
            "location": "europe-west1",
            "queues": [self.one, self.two],
            "target_urls": {target: f"{self.url}/{target}" for target in TARGETS},
            "service_account": ACCOUNT,
            "prefix": PREFIX,
            "pool": POOL,
            "patience": 1.0,
            "endpoint": self.served.endpoint,
            "clock": self.now,
        }
        return CloudTasksQueue(**{**settings, **options})


@contextmanager
def cloud_tasks() -> Iterator[CloudTasksHarness]:
    harness = CloudTasksHarness()
    with serving(clock=harness.now) as served, receiver(harness.handler) as url:
        harness.served, harness.url = served, url
        harness.queue = harness.control = harness.adapter()
        create_queues(served, harness.queue, ("one", "two"), max_backoff=harness.max_backoff)
        yield harness
        harness.queue.close()


def path(harness: CloudTasksHarness, name: str, queue: str = "one") -> str:
    """The task's full name, found in the pool as the adapter finds it."""
    [found] = [p for p in harness.queue.paths(queue) if harness.queue._path(queue, name) == p]
    return f"{found}/tasks/{name}"
