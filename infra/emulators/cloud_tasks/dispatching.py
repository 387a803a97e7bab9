"""One queue that delivers: takes tasks as they become due, within its limits, and posts them to their targets."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NamedTuple

import urllib3
from google.cloud.tasks_v2 import Attempt as Tried
from google.cloud.tasks_v2 import HttpMethod, Queue, Task
from google.rpc.status_pb2 import Status

from infra.emulators.cloud_tasks.rules import Pace, backoff, exhausted
from infra.emulators.cloud_tasks.table import Row, TaskTable
from shared.adapters.queues.message_table import Attempt
from shared.errors import QueueUnavailableError

LONGEST_WAIT = 60.0
LONGEST_ATTEMPT = 1800.0
MOST_AT_ONCE = 64
"""Of one queue, on one machine."""
DEADLINE_EXCEEDED, UNAVAILABLE = 4, 14
_CODES = {
    400: (3, "INVALID_ARGUMENT"),
    401: (16, "UNAUTHENTICATED"),
    403: (7, "PERMISSION_DENIED"),
    404: (5, "NOT_FOUND"),
    409: (10, "ABORTED"),
    429: (8, "RESOURCE_EXHAUSTED"),
    499: (1, "CANCELLED"),
    500: (13, "INTERNAL"),
    501: (12, "UNIMPLEMENTED"),
    503: (14, "UNAVAILABLE"),
    504: (4, "DEADLINE_EXCEEDED"),
}

Post = Callable[[str, str, Mapping[str, str], bytes, float], int]
"""Sends a request (method, URL, headers, body, seconds): the HTTP status, or the negative code of an RPC."""


class Times(NamedTuple):
    """When a task was dispatched first, when it was due last, dispatched and answered."""

    first: float
    due: float
    dispatched: float
    answered: float | None


class ServedQueue:
    """A queue and its threads. Safe to use from many threads; `start` makes it deliver."""

    def __init__(
        self,
        table: TaskTable,
        *,
        clock: Callable[[], float],
        pace: Callable[[], float],
        post: Post,
        token: Callable[[str, str], str],
    ) -> None:
        self.table = table
        self.lock = threading.Condition()
        """Held around each use of the table; notified when a task may have become due."""
        self.queue = table.settings()
        self._clock = clock
        self._pace = Pace(pace)
        self._post = post
        self._token = token
        self._times: dict[str, Times] = {}
        self._busy = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="dispatch", daemon=True)

    def start(self) -> None:
        """Begins to deliver."""
        self._thread.start()

    def configure(self, queue: Queue) -> None:
        """Changes the settings, for good."""
        with self.lock:
            self.table.save(queue)
            self.queue = queue
            self.lock.notify_all()

    def run_now(self, row: Row) -> None:
        """Dispatches a task at once, although the queue may be paused or at its limits. The lock is held."""
        if not row.executing:
            self._launch(self.table.take_now(row, self._clock() + LONGEST_ATTEMPT))

    def described(self, row: Row, view: int) -> Task:
        """A task as the API shows it. The lock is held."""
        task, attempt, times = row.task, row.attempt, self._times.get(row.attempt.name)
        full = view == Task.View.FULL
        if not full:
            task.http_request.body = b""
        task.view = Task.View.FULL if full else Task.View.BASIC
        task.dispatch_count, task.response_count = attempt.number, attempt.responses
        if not row.executing:
            task.schedule_time = _time(attempt.due)
        if times is not None:
            task.first_attempt = Tried(dispatch_time=_time(times.first))
        # Of an attempt under way nothing is told: the last one is the last that ended.
        if attempt.last_status is not None:
            task.last_attempt = Tried(response_status=_status(attempt.last_status))
            if times is not None and times.answered is not None:
                task.last_attempt.schedule_time = _time(times.due)
                task.last_attempt.dispatch_time = _time(times.dispatched)
                task.last_attempt.response_time = _time(times.answered)
        return task

    def close(self, patience: float) -> None:
        """Stops, waits for what is under way, and closes the file; what outlasts `patience` is delivered again."""
        with self.lock:
            self._closing = True
            self.lock.notify_all()
            self.lock.wait_for(lambda: not self._busy, patience)
            self.table.close()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        with self.lock:
            while not self._closing:
                wait = self._dispatch()
                if wait:
                    self.lock.wait(min(wait, LONGEST_WAIT))

    def _dispatch(self) -> float:
        """Dispatches a task and returns 0, or returns for how long there is nothing to do."""
        now = self._clock()
        due = self.table.next_due()
        if due is None or self._busy >= min(self.queue.rate_limits.max_concurrent_dispatches, MOST_AT_ONCE):
            return LONGEST_WAIT
        if due > now:
            return due - now
        if wait := self._pace.wait(self.queue):
            return wait
        attempt = self.table.take(now, now + LONGEST_ATTEMPT)
        if attempt is not None:
            self._launch(attempt)
        return 0.0

    def _launch(self, attempt: Attempt) -> None:
        self._busy += 1
        known, now = self._times.get(attempt.name), self._clock()
        answered = None if known is None else known.answered
        self._times[attempt.name] = Times(now if known is None else known.first, attempt.due, now, answered)
        threading.Thread(target=self._execute, args=(attempt,), name="attempt", daemon=True).start()

    def _execute(self, attempt: Attempt) -> None:
        task = Task.deserialize(attempt.body)
        request = task.http_request
        deadline = task.dispatch_deadline.total_seconds()
        method = HttpMethod(request.http_method).name
        status = self._post(method, request.url, self._headers(attempt, task), request.body, deadline)
        with self.lock:
            self._busy -= 1
            try:
                self._settle(attempt, status)
            except QueueUnavailableError:
                if not self._closing:
                    raise
            self.lock.notify_all()

    def _settle(self, attempt: Attempt, status: int) -> None:
        now, retry = self._clock(), self.queue.retry_config
        times = self._times.get(attempt.name, Times(now, now, now, now))
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES or exhausted(retry, attempt.number, now - times.first):
            self.table.acknowledge(attempt, now)
            self._times.pop(attempt.name, None)
            return
        self._times[attempt.name] = times._replace(answered=now)
        due = now + backoff(retry, attempt.number)
        if status < 0:
            self.table.unanswered(attempt, -status, due)
        else:
            self.table.retry(attempt, status, due)

    def _headers(self, attempt: Attempt, task: Task) -> dict[str, str]:
        request = task.http_request
        headers = {
            "Content-Type": "application/octet-stream",
            **request.headers,
            "User-Agent": "Google-Cloud-Tasks",
            "X-CloudTasks-QueueName": self.queue.name.rpartition("/")[2],
            "X-CloudTasks-TaskName": attempt.name,
            "X-CloudTasks-TaskRetryCount": str(attempt.number - 1),
            "X-CloudTasks-TaskExecutionCount": str(attempt.responses),
            "X-CloudTasks-TaskETA": f"{attempt.due:.6f}",
        }
        if attempt.last_status is not None:
            headers["X-CloudTasks-TaskRetryReason"] = _status(attempt.last_status).message
            if attempt.last_status > 0:
                headers["X-CloudTasks-TaskPreviousResponse"] = str(attempt.last_status)
        if email := request.oidc_token.service_account_email:
            headers["Authorization"] = f"Bearer {self._token(email, request.oidc_token.audience or request.url)}"
        return headers


def poster() -> Post:
    """Posts over HTTP as Cloud Tasks does: no redirects, no repetition, within the deadline."""
    pool = urllib3.PoolManager(maxsize=MOST_AT_ONCE)

    def post(method: str, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> int:
        try:
            answer = pool.request(
                method, url, headers=headers, body=body, timeout=seconds, retries=False, redirect=False
            )
        except urllib3.exceptions.ReadTimeoutError:
            return -DEADLINE_EXCEEDED
        except urllib3.exceptions.HTTPError:
            return -UNAVAILABLE
        return answer.status

    return post


def _status(status: int) -> Status:
    if status < 0:
        name = {DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED", UNAVAILABLE: "UNAVAILABLE"}[-status]
        return Status(code=-status, message=f"{name}({-status}): no answer")
    code, name = _CODES.get(status, (2, "UNKNOWN"))
    return Status(code=code, message=f"{name}({code}): HTTP status code {status}")


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
