"""What only the embedded queue promises, as far as one thread can tell: opening again, deadlines, steps, names."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.adapters.queues.inprocess import Delivery, InProcessQueue
from shared.errors import QueueUnavailableError, SluiceError
from shared.ports import Message, MessageState

TIMEOUT = 20.0
ABSENT = MessageState(absent=True)


class Stage:
    """Queues on one file, with a clock to move and a handler to replace; everything happens on this thread."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.now = 1_000_000.0
        self.delivered: list[Delivery] = []
        self.handler: Callable[[Delivery], int] = lambda delivery: 200
        self.opened: list[InProcessQueue] = []

    def deliver(self, delivery: Delivery) -> int:
        self.delivered.append(delivery)
        return self.handler(delivery)

    def open(self, **options: object) -> InProcessQueue:
        settings = {"queues": ["one", "two"], "deliver": self.deliver, "clock": lambda: self.now, **options}
        queue = InProcessQueue(self.path, **settings)  # type: ignore[arg-type]
        self.opened.append(queue)
        return queue

    def retry_counts(self) -> list[str]:
        return [delivery.headers["X-CloudTasks-TaskRetryCount"] for delivery in self.delivered]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(str(tmp_path / "queue.db"))
    yield stage
    for queue in stage.opened:
        queue.close()


def message(name: str, queue: str = "one", delay: float = 0.0) -> Message:
    return Message(queue, name, "sync", name.encode(), delay)


# ---- opening again


def test_in_flight_is_due_at_once_on_opening_although_its_deadline_is_far(stage: Stage) -> None:
    def killed(_delivery: Delivery) -> int:
        raise SystemExit

    stage.handler = killed
    queue = stage.open()
    queue.enqueue(message("m"))
    with pytest.raises(SystemExit):
        queue.step()
    assert queue.state("one", "m") == MessageState(False, 1, None)
    assert not queue.step()

    stage.handler = lambda delivery: 200
    reopened = stage.open()
    assert reopened.step()
    assert stage.retry_counts() == ["0", "1"]
    assert [d.headers["X-CloudTasks-TaskExecutionCount"] for d in stage.delivered] == ["0", "0"]


def test_a_pause_and_a_delay_outlast_reopening(stage: Stage) -> None:
    queue = stage.open()
    queue.pause("one")
    queue.enqueue(message("paused"))
    queue.enqueue(message("delayed", "two", delay=10))
    queue.close()

    reopened = stage.open()
    assert not reopened.step()
    stage.now += 10
    assert reopened.step()
    assert not reopened.step()
    reopened.resume("one")
    assert reopened.step()
    assert [delivery.body for delivery in stage.delivered] == [b"delayed", b"paused"]


# ---- deadline: the handler of the first attempt runs the second one inside itself


@pytest.mark.parametrize("late", [200, 500])
def test_after_the_deadline_the_late_answer_leaves_the_newer_attempt_alone(stage: Stage, late: int) -> None:
    queue = stage.open(deadline=100.0)
    during_second: list[MessageState] = []

    def first(_delivery: Delivery) -> int:
        stage.handler = second
        stage.now += 99
        assert not queue.step()
        stage.now += 1
        assert queue.step()
        return late

    def second(_delivery: Delivery) -> int:
        during_second.append(queue.state("one", "m"))
        return 502

    stage.handler = first
    queue.enqueue(message("m"))
    assert queue.step()
    assert stage.retry_counts() == ["0", "1"]
    assert during_second == [MessageState(False, 2, None)]
    assert queue.state("one", "m") == MessageState(False, 2, 502)


def test_a_late_failure_does_not_release_a_message_whose_newer_attempt_runs(stage: Stage) -> None:
    queue = stage.open(deadline=100.0)
    first = threading.Thread(target=queue.step)
    begun, may_end = threading.Event(), threading.Event()

    def run_first(_delivery: Delivery) -> int:
        stage.handler = run_second
        begun.set()
        assert may_end.wait(TIMEOUT)
        return 500

    def run_second(_delivery: Delivery) -> int:
        may_end.set()
        first.join(TIMEOUT)
        stage.now += 50
        assert not queue.step()
        return 200

    stage.handler = run_first
    queue.enqueue(message("m"))
    first.start()
    assert begun.wait(TIMEOUT)
    stage.now += 100
    assert queue.step()
    assert queue.state("one", "m") == ABSENT
    assert len(stage.delivered) == 2


def test_an_answer_after_the_deadline_counts_while_no_other_attempt_has_begun(stage: Stage) -> None:
    def slow(_delivery: Delivery) -> int:
        stage.now += 101
        return 200

    stage.handler = slow
    queue = stage.open(deadline=100.0)
    queue.enqueue(message("m"))
    assert queue.step()
    assert not queue.step()
    assert queue.state("one", "m") == ABSENT


# ---- single steps


def test_step_takes_the_message_that_has_been_due_the_longest_of_all_queues(stage: Stage) -> None:
    queue = stage.open()
    assert not queue.step()
    assert queue.next_due() is None
    queue.enqueue(message("third", "one", delay=3))
    queue.enqueue(message("second", "two", delay=2))
    queue.enqueue(message("first", "one", delay=1))
    assert queue.next_due() == stage.now + 1
    stage.now += 3
    while queue.step():
        pass
    assert [delivery.body for delivery in stage.delivered] == [b"first", b"second", b"third"]


def test_back_off_doubles_up_to_its_limit(stage: Stage) -> None:
    stage.handler = lambda delivery: 500
    queue = stage.open(min_backoff=0.5, max_backoff=3.0)
    queue.enqueue(message("m"))
    waits = []
    for _ in range(5):
        assert queue.step()
        assert not queue.step()
        due = queue.next_due()
        assert due is not None
        waits.append(due - stage.now)
        stage.now = due
    assert waits == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_nothing_is_delivered_before_start(stage: Stage) -> None:
    threads = threading.active_count()
    queue = stage.open()
    queue.enqueue(message("m"))
    assert threading.active_count() == threads
    assert stage.delivered == []


def test_an_unknown_queue_is_named(stage: Stage) -> None:
    queue = stage.open()
    for call in (lambda: queue.enqueue(message("m", "nine")), lambda: queue.state("nine", "m")):
        with pytest.raises(SluiceError, match=r"no queue 'nine'.*one, two"):
            call()
    for control in (queue.pause, queue.resume, queue.purge):
        with pytest.raises(SluiceError, match="no queue 'nine'"):
            control("nine")


# ---- names


def test_maintain_frees_names_that_were_kept_long_enough(stage: Stage) -> None:
    queue = stage.open(keep_names=100.0)
    for name in ("delivered", "purged", "waiting"):
        queue.enqueue(message(name, "one" if name == "purged" else "two", delay=500 if name == "waiting" else 0))
    queue.purge("one")
    assert queue.step()

    stage.now += 99
    queue.maintain()
    assert not queue.enqueue(message("delivered", "two"))
    assert not queue.enqueue(message("purged", "one"))

    stage.now += 2
    queue.maintain()
    assert queue.enqueue(message("delivered", "two"))
    assert queue.enqueue(message("purged", "one"))
    assert not queue.enqueue(message("waiting", "two"))


def test_maintain_frees_any_number_of_names_and_empties_the_log(stage: Stage) -> None:
    queue = stage.open(keep_names=100.0)
    names = [f"m-{number}" for number in range(2_500)]
    for name in names:
        queue.enqueue(message(name))
    queue.purge("one")
    stage.now += 101
    queue.maintain()
    assert Path(stage.path + "-wal").stat().st_size == 0
    assert all(queue.enqueue(message(name)) for name in names)


# ---- trouble


def test_a_target_may_close_the_queue_and_is_delivered_again(stage: Stage) -> None:
    queue = stage.open()

    def deliver(_delivery: Delivery) -> int:
        queue.close()
        return 200

    stage.handler = deliver
    queue.enqueue(message("m"))
    with capture_logs() as logs, pytest.raises(QueueUnavailableError):
        queue.step()
    assert logs == []  # it did not wait for itself
    assert stage.open().step()


@pytest.mark.parametrize("error", [RuntimeError("broken"), asyncio.CancelledError()], ids=repr)
def test_what_a_target_raises_is_logged_and_counts_as_500(stage: Stage, error: BaseException) -> None:
    def deliver(_delivery: Delivery) -> int:
        raise error

    stage.handler = deliver
    queue = stage.open()
    queue.enqueue(message("m"))
    with capture_logs() as logs:
        assert queue.step()
    assert queue.state("one", "m") == MessageState(False, 1, 500)
    [log] = logs
    assert (log["action"], log["log_level"], log["queue"], log["task"]) == ("deliver", "error", "one", "m")


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(QueueUnavailableError, match="not a database"):
        InProcessQueue(str(path), queues=["one"], deliver=lambda delivery: 200)
