"""What every task queue must do. An adapter supplies a `Harness` as the fixture `harness` and inherits the class."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.errors import QueueUnavailableError
from shared.ports import Message, MessageState
from tests.conformance.queue_harness import Harness

ABSENT = MessageState(absent=True)


def message(queue: str, name: str, delay: float = 0.0) -> Message:
    return Message(queue, name, "sync", f'{{"name": "{name}"}}'.encode(), delay)


def wait_for_attempts(harness: Harness, name: str, count: int) -> None:
    harness.handler.wait_for(lambda: len(harness.handler.of(name)) >= count)


def wait_for_state(harness: Harness, name: str, state: MessageState) -> None:
    harness.handler.wait_for(lambda: harness.queue.state(harness.one, name) == state)


def pass_by(harness: Harness, label: str) -> None:
    """Later messages on their way: what was due before them would have been delivered by now."""
    label = label.replace(" ", "-")
    for name in (f"{label}-1", f"{label}-2"):
        assert harness.queue.enqueue(message(harness.two, name))
        wait_for_attempts(harness, name, 1)


def outlast_retries(harness: Harness) -> None:
    for label in ("pass-a", "pass-b"):
        harness.advance(harness.max_backoff)
        pass_by(harness, label)


class TaskQueueConformance:
    """Each test is a sentence of `TaskQueue` or `QueueControl`."""

    def test_a_message_arrives_with_target_body_and_headers(self, harness: Harness) -> None:
        body = '{"storage": 7, "run": "r-1", "note": "ü\\n"}'.encode()
        before = harness.now()

        assert harness.queue.enqueue(Message(harness.one, "m", "deliver_webhook", body)) is True
        wait_for_attempts(harness, "m", 1)

        [received] = harness.handler.of("m")
        assert received.target == "deliver_webhook"
        assert received.body == body
        assert received.headers["x-cloudtasks-queuename"] == harness.one
        assert received.headers["x-cloudtasks-taskname"] == "m"
        assert received.headers["x-cloudtasks-taskretrycount"] == "0"
        assert received.headers["x-cloudtasks-taskexecutioncount"] == "0"
        assert before - 0.001 <= float(received.headers["x-cloudtasks-tasketa"]) <= received.at + 0.001
        assert "x-cloudtasks-taskpreviousresponse" not in received.headers

    def test_a_delayed_message_is_held_back(self, harness: Harness) -> None:
        before = harness.now()
        harness.queue.enqueue(message(harness.one, "m", delay=4))
        pass_by(harness, "at once")
        harness.advance(2)
        pass_by(harness, "half way")
        assert harness.handler.of("m") == []
        assert harness.queue.state(harness.one, "m") == MessageState(absent=False)

        harness.advance(2.5)
        wait_for_attempts(harness, "m", 1)

        [received] = harness.handler.of("m")
        assert received.at >= before + 4
        assert float(received.headers["x-cloudtasks-tasketa"]) >= before + 4 - 0.001

    # ---- names

    def test_a_name_is_refused_while_it_waits(self, harness: Harness) -> None:
        first, second = message(harness.one, "m", delay=1), Message(harness.one, "m", "other", b"{}")
        assert harness.queue.enqueue(first) is True
        assert harness.queue.enqueue(second) is False
        harness.advance(1.5)
        wait_for_attempts(harness, "m", 1)
        outlast_retries(harness)
        assert [received.body for received in harness.handler.of("m")] == [first.body]

    def test_a_name_is_refused_while_it_is_executed(self, harness: Harness) -> None:
        with harness.handler.hold("m"):
            harness.queue.enqueue(message(harness.one, "m"))
            wait_for_attempts(harness, "m", 1)
            assert harness.queue.enqueue(message(harness.one, "m")) is False

    def test_a_name_is_refused_while_it_will_be_retried(self, harness: Harness) -> None:
        harness.handler.answers("m", 500)
        harness.queue.enqueue(message(harness.one, "m"))
        wait_for_state(harness, "m", MessageState(False, 1, 500))
        assert harness.queue.enqueue(message(harness.one, "m")) is False

    def test_a_name_is_refused_after_delivery(self, harness: Harness) -> None:
        harness.queue.enqueue(message(harness.one, "m"))
        wait_for_attempts(harness, "m", 1)
        wait_for_state(harness, "m", ABSENT)
        assert harness.queue.enqueue(message(harness.one, "m")) is False
        assert harness.queue.state(harness.one, "m") == ABSENT

    def test_names_belong_to_their_queue(self, harness: Harness) -> None:
        assert harness.queue.enqueue(message(harness.one, "m")) is True
        assert harness.queue.enqueue(message(harness.two, "m")) is True
        wait_for_attempts(harness, "m", 2)
        queues = {received.headers["x-cloudtasks-queuename"] for received in harness.handler.of("m")}
        assert queues == {harness.one, harness.two}

    # ---- state

    def test_state_in_each_phase(self, harness: Harness) -> None:
        harness.handler.answers("m", 503)
        assert harness.queue.state(harness.one, "m") == ABSENT
        harness.queue.enqueue(message(harness.one, "m", delay=1))
        assert harness.queue.state(harness.one, "m") == MessageState(absent=False, dispatches=0, last_status=None)

        with harness.handler.hold("m"):
            harness.advance(1.5)
            wait_for_attempts(harness, "m", 1)
            assert harness.queue.state(harness.one, "m") == MessageState(absent=False, dispatches=1, last_status=None)

        wait_for_state(harness, "m", MessageState(absent=False, dispatches=1, last_status=503))

        with harness.handler.hold("m"):
            harness.advance(harness.max_backoff)
            wait_for_attempts(harness, "m", 2)
            assert harness.queue.state(harness.one, "m") == MessageState(absent=False, dispatches=2, last_status=503)

        wait_for_state(harness, "m", ABSENT)

    # ---- acknowledging and retrying

    @pytest.mark.parametrize("status", [200, 201, 204])
    def test_2xx_acknowledges(self, harness: Harness, status: int) -> None:
        harness.handler.answers("m", status)
        harness.queue.enqueue(message(harness.one, "m"))
        wait_for_attempts(harness, "m", 1)
        wait_for_state(harness, "m", ABSENT)
        outlast_retries(harness)
        assert len(harness.handler.of("m")) == 1

    @pytest.mark.parametrize("failure", [500, 404, 429, ValueError("the target is broken")], ids=str)
    def test_anything_else_is_delivered_again(self, harness: Harness, failure: int | Exception) -> None:
        status = failure if isinstance(failure, int) else 500
        harness.handler.answers("m", failure, 503, 200)
        harness.queue.enqueue(message(harness.one, "m"))
        for attempts, last in ((1, status), (2, 503)):
            wait_for_state(harness, "m", MessageState(False, attempts, last))
            harness.advance(harness.max_backoff)
        wait_for_state(harness, "m", ABSENT)

        received = harness.handler.of("m")
        assert {(r.target, r.body) for r in received} == {("sync", b'{"name": "m"}')}
        assert [r.headers["x-cloudtasks-taskretrycount"] for r in received] == ["0", "1", "2"]
        assert [r.headers["x-cloudtasks-taskexecutioncount"] for r in received] == ["0", "1", "2"]
        previous = [r.headers.get("x-cloudtasks-taskpreviousresponse") for r in received]
        assert previous == [None, str(status), "503"]

    def test_the_delay_between_attempts_grows_and_attempts_have_no_limit(self, harness: Harness) -> None:
        statuses = range(500, 512)
        harness.handler.answers("m", *statuses)
        harness.queue.enqueue(message(harness.one, "m"))
        for attempts, status in enumerate(statuses, start=1):
            wait_for_state(harness, "m", MessageState(False, attempts, status))
            pass_by(harness, f"before attempt {attempts + 1}")
            assert len(harness.handler.of("m")) == attempts
            harness.advance(harness.max_backoff)
        wait_for_state(harness, "m", ABSENT)

        received = harness.handler.of("m")
        etas = [float(r.headers["x-cloudtasks-tasketa"]) for r in received]
        delays = [eta - before.at for before, eta in zip(received, etas[1:], strict=False)]
        assert 0 < delays[0] < delays[1] < delays[2] < delays[-1]
        assert all(r.at >= eta - 0.001 for r, eta in zip(received, etas, strict=True))

    # ---- many

    def test_many_messages_from_many_threads_all_arrive(self, harness: Harness) -> None:
        names = [f"m-{number}" for number in range(400)]

        def enqueue(name: str) -> bool:
            return harness.queue.enqueue(message(harness.one if name.endswith("7") else harness.two, name))

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(enqueue, names))
        harness.handler.wait_for(lambda: all(harness.handler.of(name) for name in names))
        assert {harness.handler.of(name)[0].body for name in names} == {message("", name).body for name in names}

    def test_a_slow_target_does_not_hold_up_the_others(self, harness: Harness) -> None:
        with harness.handler.hold("slow"):
            harness.queue.enqueue(message(harness.one, "slow"))
            wait_for_attempts(harness, "slow", 1)
            harness.queue.enqueue(message(harness.one, "quick"))
            wait_for_attempts(harness, "quick", 1)

    # ---- control

    def test_a_paused_queue_keeps_and_accepts_until_resumed(self, harness: Harness) -> None:
        harness.queue.enqueue(message(harness.one, "before", delay=1))
        harness.control.pause(harness.one)
        assert harness.queue.enqueue(message(harness.one, "after")) is True
        harness.advance(1.5)
        pass_by(harness, "the other queue goes on")
        for name in ("before", "after"):
            assert harness.handler.of(name) == []
            assert harness.queue.state(harness.one, name) == MessageState(absent=False)

        with harness.handler.hold("before"), harness.handler.hold("after"):
            harness.control.resume(harness.one)
            for name in ("before", "after"):
                wait_for_attempts(harness, name, 1)

    def test_a_paused_queue_does_not_retry(self, harness: Harness) -> None:
        harness.handler.answers("m", 500)
        with harness.handler.hold("m"):
            harness.queue.enqueue(message(harness.one, "m"))
            wait_for_attempts(harness, "m", 1)
            harness.control.pause(harness.one)
        wait_for_state(harness, "m", MessageState(False, 1, 500))
        outlast_retries(harness)
        assert len(harness.handler.of("m")) == 1

        harness.control.resume(harness.one)
        wait_for_state(harness, "m", ABSENT)
        assert len(harness.handler.of("m")) == 2

    def test_a_purge_removes_the_messages_of_one_queue(self, harness: Harness) -> None:
        harness.handler.answers("tried", 500)
        harness.queue.enqueue(message(harness.one, "tried"))
        wait_for_state(harness, "tried", MessageState(False, 1, 500))
        harness.queue.enqueue(message(harness.one, "waiting", delay=1))
        harness.queue.enqueue(message(harness.two, "elsewhere", delay=1))
        harness.control.purge(harness.one)

        for name in ("tried", "waiting"):
            assert harness.queue.state(harness.one, name) == ABSENT
            assert harness.queue.enqueue(message(harness.one, name)) is False
        outlast_retries(harness)
        assert (len(harness.handler.of("tried")), len(harness.handler.of("waiting"))) == (1, 0)
        wait_for_attempts(harness, "elsewhere", 1)
        assert harness.queue.enqueue(message(harness.one, "later")) is True
        wait_for_attempts(harness, "later", 1)

    @pytest.mark.parametrize("status", [200, 500])
    def test_what_is_executed_during_a_purge_goes_on_and_is_not_retried(self, harness: Harness, status: int) -> None:
        harness.handler.answers("m", status)
        with harness.handler.hold("m"):
            harness.queue.enqueue(message(harness.one, "m"))
            wait_for_attempts(harness, "m", 1)
            harness.control.purge(harness.one)
        wait_for_state(harness, "m", ABSENT)
        outlast_retries(harness)
        assert len(harness.handler.of("m")) == 1
        assert harness.queue.state(harness.one, "m") == ABSENT
        assert harness.queue.enqueue(message(harness.one, "m")) is False

    # ---- out of reach

    def test_an_unreachable_queue_says_so(self, harness: Harness) -> None:
        harness.sever()
        with pytest.raises(QueueUnavailableError):
            harness.queue.enqueue(message(harness.one, "m"))
        with pytest.raises(QueueUnavailableError):
            harness.queue.state(harness.one, "m")
