"""What only the Cloud Tasks adapter promises."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest
from google.api_core.exceptions import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    ServiceUnavailable,
)
from google.cloud import tasks_v2
from google.cloud.tasks_v2 import Queue, RateLimits, RetryConfig, Task

from shared.adapters.queues.cloud_tasks import CloudTasksQueue
from shared.errors import QueueUnavailableError, SluiceError
from shared.ports import Message, MessageState
from tests.conformance.cloud_tasks_harness import ACCOUNT, POOL, CloudTasksHarness, cloud_tasks, path
from tests.conformance.queues import ABSENT, message, outlast_retries, wait_for_attempts, wait_for_state


@pytest.fixture
def harness() -> Iterator[CloudTasksHarness]:
    with cloud_tasks() as harness:
        yield harness


@pytest.fixture
def client(harness: CloudTasksHarness) -> Iterator[tasks_v2.CloudTasksClient]:
    client = harness.served.client()
    yield client
    client.transport.close()


# ---- what is sent


def test_a_delivery_carries_a_token_for_the_target(harness: CloudTasksHarness) -> None:
    harness.queue.enqueue(message("one", "m"))
    wait_for_attempts(harness, "m", 1)
    [received] = harness.handler.of("m")
    assert received.headers["user-agent"] == "Google-Cloud-Tasks"
    assert received.headers["content-type"] == "application/json"
    kind, token = received.headers["authorization"].split(" ")
    key = jwt.PyJWKSet.from_dict(harness.served.issuer.key_set).keys[0]
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=f"{harness.url}/sync")
    assert kind == "Bearer"
    assert (claims["email"], claims["email_verified"], claims["iss"]) == (ACCOUNT, True, "https://accounts.google.com")
    assert claims["exp"] - claims["iat"] == 3600


def test_the_audience_can_be_given(harness: CloudTasksHarness) -> None:
    queue = harness.adapter(audience="sluice")
    queue.enqueue(message("one", "m"))
    wait_for_attempts(harness, "m", 1)
    token = harness.handler.of("m")[0].headers["authorization"].split(" ")[1]
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == "sluice"
    queue.close()


def test_messages_spread_over_the_pool_and_are_found_again(harness: CloudTasksHarness, client: Any) -> None:
    harness.control.pause("one")
    names = [f"m-{number}" for number in range(40)]
    assert all(harness.queue.enqueue(message("one", name)) for name in names)
    sizes = [len(list(client.list_tasks(parent=queue))) for queue in harness.queue.paths("one")]
    assert len(sizes) == POOL
    assert sum(sizes) == 40
    assert min(sizes) >= 10
    assert {harness.queue.state("one", name) for name in names} == {MessageState(absent=False)}


def test_the_deadline_and_what_the_views_show(harness: CloudTasksHarness, client: Any) -> None:
    harness.control.pause("one")
    harness.queue.enqueue(Message("one", "m", "sync", b"{}", 7.0))
    name = path(harness, "m")
    basic, full = (client.get_task(request={"name": name, "response_view": view}) for view in ("BASIC", "FULL"))
    assert basic.dispatch_deadline == timedelta(seconds=600)
    assert basic.schedule_time.timestamp() == harness.now() + 7
    assert (basic.http_request.body, full.http_request.body) == (b"", b"{}")


# ---- attempts


def test_a_target_that_nobody_serves_is_an_unavailable_one(harness: CloudTasksHarness) -> None:
    queue = harness.adapter(target_urls={"sync": "http://127.0.0.1:9/"})
    queue.enqueue(message("one", "m"))
    wait_for_state(harness, "m", MessageState(False, 1, 503))
    queue.close()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 429, 500, 501, 502, 503, 504])
def test_every_status_comes_back(harness: CloudTasksHarness, status: int) -> None:
    harness.handler.answers("m", status)
    harness.queue.enqueue(message("one", "m"))
    wait_for_state(harness, "m", MessageState(False, 1, status))


def test_attempts_end_at_their_limit_and_the_name_stays_used(harness: CloudTasksHarness, client: Any) -> None:
    for queue in harness.queue.paths("one"):
        client.update_queue(queue=Queue(name=queue, retry_config=RetryConfig(max_attempts=3)))
    harness.handler.answers("m", 500, 501, 502)
    harness.queue.enqueue(message("one", "m"))
    for attempts, status in ((1, 500), (2, 501)):
        wait_for_state(harness, "m", MessageState(False, attempts, status))
        harness.advance(harness.max_backoff)
    wait_for_state(harness, "m", ABSENT)
    outlast_retries(harness)
    assert len(harness.handler.of("m")) == 3
    assert harness.queue.enqueue(message("one", "m")) is False


def test_a_name_is_free_again_after_an_hour(harness: CloudTasksHarness) -> None:
    harness.queue.enqueue(message("one", "m"))
    wait_for_state(harness, "m", ABSENT)
    harness.advance(3000)
    assert harness.queue.enqueue(message("one", "m")) is False
    harness.advance(700)
    assert harness.queue.enqueue(message("one", "m")) is True


def test_no_more_at_once_than_the_queue_allows(harness: CloudTasksHarness, client: Any) -> None:
    first, second = ("one-a", "one-b")
    name = f"{harness.queue.paths('one')[0].rpartition('/')[0]}/test-narrow-0"
    limits = RateLimits(max_concurrent_dispatches=1)
    client.create_queue(parent=name.partition("/queues/")[0], queue=Queue(name=name, rate_limits=limits))
    queue = harness.adapter(queues=["narrow"], pool=1)
    with harness.handler.hold(first):
        queue.enqueue(message("narrow", first))
        wait_for_attempts(harness, first, 1)
        queue.enqueue(message("narrow", second))
        assert queue.state("narrow", second) == MessageState(absent=False)
        harness.queue.enqueue(message("two", "elsewhere"))
        wait_for_attempts(harness, "elsewhere", 1)
        assert harness.handler.of(second) == []
    wait_for_attempts(harness, second, 1)
    queue.close()


# ---- refusals


def test_a_queue_that_is_not_there_is_named_with_the_remedy(harness: CloudTasksHarness) -> None:
    queue = harness.adapter(queues=["three"], pool=1)
    with pytest.raises(SluiceError, match="gcloud tasks queues create test-three-0 --location=europe-west1"):
        queue.enqueue(message("three", "m"))
    with pytest.raises(SluiceError, match="test-three-0 does not exist"):
        queue.pause("three")
    with pytest.raises(SluiceError, match=r"no queue 'four'.*three"):
        queue.enqueue(message("four", "m"))
    assert queue.state("three", "m") == ABSENT
    queue.close()


def test_a_target_without_an_url_is_named(harness: CloudTasksHarness) -> None:
    with pytest.raises(SluiceError, match="'unknown'"):
        harness.queue.enqueue(Message("one", "m", "unknown", b"{}"))


@pytest.mark.parametrize("name", ["with space", "ü", "a/b", ""])
def test_a_name_that_cloud_tasks_does_not_allow_is_refused(harness: CloudTasksHarness, name: str) -> None:
    with pytest.raises(SluiceError, match="does not accept"):
        harness.queue.enqueue(message("one", name))


@pytest.mark.parametrize(
    "options",
    [{"project": ""}, {"service_account": ""}, {"pool": 0}, {"deadline": 10.0}, {"endpoint": "example.org:80"}],
    ids=repr,
)
def test_settings_that_can_not_work(harness: CloudTasksHarness, options: dict[str, Any]) -> None:
    with pytest.raises(SluiceError):
        harness.adapter(**options)


class Failing:
    """A client whose calls fail so often, then succeed as scripted."""

    transport = type("Transport", (), {"close": staticmethod(lambda: None)})

    def __init__(self, *outcomes: Exception | Task) -> None:
        self.outcomes = list(outcomes)

    def create_task(self, *, request: Any, retry: Any, timeout: float) -> Task:
        def call() -> Task:
            outcome = self.outcomes.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return retry(call)()  # type: ignore[no-any-return]


def failing(harness: CloudTasksHarness, *outcomes: Exception | Task) -> tuple[CloudTasksQueue, Failing]:
    queue, client = harness.adapter(patience=0.5), Failing(*outcomes)
    queue._connected = client  # type: ignore[assignment]
    return queue, client


def test_what_may_pass_is_tried_again(harness: CloudTasksHarness) -> None:
    queue, client = failing(harness, ServiceUnavailable("down"), ResourceExhausted("quota"), Task())
    assert queue.enqueue(message("one", "m")) is True
    queue, client = failing(harness, ServiceUnavailable("lost the answer"), AlreadyExists("it is there"))
    assert queue.enqueue(message("one", "m")) is False
    queue, client = failing(harness, *[ServiceUnavailable("down")] * 50)
    with pytest.raises(QueueUnavailableError, match="down"):
        queue.enqueue(message("one", "m"))
    assert len(client.outcomes) > 40


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PermissionDenied("no"), "cloudtasks.enqueuer"),
        (FailedPrecondition("no"), "does not exist"),
        (NotFound("no"), "does not exist"),
        (InvalidArgument("no"), "does not accept"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_does_not_pass_is_said_at_once(harness: CloudTasksHarness, error: Exception, text: str) -> None:
    queue, client = failing(harness, error, Task())
    with pytest.raises(SluiceError, match=text) as caught:
        queue.enqueue(message("one", "m"))
    assert not isinstance(caught.value, QueueUnavailableError)
    assert len(client.outcomes) == 1


def test_after_closing_it_is_unavailable(harness: CloudTasksHarness) -> None:
    harness.queue.enqueue(message("one", "m"))
    harness.queue.close()
    with pytest.raises(QueueUnavailableError, match="closed"):
        harness.queue.state("one", "m")
