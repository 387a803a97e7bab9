"""The Cloud Tasks adapter on the project's server: a clock that stands still until it is moved, and HTTP targets."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.cloud.tasks_v2 import Queue, RetryConfig

from infra.emulators.cloud_tasks.server import Served, serving
from shared.adapters.queues.cloud_tasks import CloudTasksQueue
from tests.conformance.queue_harness import Handler

ACCOUNT = "queue@project.iam.gserviceaccount.com"
POOL = 2
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
            "prefix": "test",
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
        client = served.client()
        retry = RetryConfig(
            max_attempts=-1, min_backoff=timedelta(seconds=0.5), max_backoff=timedelta(seconds=harness.max_backoff)
        )
        for path in harness.queue.paths("one") + harness.queue.paths("two"):
            queue = Queue(name=path, retry_config=retry)
            client.create_queue(parent=path.partition("/queues/")[0], queue=queue)
        client.transport.close()
        yield harness
        harness.queue.close()


@contextmanager
def receiver(handler: Handler) -> Iterator[str]:
    """Serves the handler at `URL/target`; what a queue of the pool sends is from the queue that it stands for."""

    class Endpoint(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {**self.headers, "X-CloudTasks-QueueName": _logical(self.headers["X-CloudTasks-QueueName"])}
            try:
                status = handler(self.path.lstrip("/"), headers, body)
            except ValueError:
                status = 500
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def path(harness: CloudTasksHarness, name: str, queue: str = "one") -> str:
    """The task's full name, found in the pool as the adapter finds it."""
    [found] = [p for p in harness.queue.paths(queue) if harness.queue._path(queue, name) == p]
    return f"{found}/tasks/{name}"


def _logical(name: str) -> str:
    found = re.fullmatch(r"test-(\w+)-\d", name)
    assert found, f"the header holds {name!r}, not the short name of the queue"
    return found[1]
