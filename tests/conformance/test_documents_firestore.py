"""What is promised of the Firestore store alone: lost answers, contention, limits of requests, and what it asks for."""

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from shared.adapters.documents import firestore_calls
from shared.adapters.documents.firestore import FirestoreDocuments
from shared.errors import (
    CommitRefusedError,
    CommitUnknownError,
    DocumentsUnavailableError,
    InvalidDocumentError,
)
from shared.ports import Check, Create, Delete, Filter, Query, Ref, Update

pytestmark = pytest.mark.emulator
A, B = Ref("things", "a"), Ref("things", "b")
Code = grpc.StatusCode


class Failure(grpc.RpcError):  # type: ignore[misc]
    def __init__(self, code: grpc.StatusCode, text: str = "injected") -> None:
        self._code, self._text = code, text

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._text


class Faults(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):  # type: ignore[misc]
    """Stands between the store and the server: counts calls and fails some, before or behind the server."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.requests: list[Any] = []
        self.before: dict[str, list[Failure]] = {}
        self.behind: dict[str, list[Failure]] = {}
        self.then: dict[str, Callable[[], object]] = {}

    def intercept_unary_unary(self, proceed: Callable[..., Any], details: Any, request: Any) -> Any:
        name = self._enter(details, request)
        call = proceed(details, request)
        if self.behind.get(name):
            call.result()  # applied
            raise self.behind[name].pop(0)
        if name in self.then:
            call.result()
            self.then.pop(name)()
        return call

    def intercept_unary_stream(self, proceed: Callable[..., Any], details: Any, request: Any) -> Any:
        self._enter(details, request)
        return proceed(details, request)

    def _enter(self, details: Any, request: Any) -> str:
        name = details.method.rpartition("/")[2]
        self.calls[name] += 1
        self.requests.append(request)
        if self.before.get(name):
            raise self.before[name].pop(0)
        return str(name)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def documents(new_firestore: Callable[..., FirestoreDocuments], faults: Faults) -> Iterator[FirestoreDocuments]:
    store = new_firestore(channel=grpc.intercept_channel(firestore_calls.open_channel(), faults))
    yield store
    store.close()


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.adapters.documents.firestore.pause", lambda attempt: None)
    monkeypatch.setattr(firestore_calls, "pause", lambda attempt: None)


LOST = [Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.INTERNAL, Code.UNKNOWN, Code.CANCELLED]


@pytest.mark.parametrize("code", LOST)
@pytest.mark.parametrize("checks", [(), (Check(B, None),)])
def test_a_commit_may_be_applied_and_its_answer_lost(
    documents: FirestoreDocuments, faults: Faults, code: grpc.StatusCode, checks: tuple[Check, ...]
) -> None:
    """Not known, sent once, and applied. A repetition inside would have been refused, which would be a lie."""
    faults.behind["Commit"] = [Failure(code)]
    with pytest.raises(CommitUnknownError, match=code.name):
        documents.commit([Create(A, {"n": 1})], checks)
    assert faults.calls["Commit"] == 1
    found = documents.get(A)
    assert found is not None
    assert found.data == {"n": 1}
    with pytest.raises(CommitRefusedError):
        documents.commit([Create(A, {"n": 1})], checks)


@pytest.mark.parametrize("code", LOST)
def test_a_commit_may_never_arrive(documents: FirestoreDocuments, faults: Faults, code: grpc.StatusCode) -> None:
    faults.before["Commit"] = [Failure(code)]
    with pytest.raises(CommitUnknownError):
        documents.commit([Create(A, {})])
    assert faults.calls["Commit"] == 1
    assert documents.get(A) is None


@pytest.mark.parametrize("code", [Code.PERMISSION_DENIED, Code.UNAUTHENTICATED, Code.RESOURCE_EXHAUSTED])
def test_a_commit_that_was_not_taken(documents: FirestoreDocuments, faults: Faults, code: grpc.StatusCode) -> None:
    faults.before["Commit"] = [Failure(code)]
    with pytest.raises(DocumentsUnavailableError, match="injected"):
        documents.commit([Create(A, {})])
    assert faults.calls["Commit"] == 1


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("checks", [(), (Check(B, None),)])
def test_contention_is_waited_out(documents: FirestoreDocuments, faults: Faults, checks: tuple[Check, ...]) -> None:
    """Nothing was applied: the commit, or its whole transaction, is tried again, but not for ever."""
    expired = Failure(Code.INVALID_ARGUMENT, "The referenced transaction has expired or is no longer valid.")
    faults.before["Commit"] = [Failure(Code.ABORTED), expired, Failure(Code.ABORTED)]
    documents.commit([Create(A, {"n": 1})], checks)
    assert faults.calls["Commit"] == 4
    assert faults.calls["BatchGetDocuments"] == (4 if checks else 0)
    faults.before["Commit"] = [Failure(Code.ABORTED)] * 50
    with pytest.raises(CommitRefusedError) as refused:
        documents.commit([Update(A, {"n": 2}, None)], checks)
    assert refused.value.conflicts == ()
    assert faults.calls["Commit"] <= 12


@pytest.mark.usefixtures("no_wait")
def test_what_is_checked_may_change_between_two_attempts(documents: FirestoreDocuments, faults: Faults) -> None:
    revisions = documents.commit([Create(A, {"n": 1}), Create(B, {"n": 1})])
    faults.before["Commit"] = [Failure(Code.ABORTED)]
    faults.then["Rollback"] = lambda: documents.commit([Update(B, {"n": 2}, None)])
    with pytest.raises(CommitRefusedError) as refused:
        documents.commit([Update(A, {"n": 2}, revisions[0])], [Check(B, revisions[1])])
    assert refused.value.conflicts == (B,)
    assert [document and document.data["n"] for document in documents.get_many([A, B])] == [1, 2]


@pytest.mark.usefixtures("no_wait")
def test_reads_are_repeated_a_few_times(documents: FirestoreDocuments, faults: Faults) -> None:
    documents.commit([Create(A, {"n": 1})])
    reads: dict[str, Callable[[], object]] = {
        "BatchGetDocuments": lambda: documents.get(A),
        "RunQuery": lambda: documents.query(Query(collection="things")),
        "RunAggregationQuery": lambda: documents.sum(Query(collection="things"), ["n"]),
    }
    for name, read in reads.items():
        faults.before[name] = [Failure(Code.UNAVAILABLE), Failure(Code.INTERNAL)]
        assert read()
        assert not faults.before[name]
        faults.before[name] = [Failure(Code.UNAVAILABLE)] * 50
        with pytest.raises(DocumentsUnavailableError, match="injected"):
            read()
        assert len(faults.before[name]) > 40
        faults.before[name] = [Failure(Code.PERMISSION_DENIED)]
        with pytest.raises(DocumentsUnavailableError):
            read()
        faults.before[name] = []


def test_all_that_is_known_to_be_in_the_way_is_named(documents: FirestoreDocuments) -> None:
    (old,) = documents.commit([Create(A, {"n": 1})])
    documents.commit([Update(A, {"n": 2}, old)])
    for write in (Create(A, {}), Update(A, {"n": 3}, old), Delete(A, old), Update(A, {"n": 3}, "not a time")):
        with pytest.raises(CommitRefusedError, match="things/a") as refused:
            documents.commit([Create(B, {}), write])
        assert refused.value.conflicts == (A,)
    for absent in (Update(B, {"n": 3}, None), Update(B, {"n": 3}, old), Delete(B, old)):
        with pytest.raises(CommitRefusedError, match="things/b") as refused:
            documents.commit([absent, Update(A, {"n": 3}, None)])
        assert refused.value.conflicts == (B,)


def test_a_write_that_changes_nothing_keeps_the_revision(documents: FirestoreDocuments) -> None:
    """Why a caller who relies on the revision always changes a field."""
    (old,) = documents.commit([Create(A, {"n": 1})])
    assert documents.commit([Update(A, {"n": 1}, old)]) == [old]
    assert documents.commit([Update(A, {}, old)]) == [old]
    assert documents.commit([Update(A, {"n": 2}, old)]) != [old]


def test_a_request_beyond_what_the_server_takes(documents: FirestoreDocuments) -> None:
    """Negative integers take more on the wire than by Firestore's count: the server refuses, and it is told as such."""
    writes = [Create(Ref("things", f"{n}"), {"x": [-1] * 120_000}) for n in range(3)]
    with pytest.raises(InvalidDocumentError, match="4194304"):
        documents.commit(writes)
    assert documents.count(Query(collection="things")) == 0


def test_a_commit_of_one_round_trip_and_a_checked_one_of_two(documents: FirestoreDocuments, faults: Faults) -> None:
    (old,) = documents.commit([Create(A, {"large": b"x" * 1000})])
    assert faults.calls == {"Commit": 1}
    documents.commit([Create(B, {})], [Check(A, old)])
    assert faults.calls == {"Commit": 2, "BatchGetDocuments": 1}
    assert list(faults.requests[-2].mask.field_paths) == ["__name__"]


def test_ids_alone_are_read_where_ids_are_wanted(documents: FirestoreDocuments, faults: Faults) -> None:
    documents.commit([Create(A, {"n": 1, "blob": b"x" * 1000})])
    documents.query(Query(collection="things", where=(Filter("n", "==", 1),), select=()))
    assert [field.field_path for field in faults.requests[-1].structured_query.select.fields] == ["__name__"]


def test_databases_are_apart(new_firestore: Callable[..., FirestoreDocuments]) -> None:
    first, second = new_firestore("one-project", database="first"), new_firestore("one-project", database="second")
    first.commit([Create(A, {"n": 1})])
    assert second.get(A) is None
    assert first.get(A) is not None
    first.close()
    second.close()


def test_a_closed_store(documents: FirestoreDocuments) -> None:
    documents.close()
    for call in (
        lambda: documents.get(A),
        lambda: documents.query(Query(collection="things")),
        lambda: documents.commit([Create(A, {})]),
        lambda: documents.commit([Create(A, {})], [Check(B, None)]),
    ):
        with pytest.raises(DocumentsUnavailableError, match="closed"):
            call()


@pytest.mark.usefixtures("no_wait")
def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{taken.getsockname()[1]}")
        documents = FirestoreDocuments("project")
        with pytest.raises(DocumentsUnavailableError):
            documents.get(A)
        with pytest.raises(CommitUnknownError):
            documents.commit([Create(A, {})])
        documents.close()


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("FIRESTORE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    with pytest.raises(DocumentsUnavailableError, match="credentials"):
        FirestoreDocuments("project")
