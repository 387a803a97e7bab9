"""The embedded task queue: durable, in this process, on a SQLite file of its own.

It answers as Cloud Tasks does (named messages, delays, back-off, the same headers), so that a laptop needs no cloud.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from shared.adapters.queues.message_table import Attempt, MessageTable
from shared.errors import QueueUnavailableError, SluiceError
from shared.log import logger
from shared.ports import Message, MessageState, QueueControl, TaskQueue

_LONGEST_WAIT = 60.0
"""Seconds after which a worker looks at the clock again, which may have been set meanwhile."""


class Delivery(NamedTuple):
    """What a target receives: the request that Cloud Tasks would send."""

    target: str
    headers: Mapping[str, str]
    body: bytes


class InProcessQueue(TaskQueue, QueueControl):
    """A `TaskQueue` whose workers are threads of this process.

    `path`: the file, or ":memory:". One process uses it at a time. What was accepted survives `kill -9`; a power
    failure may undo the last moments.
    `queues`: the names that can be used. What lies in a queue that is not configured any more is still delivered.
    `deliver`: calls the target and returns the HTTP status. An exception counts as 500 and is logged; after
    KeyboardInterrupt and SystemExit, which pass through, the message stays in flight, as if the process were killed.
    `limits`: how many messages of a queue may be executed at once, where that is less than the workers; one whose
    targets are slow then leaves workers to the others.
    `deadline`: seconds after which an attempt without an answer is given up and the message is due again, although
    the attempt may still be running. Its answer counts only if no other attempt has begun.
    `keep_names`: seconds for which the name of a message that was delivered or purged stays used, at least.
    `clock`: seconds since the epoch; after moving a clock of your own, call `wake`.
    """

    def __init__(
        self,
        path: str,
        *,
        queues: Sequence[str],
        deliver: Callable[[Delivery], int],
        workers: int = 4,
        limits: Mapping[str, int] | None = None,
        min_backoff: float = 0.5,
        max_backoff: float = 30.0,
        deadline: float = 1800.0,
        keep_names: float = 86400.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._queues = tuple(queues)
        self._deliver = deliver
        self._workers = workers
        self._limits = dict(limits or {})
        self._min_backoff = min_backoff
        self._max_backoff = max_backoff
        self._deadline = deadline
        self._keep_names = keep_names
        self._clock = clock
        self._changed = threading.Condition()
        """Guards all below, and is notified when a message may have become due."""
        self._table = MessageTable(path, self._queues, clock())
        self._threads: list[threading.Thread] = []
        self._busy: list[int] = []
        """The threads that are delivering, one entry for each attempt."""
        self._executing: Counter[str] = Counter()
        """Attempts under way, by queue."""
        self._closing = False

    # ---- TaskQueue

    def enqueue(self, message: Message) -> bool:
        """Queues the message; False if its name was used before. Committed when this returns."""
        self._check(message.queue)
        with self._changed:
            queued = self._table.insert(message, self._clock() + max(message.delay, 0.0))
            if queued:
                self._changed.notify()
        return queued

    def state(self, queue: str, name: str) -> MessageState:
        """What is known of the message. A dispatch counts from its beginning, a status from its end."""
        self._check(queue)
        with self._changed:
            return self._table.state(queue, name)

    def close(self, wait: float = 10.0) -> None:
        """Takes no more messages, waits up to `wait` seconds for what is under way, and closes the file.

        What is under way may still enqueue. If it outlasts `wait`, it is delivered again after the next opening.
        """
        me = threading.get_ident()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            # Called by a target, it can't wait for that target.
            if not self._changed.wait_for(lambda: all(thread == me for thread in self._busy), wait):
                logger.warning("the queue closes before its deliveries ended", action="close")
            self._table.close()

    # ---- QueueControl

    def pause(self, queue: str) -> None:
        """Stops dispatching until `resume`, also after reopening."""
        self._check(queue)
        with self._changed:
            self._table.set_paused(queue, True)

    def resume(self, queue: str) -> None:
        """Dispatches again."""
        self._check(queue)
        with self._changed:
            self._table.set_paused(queue, False)
            self._changed.notify()

    def purge(self, queue: str) -> None:
        """Removes every message. One that is being executed is absent from now on and is not retried."""
        self._check(queue)
        with self._changed:
            self._table.purge(queue, self._clock())

    # ---- running it

    def start(self) -> None:
        """Starts the workers, if they are not running yet; until then messages are only kept."""
        with self._changed:
            while len(self._threads) < self._workers and not self._closing:
                thread = threading.Thread(target=self._work, name=f"queue-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def step(self) -> bool:
        """Delivers the message that has been due the longest, on this thread. False: none is due."""
        with self._changed:
            attempt = self._take()
        if attempt is None:
            return False
        self._execute(attempt)
        return True

    def next_due(self) -> float | None:
        """When `step` will find a message next (perhaps in the past); None: not before something else happens.

        For a message that is being executed, that is the end of its deadline. Queues at their limit don't count.
        """
        with self._changed:
            return self._table.next_due(self._full())

    def wake(self) -> None:
        """Makes the workers look at the clock."""
        with self._changed:
            self._changed.notify()

    def maintain(self) -> None:
        """Frees names that were kept long enough, and empties the write-ahead log. The sweep calls it."""
        before = self._clock() - self._keep_names
        more = True
        while more:
            # The lock is let go between slices, so that deliveries go on.
            with self._changed:
                more = self._table.forget(before)
        with self._changed:
            self._table.checkpoint()

    # ---- workers

    def _work(self) -> None:
        while not self._closing:
            try:
                attempt = self._await()
                if attempt is not None:
                    self._execute(attempt)
            except QueueUnavailableError:
                logger.exception("the queue's file can't be used", action="dispatch")
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, self._max_backoff)

    def _await(self) -> Attempt | None:
        with self._changed:
            while not self._closing:
                attempt = self._take()
                if attempt is not None:
                    return attempt
                due = self._table.next_due(self._full())
                left = _LONGEST_WAIT if due is None else due - self._clock()
                self._changed.wait(min(max(left, 0.0), _LONGEST_WAIT))
        return None

    def _take(self) -> Attempt | None:
        if self._closing:
            return None
        now = self._clock()
        attempt = self._table.take(now, now + self._deadline, self._full())
        if attempt is not None:
            self._executing[attempt.queue] += 1
            self._busy.append(threading.get_ident())
            # Another worker takes over the watch: perhaps only this one was waiting for the next due time.
            self._changed.notify()
        return attempt

    def _full(self) -> list[str]:
        """Queues of which no more may be executed now."""
        return [queue for queue, limit in self._limits.items() if self._executing[queue] >= limit]

    def _execute(self, attempt: Attempt) -> None:
        try:
            status = self._answer(attempt)
            with self._changed:
                if 200 <= status < 300:
                    self._table.acknowledge(attempt, self._clock())
                else:
                    self._table.retry(attempt, status, self._clock() + self._backoff(attempt.number))
        finally:
            with self._changed:
                self._busy.remove(threading.get_ident())
                self._executing[attempt.queue] -= 1
                if self._closing:
                    self._changed.notify_all()
                else:
                    self._changed.notify()

    def _answer(self, attempt: Attempt) -> int:
        about = {"action": "deliver", "queue": attempt.queue, "task": attempt.name, "target": attempt.target}
        try:
            status = self._deliver(Delivery(attempt.target, _headers(attempt), attempt.body))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # noqa: BLE001 a target's failure, of whatever kind, must not end the worker
            logger.exception("delivery failed", **about)
            return 500
        if not 200 <= status < 300:
            logger.warning("delivery refused", status=status, **about)
        return status

    def _backoff(self, attempts: int) -> float:
        # The exponent is bounded because the attempts are not.
        return min(self._max_backoff, self._min_backoff * 2.0 ** min(attempts - 1, 64))

    def _check(self, queue: str) -> None:
        if queue not in self._queues:
            raise SluiceError(f"There is no queue {queue!r}. Configured: {', '.join(self._queues) or 'none'}.")


def _headers(attempt: Attempt) -> dict[str, str]:
    headers = {
        "X-CloudTasks-QueueName": attempt.queue,
        "X-CloudTasks-TaskName": attempt.name,
        "X-CloudTasks-TaskRetryCount": str(attempt.number - 1),
        "X-CloudTasks-TaskExecutionCount": str(attempt.responses),
        "X-CloudTasks-TaskETA": f"{attempt.due:.6f}",
    }
    if attempt.last_status is not None:
        headers["X-CloudTasks-TaskPreviousResponse"] = str(attempt.last_status)
    return headers
