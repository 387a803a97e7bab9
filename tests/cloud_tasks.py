"""The Cloud Tasks adapter on the project's server, which calls a function of the test by HTTP."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.cloud.tasks_v2 import Queue, RetryConfig

from infra.emulators.cloud_tasks.server import Served, serving
from shared.adapters.queues.cloud_tasks import CloudTasksQueue
from shared.services.context import QUEUE_FUNCTIONS

ACCOUNT = "queue@project.iam.gserviceaccount.com"
POOL = 2
PREFIX = "test"
Handler = Callable[[str, Mapping[str, str], bytes], int]


@contextmanager
def calling(handler: Handler, queues: Sequence[str]) -> Iterator[CloudTasksQueue]:
    """The adapter, with queues made as a deployment makes them; deliveries go to `handler(target, headers, body)`."""
    with serving() as served, receiver(handler) as url:
        queue = CloudTasksQueue(
            project="project",
            location="europe-west1",
            queues=queues,
            target_urls={target: f"{url}/{target}" for target in QUEUE_FUNCTIONS},
            service_account=ACCOUNT,
            prefix=PREFIX,
            pool=POOL,
            endpoint=served.endpoint,
        )
        create_queues(served, queue, queues, max_backoff=2.0)
        yield queue
        queue.close()


def create_queues(served: Served, adapter: CloudTasksQueue, queues: Sequence[str], *, max_backoff: float) -> None:
    """What the deployment's infrastructure code does: queues of unlimited attempts."""
    retry = RetryConfig(max_attempts=-1, min_backoff=timedelta(seconds=0.5), max_backoff=timedelta(seconds=max_backoff))
    client = served.client()
    for path in [path for queue in queues for path in adapter.paths(queue)]:
        client.create_queue(parent=path.partition("/queues/")[0], queue=Queue(name=path, retry_config=retry))
    client.transport.close()


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


def _logical(name: str) -> str:
    found = re.fullmatch(rf"{PREFIX}-(\w+)-\d", name)
    assert found, f"the header holds {name!r}, not the short name of the queue"
    return found[1]
