"""What the Cloud Tasks server promises: rules of a queue, and calls that the adapter does not need."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from google.cloud import tasks_v2
from google.cloud.tasks_v2 import Queue, RateLimits, RetryConfig

from infra.emulators.cloud_tasks.rules import Pace, backoff, exhausted, with_defaults
from infra.emulators.cloud_tasks.server import serving
from shared.adapters.queues.cloud_tasks import CloudTasksQueue
from tests.conformance.cloud_tasks_harness import ACCOUNT, CloudTasksHarness, cloud_tasks, path, receiver
from tests.conformance.queue_harness import Handler
from tests.conformance.queues import ABSENT, message, wait_for_attempts


@pytest.fixture
def harness() -> Iterator[CloudTasksHarness]:
    with cloud_tasks() as harness:
        yield harness


@pytest.fixture
def client(harness: CloudTasksHarness) -> Iterator[tasks_v2.CloudTasksClient]:
    client = harness.served.client()
    yield client
    client.transport.close()


def test_back_off_doubles_then_grows_by_steps() -> None:
    retry = RetryConfig(min_backoff=timedelta(seconds=10), max_backoff=timedelta(seconds=300), max_doublings=3)
    assert [backoff(retry, attempts) for attempts in range(1, 9)] == [10, 20, 40, 80, 160, 240, 300, 300]


def test_when_a_task_is_given_up() -> None:
    both = RetryConfig(max_attempts=3, max_retry_duration=timedelta(seconds=60))
    assert [exhausted(both, 3, 59), exhausted(both, 2, 61), exhausted(both, 3, 60)] == [False, False, True]
    assert not exhausted(RetryConfig(max_attempts=-1), 10_000, 1e9)
    assert exhausted(with_defaults(Queue()).retry_config, 100, 1)


def test_the_pace() -> None:
    now = 0.0
    pace = Pace(lambda: now)
    queue = with_defaults(Queue(rate_limits=RateLimits(max_dispatches_per_second=10)))
    assert [pace.wait(queue) for _ in range(3)] == [0, 0, pytest.approx(0.1)]
    now = 0.1
    assert [pace.wait(queue) for _ in range(2)] == [0, pytest.approx(0.1)]


def test_queues_are_made_once_and_their_names_kept(harness: CloudTasksHarness, client: Any) -> None:
    queue = harness.queue.paths("one")[0]
    parent = queue.partition("/queues/")[0]
    with pytest.raises(AlreadyExists):
        client.create_queue(parent=parent, queue=Queue(name=queue))
    assert {found.name for found in client.list_queues(parent=parent)} >= set(harness.queue.paths("two"))
    client.delete_queue(name=queue)
    with pytest.raises(NotFound):
        client.get_queue(name=queue)
    with pytest.raises(FailedPrecondition):
        client.create_queue(parent=parent, queue=Queue(name=queue))


def test_tasks_can_be_deleted_and_run_although_the_queue_is_paused(harness: CloudTasksHarness, client: Any) -> None:
    harness.control.pause("one")
    for name in ("deleted", "run"):
        harness.queue.enqueue(message("one", name, delay=3600))
    client.delete_task(name=path(harness, "deleted"))
    assert harness.queue.state("one", "deleted") == ABSENT
    assert harness.queue.enqueue(message("one", "deleted")) is False
    client.run_task(name=path(harness, "run"))
    wait_for_attempts(harness, "run", 1)
    for call in (client.delete_task, client.run_task, client.get_task):
        with pytest.raises(NotFound):
            call(name=path(harness, "deleted"))


def test_an_unnamed_task_gets_a_name_and_too_large_a_one_is_refused(harness: CloudTasksHarness, client: Any) -> None:
    parent = harness.queue.paths("one")[0]
    request = {"url": f"{harness.url}/sync", "body": b"{}"}
    names = {client.create_task(parent=parent, task={"http_request": request}).name for _ in range(2)}
    assert len(names) == 2
    with pytest.raises(InvalidArgument, match="too large"):
        client.create_task(parent=parent, task={"http_request": {**request, "body": b"x" * 1024 * 1024}})


def test_a_folder_keeps_queues_tasks_and_names(tmp_path: Any) -> None:
    handler = Handler(lambda: 0.0)
    with receiver(handler) as url:
        for life in range(2):
            with serving(folder=tmp_path) as served:
                queue = CloudTasksQueue(
                    project="p",
                    location="l",
                    queues=["one"],
                    prefix="test",
                    target_urls={"sync": f"{url}/sync"},
                    service_account=ACCOUNT,
                    endpoint=served.endpoint,
                )
                if life == 0:
                    client = served.client()
                    client.create_queue(parent="projects/p/locations/l", queue=Queue(name=queue.paths("one")[0]))
                    client.transport.close()
                    queue.pause("one")
                    assert queue.enqueue(message("one", "m")) is True
                else:
                    assert queue.enqueue(message("one", "m")) is False
                    assert handler.of("m") == []
                    queue.resume("one")
                    handler.wait_for(lambda: bool(handler.of("m")))
                queue.close()
