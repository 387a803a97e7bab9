"""The document store of the cloud: Firestore in native mode."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import grpc

from shared.adapters.documents import firestore_wire as wire
from shared.adapters.documents.firestore_calls import Calls, open_channel, pause
from shared.adapters.documents.firestore_errors import PASSING, commit_error, is_contention, read_error, refused
from shared.adapters.documents.firestore_queries import matching_query, page_query
from shared.adapters.documents.query_rules import check_fields
from shared.adapters.documents.values import check_commit, is_ref
from shared.errors import CommitRefusedError
from shared.ports import Check, Create, Delete, Document, Query, Ref, Write

_MAX_REFS = 500
_ATTEMPTS = 8
_CONTENTION_SECONDS = 15.0


class FirestoreDocuments:
    """Documents in one Firestore database.

    The revision is the time of the last change, so a write that changes nothing keeps it. A commit without checks is
    one call. With checks it is a transaction: one call reads (and locks) what is checked, another one commits.
    FIRESTORE_EMULATOR_HOST leads to an emulator, as it does all of Google's clients. `channel`: for tests that stand
    in between; it is closed with the store.
    """

    def __init__(self, project: str, *, database: str = "(default)", channel: grpc.Channel | None = None) -> None:
        if not project:
            raise ValueError("Firestore needs the id of a Google Cloud project.")
        self._names = wire.Names(project, database)
        self._calls = Calls(channel if channel is not None else open_channel(), self._names.database)

    def get(self, ref: Ref) -> Document | None:
        """One document, or None."""
        return self.get_many([ref])[0]

    def get_many(self, refs: Sequence[Ref]) -> list[Document | None]:
        """Many documents as they are at one moment, in the order asked for, None for each that is absent."""
        if len(refs) > _MAX_REFS:
            raise ValueError(f"At most {_MAX_REFS} documents can be read at once.")
        wanted = [ref for ref in dict.fromkeys(refs) if is_ref(ref)]
        found = self._found(self._calls.get(self._look_up(wanted))) if wanted else {}
        return [found.get(ref) for ref in refs]

    def query(self, query: Query) -> list[Document]:
        """One page, as it is at one moment."""
        request = wire.RunQueryRequest(parent=self._names.documents, structured_query=page_query(self._names, query))
        answers = self._calls.query(request)
        return [self._names.read(answer.document) for answer in answers if answer.HasField("document")]

    def count(self, query: Query) -> int:
        """How many documents match."""
        request = self._aggregation(query)
        request.structured_aggregation_query.aggregations.add(alias="n").count.SetInParent()
        return _result(self._calls.aggregate([request])[0])

    def sum(self, query: Query, fields: Sequence[str]) -> dict[str, int]:
        """Sums of integer fields over all matching documents, each as of a moment of its own."""
        check_fields(fields)
        # A request for several sums would leave out every document that lacks one of the fields.
        requests = []
        for name in fields:
            request = self._aggregation(query)
            request.structured_aggregation_query.aggregations.add(alias="n").sum.field.field_path = name
            requests.append(request)
        return dict(zip(fields, map(_result, self._calls.aggregate(requests)), strict=True))

    def commit(self, writes: Sequence[Write], checks: Sequence[Check] = ()) -> list[str]:
        """Applies all writes or none; the documents of a commit share its revision."""
        check_commit(writes, checks)
        self._refuse_impossible(writes, checks)
        if not writes:
            self._refuse_unless_held(checks, self.get_many([check.ref for check in checks]))
            return []
        messages = [wire.write_message(self._names, write) for write in writes]
        answer = self._transaction(messages, writes, checks) if checks else self._batch(messages, writes)
        return [wire.revision_of(result.update_time) for result in answer.write_results]

    def maintain(self) -> None:
        """Nothing: Firestore looks after itself."""

    def close(self) -> None:
        """Closes the channel."""
        self._calls.close()

    def _batch(self, messages: Sequence[Any], writes: Sequence[Write]) -> Any:
        request = wire.CommitRequest(database=self._names.database, writes=messages)
        for last in _attempts():
            try:
                return self._calls.commit(request)
            except grpc.RpcError as error:
                if last or not is_contention(error):
                    raise self._refusal(error, writes) from error
        raise AssertionError("unreachable")

    def _transaction(self, messages: Sequence[Any], writes: Sequence[Write], checks: Sequence[Check]) -> Any:
        transaction = b""
        for last in _attempts():
            try:
                transaction, found = self._begin(checks, transaction)
            except grpc.RpcError as error:
                if last or error.code() not in PASSING:
                    raise read_error(error) from error
                continue
            request = wire.CommitRequest(database=self._names.database, writes=messages, transaction=transaction)
            try:
                self._refuse_unless_held(checks, [found.get(check.ref) for check in checks])
                return self._calls.commit(request)
            except CommitRefusedError:
                self._roll_back(transaction)
                raise
            except grpc.RpcError as error:
                self._roll_back(transaction)
                # What was refused for contention was not applied; anything else may have been.
                if last or not is_contention(error):
                    raise self._refusal(error, writes) from error
        raise AssertionError("unreachable")

    def _roll_back(self, transaction: bytes) -> None:
        self._calls.rollback(wire.RollbackRequest(database=self._names.database, transaction=transaction))

    def _begin(self, checks: Sequence[Check], before: bytes) -> tuple[bytes, dict[Ref, Document]]:
        """Begins a transaction (as another attempt of the one before) by reading what is checked."""
        request = self._look_up(list(dict.fromkeys(check.ref for check in checks)))
        request.new_transaction.read_write.retry_transaction = before
        request.mask.field_paths.append(wire.NAME_FIELD)  # revisions alone
        answers = self._calls.get_once(request)
        return next(answer.transaction for answer in answers if answer.transaction), self._found(answers)

    def _look_up(self, refs: Sequence[Ref]) -> Any:
        return wire.BatchGetDocumentsRequest(database=self._names.database, documents=map(self._names.of, refs))

    def _found(self, answers: Sequence[Any]) -> dict[Ref, Document]:
        documents = (self._names.read(answer.found) for answer in answers if answer.HasField("found"))
        return {document.ref: document for document in documents}

    def _aggregation(self, query: Query) -> Any:
        request = wire.RunAggregationQueryRequest(parent=self._names.documents)
        request.structured_aggregation_query.structured_query.CopyFrom(matching_query(query))
        return request

    def _refuse_impossible(self, writes: Sequence[Write], checks: Sequence[Check]) -> None:
        """Firestore takes nothing but a time for a revision; another text matches no document."""
        items = [*(write for write in writes if not isinstance(write, Create)), *checks]
        _refuse([it.ref for it in items if it.revision is not None and wire.parse_revision(it.revision) is None])

    @staticmethod
    def _refuse_unless_held(checks: Sequence[Check], found: Sequence[Document | None]) -> None:
        now = [document and document.revision for document in found]
        _refuse([check.ref for check, revision in zip(checks, now, strict=True) if check.revision != revision])

    def _refusal(self, error: grpc.RpcError, writes: Sequence[Write]) -> Exception:
        refusal = commit_error(error, self._names, writes)
        if not isinstance(refusal, CommitRefusedError) or refusal.conflicts or is_contention(error):
            return refusal
        # The text names no document. One look tells, unless what was in the way is gone; and it tells a document that
        # is missing from a database that is.
        found = self.get_many([write.ref for write in writes])
        return refused([write.ref for write, now in zip(writes, found, strict=True) if not _holds(write, now)])


def _holds(write: Write, now: Document | None) -> bool:
    if isinstance(write, Create):
        return now is None
    if write.revision is None:
        return now is not None or isinstance(write, Delete)
    return now is not None and now.revision == write.revision


def _refuse(conflicts: Sequence[Ref]) -> None:
    if conflicts:
        raise refused(conflicts)


def _result(answer: Any) -> int:
    return int(wire.read_value(answer.result.aggregate_fields["n"]) or 0)


def _attempts() -> Iterator[bool]:
    """For each attempt that contention may take, with waits between them: whether it is the last."""
    started = time.monotonic()
    for attempt in range(_ATTEMPTS):
        last = attempt == _ATTEMPTS - 1 or time.monotonic() - started > _CONTENTION_SECONDS
        yield last
        if last:
            return
        pause(attempt)
