"""A Cloud Tasks server on a loopback port, in this process."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.cloud import tasks_v2 as v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport
from google.protobuf.empty_pb2 import Empty

from infra.emulators.cloud_tasks.oidc import Issuer, serving_keys
from infra.emulators.cloud_tasks.service import CloudTasks, RefusedError
from infra.emulators.process import HOST

SERVICE = "google.cloud.tasks.v2.CloudTasks"
_CALLS: dict[str, tuple[Any, Any]] = {
    "CreateQueue": (v2.CreateQueueRequest, v2.Queue),
    "GetQueue": (v2.GetQueueRequest, v2.Queue),
    "ListQueues": (v2.ListQueuesRequest, v2.ListQueuesResponse),
    "UpdateQueue": (v2.UpdateQueueRequest, v2.Queue),
    "DeleteQueue": (v2.DeleteQueueRequest, Empty),
    "PauseQueue": (v2.PauseQueueRequest, v2.Queue),
    "ResumeQueue": (v2.ResumeQueueRequest, v2.Queue),
    "PurgeQueue": (v2.PurgeQueueRequest, v2.Queue),
    "CreateTask": (v2.CreateTaskRequest, v2.Task),
    "GetTask": (v2.GetTaskRequest, v2.Task),
    "ListTasks": (v2.ListTasksRequest, v2.ListTasksResponse),
    "DeleteTask": (v2.DeleteTaskRequest, Empty),
    "RunTask": (v2.RunTaskRequest, v2.Task),
}


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs: where, and what is behind it."""

    endpoint: str
    keys_url: str
    service: CloudTasks
    issuer: Issuer
    server: grpc.Server

    def client(self) -> v2.CloudTasksClient:
        """Google's client of it; close its transport."""
        return v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=grpc.insecure_channel(self.endpoint)))

    def sever(self) -> None:
        """Makes it unreachable, for good."""
        self.server.stop(None).wait()


@contextmanager
def serving(
    *,
    port: int = 0,
    keys_port: int = 0,
    folder: Path | None = None,
    key_file: Path | None = None,
    clock: Callable[[], float] = time.time,
    pace: Callable[[], float] = time.monotonic,
) -> Iterator[Served]:
    """Serves until the context is left. Port 0: a free one."""
    issuer = Issuer(key_file)
    service = CloudTasks(token=issuer.token, folder=folder, clock=clock, pace=pace)
    # Without SO_REUSEPORT two servers can't share a port by accident.
    server = grpc.server(ThreadPoolExecutor(16, "grpc"), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers([_handlers(service)])
    try:
        bound = server.add_insecure_port(f"{HOST}:{port}")
        server.start()
        with serving_keys(issuer, keys_port) as keys_url:
            yield Served(f"{HOST}:{bound}", keys_url, service, issuer, server)
    finally:
        server.stop(0.5).wait()
        service.close()


def _handlers(service: CloudTasks) -> Any:
    methods = {}
    for name, (request, response) in _CALLS.items():
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
        serialize = response.SerializeToString if response is Empty else response.serialize
        methods[name] = grpc.unary_unary_rpc_method_handler(
            _answering(getattr(service, snake)), request.deserialize, serialize
        )
    return grpc.method_handlers_generic_handler(SERVICE, methods)


def _answering(call: Callable[[Any], Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return call(request)
        except RefusedError as error:
            context.abort(error.code, error.message)

    return answer
