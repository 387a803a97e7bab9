"""The calls of `google.cloud.tasks.v2.CloudTasks`, answered as Google does where a client can tell the difference."""

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
from google.cloud import tasks_v2 as v2
from google.cloud.tasks_v2 import Queue, Task
from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask

from infra.emulators.cloud_tasks.dispatching import Post, ServedQueue, poster
from infra.emulators.cloud_tasks.rules import with_defaults
from infra.emulators.cloud_tasks.table import TaskTable

KEEP_NAMES = 3600.0
MAX_TASK_BYTES = 1024 * 1024
MAX_AHEAD = timedelta(days=30)
MAX_PAGE = 1000
DEADLINES = (timedelta(seconds=15), timedelta(minutes=30))
DEFAULT_DEADLINE = timedelta(minutes=10)
_QUEUE_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/queues/[A-Za-z0-9-]{1,100}")
_TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,500}")


class RefusedError(Exception):
    """What a call is refused with."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


def _not_found() -> RefusedError:
    return RefusedError(grpc.StatusCode.NOT_FOUND, "Requested entity was not found.")


def _invalid(message: str) -> RefusedError:
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, message)


class CloudTasks:
    """All queues of a server.

    `folder`: keeps a file per queue, None keeps them in memory. `token`: signs for (email, audience).
    `clock`: seconds since the epoch; after moving a clock of your own, call `wake`. `pace`: what dispatches per second
    are measured by.
    """

    def __init__(
        self,
        *,
        token: Callable[[str, str], str],
        folder: Path | None = None,
        clock: Callable[[], float] = time.time,
        pace: Callable[[], float] = time.monotonic,
        post: Post | None = None,
    ) -> None:
        self._token, self._folder, self._clock, self._pace = token, folder, clock, pace
        self._post = post or poster()
        self._lock = threading.Lock()
        self._queues: dict[str, ServedQueue] = {}
        self._deleted: set[str] = set()
        for path in sorted(folder.glob("*.sqlite3")) if folder else ():
            served = self._served(TaskTable(str(path), clock()))
            self._queues[served.queue.name] = served

    def close(self, patience: float = 5.0) -> None:
        """Stops every queue."""
        for served in self._queues.values():
            served.close(patience)

    def wake(self) -> None:
        """Makes the queues look at the clock."""
        for served in self._queues.values():
            with served.lock:
                served.lock.notify_all()

    # ---- queues

    def create_queue(self, request: v2.CreateQueueRequest) -> Queue:
        """Makes a queue."""
        name = request.queue.name
        if not _QUEUE_NAME.fullmatch(name) or not name.startswith(f"{request.parent}/queues/"):
            raise _invalid(f"Invalid queue name {name!r}.")
        with self._lock:
            if name in self._queues:
                raise RefusedError(grpc.StatusCode.ALREADY_EXISTS, "Queue already exists")
            if name in self._deleted:
                why = "The queue cannot be created because a queue with this name existed too recently."
                raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, why)
            served = self._queues[name] = self._served(TaskTable(self._file(name), self._clock(), self._new(request)))
        return served.queue

    def _new(self, request: v2.CreateQueueRequest) -> Queue:
        queue = with_defaults(Queue(Queue.pb(request.queue)))
        queue.state = Queue.State.RUNNING
        return queue

    def get_queue(self, request: v2.GetQueueRequest) -> Queue:
        """One queue."""
        return self._of(request.name).queue

    def list_queues(self, request: v2.ListQueuesRequest) -> v2.ListQueuesResponse:
        """All queues of a location, on one page."""
        start = f"{request.parent}/queues/"
        found = [served.queue for name, served in sorted(self._queues.items()) if name.startswith(start)]
        return v2.ListQueuesResponse(queues=found)

    def update_queue(self, request: v2.UpdateQueueRequest) -> Queue:
        """Changes what the mask names; makes the queue if it is not there."""
        name = request.queue.name
        if name not in self._queues:
            return self.create_queue(v2.CreateQueueRequest(parent=name.partition("/queues/")[0], queue=request.queue))
        served = self._of(name)
        changed = Queue(Queue.pb(served.queue))
        paths = list(request.update_mask.paths) or ["rate_limits", "retry_config"]
        FieldMask(paths=paths).MergeMessage(Queue.pb(request.queue), Queue.pb(changed), replace_message_field=True)
        served.configure(with_defaults(changed))
        return served.queue

    def delete_queue(self, request: v2.DeleteQueueRequest) -> Empty:
        """Removes a queue with its tasks; its name can't be used again soon."""
        served = self._of(request.name)
        with self._lock:
            self._queues.pop(request.name, None)
            self._deleted.add(request.name)
        served.close(0.0)
        if self._folder:
            Path(self._file(request.name)).unlink(missing_ok=True)
        return Empty()

    def pause_queue(self, request: v2.PauseQueueRequest) -> Queue:
        """Stops dispatching."""
        return self._configured(request.name, state=Queue.State.PAUSED)

    def resume_queue(self, request: v2.ResumeQueueRequest) -> Queue:
        """Dispatches again."""
        return self._configured(request.name, state=Queue.State.RUNNING)

    def purge_queue(self, request: v2.PurgeQueueRequest) -> Queue:
        """Removes the tasks."""
        served = self._of(request.name)
        with served.lock:
            served.table.purge("tasks", self._clock())
        return self._configured(request.name, purge_time=self._now())

    def _configured(self, name: str, **changes: object) -> Queue:
        served = self._of(name)
        changed = Queue(Queue.pb(served.queue))
        for field, value in changes.items():
            setattr(changed, field, value)
        served.configure(changed)
        return served.queue

    # ---- tasks

    def create_task(self, request: v2.CreateTaskRequest) -> Task:
        """Adds a task."""
        served = self._of(request.parent)
        task = Task(Task.pb(request.task))
        task.name = task.name or f"{request.parent}/tasks/{secrets.randbelow(10**20):020d}"
        self._check(request.parent, task)
        now = self._now()
        task.create_time = now
        task.dispatch_deadline = task.dispatch_deadline or DEFAULT_DEADLINE
        task.schedule_time = max(task.schedule_time or now, now)
        if task.schedule_time == now:
            due = now.timestamp()
        else:
            due = Task.pb(task).schedule_time.ToNanoseconds() / 1e9
        with served.lock:
            if not served.table.add(task, due):
                served.table.forget(self._clock() - KEEP_NAMES)
                if not served.table.add(task, due):
                    text = "Requested entity already exists"
                    raise RefusedError(grpc.StatusCode.ALREADY_EXISTS, text)
            served.lock.notify_all()
            task.view = Task.View.BASIC
            if request.response_view != Task.View.FULL:
                task.http_request.body = b""
        return task

    def _check(self, parent: str, task: Task) -> None:
        start, _, name = task.name.rpartition("/")
        if start != f"{parent}/tasks" or not _TASK_ID.fullmatch(name):
            raise _invalid(f"Task name must be formatted: {parent}/tasks/<TASK_ID> with [A-Za-z0-9_-].")
        if not task.http_request.url:
            raise RefusedError(grpc.StatusCode.UNIMPLEMENTED, "Only HTTP targets are served.")
        if not task.http_request.url.startswith(("http://", "https://")):
            raise _invalid("HttpRequest.url must start with 'http://' or 'https://'.")
        if task.dispatch_deadline and not DEADLINES[0] <= task.dispatch_deadline <= DEADLINES[1]:
            raise _invalid("Task.dispatchDeadline must be between [15s, 30m].")
        if task.schedule_time and task.schedule_time > self._now() + MAX_AHEAD:
            raise _invalid("The schedule_time must be at most 30 days in the future.")
        if len(Task.serialize(task)) > MAX_TASK_BYTES:
            raise _invalid("Task size too large")

    def get_task(self, request: v2.GetTaskRequest) -> Task:
        """One task that is not over."""
        served, name = self._of_task(request.name)
        with served.lock:
            row = served.table.row(name)
            if row is None:
                raise _not_found()
            return served.described(row, request.response_view)

    def list_tasks(self, request: v2.ListTasksRequest) -> v2.ListTasksResponse:
        """A page of tasks, by name."""
        served = self._of(request.parent)
        size = min(request.page_size or MAX_PAGE, MAX_PAGE)
        with served.lock:
            rows = served.table.page(request.page_token, size + 1)
            tasks = [served.described(row, request.response_view) for row in rows[:size]]
        more = rows[size - 1].attempt.name if len(rows) > size else ""
        return v2.ListTasksResponse(tasks=tasks, next_page_token=more)

    def delete_task(self, request: v2.DeleteTaskRequest) -> Empty:
        """Removes a task."""
        served, name = self._of_task(request.name)
        with served.lock:
            if not served.table.delete(name, self._clock()):
                raise _not_found()
        return Empty()

    def run_task(self, request: v2.RunTaskRequest) -> Task:
        """Dispatches a task now."""
        served, name = self._of_task(request.name)
        with served.lock:
            row = served.table.row(name)
            if row is None:
                raise _not_found()
            served.run_now(row)
            return served.described(row, request.response_view)

    # ----

    def _of(self, name: str) -> ServedQueue:
        try:
            return self._queues[name]
        except KeyError:
            raise _not_found() from None

    def _of_task(self, name: str) -> tuple[ServedQueue, str]:
        queue, _, task = name.partition("/tasks/")
        return self._of(queue), task

    def _served(self, table: TaskTable) -> ServedQueue:
        served = ServedQueue(table, clock=self._clock, pace=self._pace, post=self._post, token=self._token)
        served.start()
        return served

    def _file(self, name: str) -> str:
        if self._folder is None:
            return ":memory:"
        return str(self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.sqlite3")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)
