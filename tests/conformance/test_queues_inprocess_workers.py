"""What only the embedded queue promises, with its workers running: waking, closing, and `kill -9`."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.adapters.queues.inprocess import Delivery, InProcessQueue
from shared.errors import QueueUnavailableError
from shared.ports import Message, MessageState
from tests.notices import until

TIMEOUT = 20.0
ABSENT = MessageState(absent=True)


def opened(folder: Path, deliver: Callable[[Delivery], int], clock: Callable[[], float] = time.time) -> InProcessQueue:
    return InProcessQueue(str(folder / "queue.db"), queues=["one"], deliver=deliver, workers=2, clock=clock)


def message(name: str, delay: float = 0.0) -> Message:
    return Message("one", name, "sync", name.encode(), delay)


def test_a_worker_wakes_when_a_message_becomes_due(tmp_path: Path) -> None:
    delivered = threading.Event()

    def deliver(_delivery: Delivery) -> int:
        delivered.set()
        return 200

    queue = opened(tmp_path, deliver)
    queue.enqueue(message("much later", delay=3600))
    queue.start()
    queue.enqueue(message("soon", delay=0.02))
    assert delivered.wait(TIMEOUT)
    queue.close()


def test_resume_sets_every_idle_worker_to_work(tmp_path: Path) -> None:
    both_at_work = threading.Barrier(3)
    looked: set[str] = set()
    both_looked = threading.Event()

    def clock() -> float:
        looked.add(threading.current_thread().name)
        if {"queue-0", "queue-1"} <= looked:
            both_looked.set()
        return 0.0

    def deliver(_delivery: Delivery) -> int:
        both_at_work.wait(TIMEOUT)
        return 200

    queue = opened(tmp_path, deliver, clock)
    queue.pause("one")
    queue.enqueue(message("a"))
    queue.enqueue(message("b"))
    queue.start()
    assert both_looked.wait(TIMEOUT)  # a worker that looks holds the lock until it waits, so `resume` comes after
    queue.resume("one")
    both_at_work.wait(TIMEOUT)
    queue.close()


def test_a_queue_at_its_limit_leaves_workers_to_the_others(tmp_path: Path) -> None:
    """However many of its messages are due, and due for longer."""
    free, most, lock = threading.Event(), [0, 0], threading.Lock()
    both, other, all_slow = threading.Event(), threading.Event(), threading.Event()
    served: list[str] = []

    def deliver(delivery: Delivery) -> int:
        if delivery.target == "quick":
            other.set()
            return 200
        with lock:
            most[0] += 1
            most[1] = max(most)
            if most[0] == 2:
                both.set()
        free.wait(TIMEOUT)
        with lock:
            most[0] -= 1
            served.append(delivery.target)
            if len(served) == 5:
                all_slow.set()
        return 200

    queue = InProcessQueue(
        str(tmp_path / "q.db"), queues=["slow", "quick"], deliver=deliver, workers=4, limits={"slow": 2}
    )
    for number in range(5):
        queue.enqueue(Message("slow", f"s-{number}", "slow", b""))
    queue.start()
    assert both.wait(TIMEOUT)
    queue.enqueue(Message("quick", "q", "quick", b""))
    assert other.wait(TIMEOUT)
    until(lambda: queue.next_due() is None, TIMEOUT)  # so that an idle worker sleeps, once "q" is acknowledged
    free.set()
    assert all_slow.wait(TIMEOUT)
    assert most[1] == 2
    queue.close()


def test_a_name_enqueued_by_two_threads_is_accepted_once(tmp_path: Path) -> None:
    queue = opened(tmp_path, lambda delivery: 200)
    rounds = 200
    barrier = threading.Barrier(2, timeout=TIMEOUT)
    accepted: list[int] = []

    def enqueue() -> None:
        for number in range(rounds):
            barrier.wait()
            if queue.enqueue(message(f"m-{number}")):
                accepted.append(number)

    threads = [threading.Thread(target=enqueue) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert sorted(accepted) == list(range(rounds))
    queue.close()


def test_close_waits_for_what_is_under_way_which_may_still_enqueue(tmp_path: Path) -> None:
    begun, may_end = threading.Event(), threading.Event()
    delivered: list[bytes] = []

    def deliver(delivery: Delivery) -> int:
        delivered.append(delivery.body)
        begun.set()
        assert may_end.wait(TIMEOUT)
        assert queue.enqueue(message("successor"))
        return 200

    queue = opened(tmp_path, deliver)
    queue.start()
    queue.enqueue(message("m"))
    assert begun.wait(TIMEOUT)
    closing = threading.Thread(target=queue.close)
    closing.start()
    may_end.set()
    closing.join(TIMEOUT)
    assert delivered in ([b"m"], [b"m", b"successor"])  # the handler may have ended before the closing began
    for call in (lambda: queue.enqueue(message("late")), lambda: queue.state("one", "m"), queue.next_due):
        with pytest.raises(QueueUnavailableError):
            call()
    queue.close()

    reopened = opened(tmp_path, lambda delivery: 200)
    assert reopened.state("one", "m") == ABSENT
    assert not reopened.enqueue(message("successor"))
    reopened.close()


# ---- kill -9

CHILD = """
import itertools, os, sys, threading
from shared.adapters.queues.inprocess import InProcessQueue
from shared.ports import Message

path, first, hang_after = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
done = itertools.count()

def say(word, name):
    os.write(1, f"{word} {name}\\n".encode())

def deliver(delivery):
    name = delivery.headers["X-CloudTasks-TaskName"]
    say("begun", name)
    if next(done) >= hang_after:
        threading.Event().wait()
    say("done", name)
    return 200

queue = InProcessQueue(path, queues=["one"], deliver=deliver, workers=3)
queue.start()
for number in itertools.count(first):
    if queue.enqueue(Message("one", f"m-{number}", "sync", b"{}")):
        say("accepted", f"m-{number}")
"""


def run_and_kill(path: str, first: int, hang_after: int) -> dict[str, set[str]]:
    """Lets a process enqueue and deliver until its three workers hang, kills it, and returns what it had said."""
    said: dict[str, set[str]] = {"accepted": set(), "begun": set(), "done": set()}
    command = [sys.executable, "-c", CHILD, path, str(first), str(hang_after)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            word, _, name = line.rstrip("\n").partition(" ")
            said[word].add(name)
            if len(said["begun"] - said["done"]) >= 3 and len(said["done"]) >= hang_after:
                os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    return said


def test_nothing_is_lost_and_what_was_in_flight_is_delivered_again(tmp_path: Path) -> None:
    path = str(tmp_path / "queue.db")
    accepted: set[str] = set()
    done: set[str] = set()
    for first, hang_after in ((0, 40), (1_000_000, 0), (2_000_000, 90)):
        said = run_and_kill(path, first, hang_after)
        accepted |= said["accepted"]
        done |= said["done"]
    in_flight = said["begun"] - said["done"]
    assert len(in_flight) == 3

    retry_counts: dict[str, str] = {}

    def deliver(delivery: Delivery) -> int:
        retry_counts[delivery.headers["X-CloudTasks-TaskName"]] = delivery.headers["X-CloudTasks-TaskRetryCount"]
        return 200

    queue = InProcessQueue(path, queues=["one"], deliver=deliver)
    while queue.step():
        pass
    assert accepted <= done | retry_counts.keys()
    assert {name: int(retry_counts[name]) > 0 for name in in_flight} == dict.fromkeys(in_flight, True)
    assert all(queue.state("one", name) == ABSENT for name in accepted)
    assert not any(queue.enqueue(Message("one", name, "sync", b"{}")) for name in accepted)
    queue.close()
