"""The task queue of Google Cloud: Cloud Tasks, over a fixed pool of queues."""

import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import grpc
from google.api_core import exceptions as api
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from shared.errors import QueueUnavailableError, SluiceError
from shared.ports import Message, MessageState, QueueControl, TaskQueue

DEADLINES = (15.0, 1800.0)
"""What Cloud Tasks allows as the time an attempt may take."""
ATTEMPT_SECONDS = 5.0
_TRANSIENT = (
    api.ServiceUnavailable,
    api.DeadlineExceeded,
    api.InternalServerError,
    api.TooManyRequests,
    api.Aborted,
    api.Unknown,
)
_HTTP_STATUS = re.compile(r"HTTP status code (\d{3})")
# Where the text does not say it (nothing answered): the code that an HTTP status would have been translated to.
_FROM_CODE = {3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 14: 503, 16: 401}
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\]):\d+")


class CloudTasksQueue(TaskQueue, QueueControl):
    """A `TaskQueue` that sends to HTTP targets, with an OIDC token that `functions.callers` verifies.

    `queues`: the names that messages may give. Each is a pool of `pool` queues `<prefix>-<name>-<k>`, which are
    created at deployment, with unlimited attempts; they are found by the name of the message, so `pool` is changed
    only while no run is active.
    `target_urls`: where the functions are. `audience`: of the tokens; the target's URL unless given.
    `service_account`: whom the tokens are issued for; it needs the right to invoke the functions.
    `deadline`: seconds after which an attempt is given up, the time-out of the functions.
    `patience`: seconds for which a call is repeated. `endpoint`: a server on this machine instead of Google's.
    `clock`: what delays are counted from. Connects at the first call.
    """

    def __init__(
        self,
        *,
        project: str,
        location: str,
        queues: Sequence[str],
        target_urls: Mapping[str, str],
        service_account: str,
        audience: str = "",
        prefix: str = "sluice",
        pool: int = 1,
        deadline: float = 600.0,
        patience: float = 15.0,
        endpoint: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not (project and location and service_account):
            raise SluiceError("Cloud Tasks needs a project, a location and the service account that calls functions.")
        if pool < 1:
            raise SluiceError("The pool of queues must have at least one queue.")
        if not DEADLINES[0] <= deadline <= DEADLINES[1]:
            raise SluiceError(f"Cloud Tasks gives an attempt {DEADLINES[0]:g} to {DEADLINES[1]:g} s, not {deadline:g}.")
        if endpoint and not _LOOPBACK.fullmatch(endpoint):
            raise SluiceError(
                f"{endpoint!r} is not host:port of this machine; only there a queue is used in the clear."
            )
        self._parent = f"projects/{project}/locations/{location}"
        self._queues = tuple(queues)
        self._target_urls = dict(target_urls)
        self._service_account = service_account
        self._audience = audience
        self._prefix = prefix
        self._pool = pool
        self._deadline = deadline
        self._endpoint = endpoint
        self._clock = clock
        # A name makes even creating idempotent, so a lost answer may be asked for again.
        retry = Retry(predicate=if_exception_type(*_TRANSIENT), initial=0.1, maximum=2.0, timeout=patience)
        self._options: dict[str, Any] = {"retry": retry, "timeout": min(ATTEMPT_SECONDS, patience)}
        self._lock = threading.Lock()
        self._connected: tasks_v2.CloudTasksClient | None = None
        self._closed = False

    # ---- TaskQueue

    def enqueue(self, message: Message) -> bool:
        """Queues the message; False if its name was used before, perhaps by this call, whose first answer was lost."""
        url = self._target_urls.get(message.target, "")
        if not url:
            raise SluiceError(f"The URL of the function {message.target!r} is not configured, so nothing can call it.")
        queue = self._path(message.queue, message.name)
        task = tasks_v2.Task(
            name=f"{queue}/tasks/{message.name}",
            http_request=tasks_v2.HttpRequest(
                url=url,
                http_method=tasks_v2.HttpMethod.POST,
                headers={"Content-Type": "application/json"},
                body=message.body,
                oidc_token=tasks_v2.OidcToken(
                    service_account_email=self._service_account, audience=self._audience or url
                ),
            ),
            dispatch_deadline=timedelta(seconds=self._deadline),
        )
        if message.delay > 0:
            task.schedule_time = datetime.fromtimestamp(self._clock() + message.delay, UTC)
        try:
            self._call("create_task", parent=queue, task=task)
        except api.AlreadyExists:
            return False
        except (api.NotFound, api.FailedPrecondition) as error:
            raise _missing(queue, error) from error
        return True

    def state(self, queue: str, name: str) -> MessageState:
        """What is known of the message. Of a queue that does not exist every message is absent."""
        try:
            task = self._call("get_task", name=f"{self._path(queue, name)}/tasks/{name}")
        except api.NotFound:
            return MessageState(absent=True)
        return MessageState(False, task.dispatch_count, _last_status(task))

    def close(self) -> None:
        """Closes the connection; the queue goes on delivering by itself."""
        with self._lock:
            self._closed = True
            if self._connected is not None:
                self._connected.transport.close()

    # ---- QueueControl

    def pause(self, queue: str) -> None:
        """Stops dispatching until `resume`."""
        self._each("pause_queue", queue)

    def resume(self, queue: str) -> None:
        """Dispatches again."""
        self._each("resume_queue", queue)

    def purge(self, queue: str) -> None:
        """Removes every message. Google may need a minute, and what was queued meanwhile may be removed too."""
        self._each("purge_queue", queue)

    def paths(self, queue: str) -> list[str]:
        """The full names of the queues that serve as this one."""
        if queue not in self._queues:
            raise SluiceError(f"There is no queue {queue!r}. Configured: {', '.join(self._queues) or 'none'}.")
        return [f"{self._parent}/queues/{self._prefix}-{queue}-{number}" for number in range(self._pool)]

    # ---- calling

    def _path(self, queue: str, name: str) -> str:
        # By the name alone: it is all that `state` is given, and it is hashed already, so the load spreads.
        digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
        return self.paths(queue)[int.from_bytes(digest) % self._pool]

    def _each(self, method: str, queue: str) -> None:
        for path in self.paths(queue):
            try:
                self._call(method, name=path)
            except (api.NotFound, api.FailedPrecondition) as error:
                raise _missing(path, error) from error

    def _call(self, method: str, **request: Any) -> Any:
        """Calls Cloud Tasks. Its word on the queue or the task comes through, everything else as one of our errors."""
        try:
            return getattr(self._client, method)(request=request, **self._options)
        except (api.AlreadyExists, api.NotFound, api.FailedPrecondition):
            raise
        except (api.PermissionDenied, api.Unauthenticated) as error:
            raise SluiceError(
                "Cloud Tasks refuses this service. Its account needs the roles cloudtasks.enqueuer and "
                f"cloudtasks.viewer on the queues, and iam.serviceAccountUser on {self._service_account}.",
                detail=_said(error),
            ) from error
        except api.InvalidArgument as error:
            raise SluiceError("Cloud Tasks does not accept the request.", detail=_said(error)) from error
        except DefaultCredentialsError as error:
            raise SluiceError(
                "No Google credentials were found: deploy with a service account, or log in with "
                "`gcloud auth application-default login`."
            ) from error
        except (api.GoogleAPIError, GoogleAuthError) as error:
            raise QueueUnavailableError(detail=_said(error)) from error
        except ValueError as error:
            if not self._closed:
                raise
            raise QueueUnavailableError("The queue was closed.") from error

    @property
    def _client(self) -> tasks_v2.CloudTasksClient:
        with self._lock:
            if self._closed:
                raise QueueUnavailableError("The queue was closed.")
            if self._connected is None:
                self._connected = _connect(self._endpoint)
            return self._connected


def _connect(endpoint: str) -> tasks_v2.CloudTasksClient:
    if not endpoint:
        return tasks_v2.CloudTasksClient()
    return tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=grpc.insecure_channel(endpoint)))


def _last_status(task: tasks_v2.Task) -> int | None:
    """The HTTP status of the last answer, which Cloud Tasks tells in words, beside a code of its own."""
    if not task.response_count and not task.last_attempt.response_status.code:
        return None
    status = task.last_attempt.response_status
    if said := _HTTP_STATUS.search(status.message):
        return int(said[1])
    return _FROM_CODE.get(status.code, HTTPStatus.INTERNAL_SERVER_ERROR.value)


def _missing(path: str, error: Exception) -> SluiceError:
    queue, location = path.rpartition("/")[2], path.split("/")[3]
    return SluiceError(
        f"The queue {path} does not exist (or is disabled). Create it with `gcloud tasks queues create {queue} "
        f"--location={location} --max-attempts=-1`.",
        detail=_said(error),
    )


def _said(error: Exception) -> str:
    cause = getattr(error, "cause", None) or error  # of a retry that gave up, what it gave up on
    return str(getattr(cause, "message", "") or cause)[:500]
