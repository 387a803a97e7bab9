"""Calls of Firestore's service: over which channel, for how long, and how often."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import quote

import grpc

from shared.adapters.documents import firestore_wire as wire
from shared.adapters.documents.firestore_errors import PASSING, read_error
from shared.errors import DocumentsUnavailableError

T = TypeVar("T")

_SERVICE = "/google.firestore.v1.Firestore/"
_HOST = "firestore.googleapis.com:443"
_EMULATOR = "FIRESTORE_EMULATOR_HOST"
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
]
READ_SECONDS = 20.0
COMMIT_SECONDS = 30.0
_ROLLBACK_SECONDS = 5.0
_READS = 4


def open_channel() -> grpc.Channel:
    """A channel to Google with the credentials of this environment, or to the emulator that the environment names.

    Raises `DocumentsUnavailableError` where there are no credentials.
    """
    if emulator := os.environ.get(_EMULATOR):
        return grpc.insecure_channel(emulator, options=_OPTIONS)
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

    try:
        return FirestoreGrpcTransport.create_channel(_HOST, options=_OPTIONS)
    except GoogleAuthError as error:
        raise DocumentsUnavailableError(
            "There are no Google credentials to use Firestore with.", detail=str(error)
        ) from error


def pause(attempt: int) -> None:
    """Waits before another attempt: at most 0.1 s, 0.2 s, 0.4 s ..., and never in step with others."""
    time.sleep(random.uniform(0.02, 0.1 * 2**attempt))  # noqa: S311 - not a secret


class Calls:
    """The methods that the adapter needs, bound to one database.

    Reads are tried a few times, commits once: whether a commit without an answer was applied only its caller can tell.
    """

    def __init__(self, channel: grpc.Channel, database: str) -> None:
        self._channel = channel
        self._closed = False
        self._metadata = [
            ("google-cloud-resource-prefix", database),
            ("x-goog-request-params", f"database={quote(database, safe='')}"),
        ]
        if os.environ.get(_EMULATOR):
            self._metadata.append(("authorization", "Bearer owner"))  # past the rules that apps on phones obey
        self._get = self._bind(channel.unary_stream, "BatchGetDocuments", wire.BatchGetDocumentsResponse)
        self._query = self._bind(channel.unary_stream, "RunQuery", wire.RunQueryResponse)
        self._aggregate = self._bind(channel.unary_stream, "RunAggregationQuery", wire.RunAggregationQueryResponse)
        self._commit = self._bind(channel.unary_unary, "Commit", wire.CommitResponse)
        self._rollback = self._bind(channel.unary_unary, "Rollback", None)

    def close(self) -> None:
        """Closes the channel; every call fails from now on."""
        self._closed = True
        self._channel.close()

    def get(self, request: Any) -> list[Any]:
        """All answers to a look-up."""
        return self._read(lambda: self.get_once(request))

    def get_once(self, request: Any) -> list[Any]:
        """As `get`, tried once and with gRPC's own errors: for a look-up that begins a transaction."""
        with self._open():
            return list(self._get(request, timeout=READ_SECONDS, metadata=self._metadata))

    def query(self, request: Any) -> list[Any]:
        """All answers to a query; the last may hold no document."""
        return self._read(lambda: list(self._query(request, timeout=READ_SECONDS, metadata=self._metadata)))

    def aggregate(self, requests: list[Any]) -> list[Any]:
        """The answer to each request; they run at the same time."""

        def run() -> list[Any]:
            started = [self._aggregate(one, timeout=READ_SECONDS, metadata=self._metadata) for one in requests]
            return [list(answers)[-1] for answers in started]

        return self._read(run)

    def commit(self, request: Any) -> Any:
        """Commits, once. Raises gRPC's own errors."""
        with self._open():
            return self._commit(request, timeout=COMMIT_SECONDS, metadata=self._metadata)

    def rollback(self, request: Any) -> None:
        """Gives up a transaction's locks. They lapse by themselves, so it is tried once."""
        with suppress(grpc.RpcError):
            self._rollback(request, timeout=_ROLLBACK_SECONDS, metadata=self._metadata)

    @staticmethod
    def _bind(kind: Callable[..., Any], method: str, answer: Any) -> Any:
        return kind(
            _SERVICE + method,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString if answer else None,
        )

    def _read(self, call: Callable[[], T]) -> T:
        for attempt in range(_READS):
            try:
                with self._open():
                    return call()
            except grpc.RpcError as error:
                if error.code() not in PASSING or attempt == _READS - 1:
                    raise read_error(error) from error
                pause(attempt)
        raise AssertionError("unreachable")

    @contextmanager
    def _open(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            if not self._closed:
                raise
            raise DocumentsUnavailableError("The document store was closed.") from error
