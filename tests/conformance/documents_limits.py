"""What every document store must do: limits, and many threads. Goes on from `documents`."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from shared.errors import CommitRefusedError, InvalidDocumentError
from shared.ports import (
    MAX_COMMIT_BYTES,
    MAX_COMMIT_WRITES,
    MAX_DOCUMENT_BYTES,
    Create,
    Delete,
    DocumentStore,
    Ref,
    Update,
    Value,
)
from tests.conformance.documents import A, B, data_of, put


def in_threads(*actions: Callable[[], object]) -> None:
    """Runs all at the same time; what one raises is raised here."""
    start = threading.Barrier(len(actions))
    raised: list[BaseException] = []

    def run(action: Callable[[], object]) -> None:
        try:
            start.wait(10)
            action()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if raised:
        raise raised[0]


class LimitContract:
    def test_a_commit_of_the_most_writes(self, documents: DocumentStore) -> None:
        refs = [Ref("things", f"{n}") for n in range(MAX_COMMIT_WRITES + 1)]
        with pytest.raises(InvalidDocumentError, match=f"{MAX_COMMIT_WRITES}"):
            documents.commit([Create(ref, {}) for ref in refs])
        assert documents.get(refs[0]) is None
        most = refs[:MAX_COMMIT_WRITES]
        assert len(documents.commit([Create(ref, {"n": 1}) for ref in most])) == MAX_COMMIT_WRITES
        assert len(documents.commit([Update(ref, {"n": 2}, None) for ref in most])) == MAX_COMMIT_WRITES
        assert all(document and document.data == {"n": 2} for document in documents.get_many(most))
        assert len(documents.commit([Delete(ref, None) for ref in most])) == MAX_COMMIT_WRITES
        assert documents.get_many(most) == [None] * MAX_COMMIT_WRITES

    @pytest.mark.parametrize("large", [b"x" * MAX_DOCUMENT_BYTES, "é" * (MAX_DOCUMENT_BYTES // 2), [1] * 130_000])
    def test_a_large_document(self, documents: DocumentStore, large: Value) -> None:
        with pytest.raises(InvalidDocumentError, match="things/a"):
            documents.commit([Create(B, {}), Create(A, {"large": large})])
        assert documents.get_many([A, B]) == [None, None]

    def test_a_document_that_grows_large(self, documents: DocumentStore) -> None:
        put(documents, A, first=b"x" * 600_000)
        with pytest.raises(InvalidDocumentError, match="things/a"):
            documents.commit([Create(B, {}), Update(A, {"second": b"x" * 600_000}, None)])
        assert data_of(documents, A) == {"first": b"x" * 600_000}
        assert documents.get(B) is None

    def test_a_large_commit(self, documents: DocumentStore) -> None:
        size = 500_000
        writes = [Create(Ref("things", f"{n}"), {"x": b"x" * size}) for n in range(MAX_COMMIT_BYTES // size + 1)]
        with pytest.raises(InvalidDocumentError, match=f"{MAX_COMMIT_BYTES}"):
            documents.commit(writes)
        assert documents.get(writes[0].ref) is None
        documents.commit(writes[:-2])

    @pytest.mark.parametrize(
        "value",
        [2**63, -(2**63) - 1, [2**63], float("nan"), float("inf"), "\ud800", ["\udfff"], {}, {"a": 1}, [[1]], [{}],
         [1, "a"], [None], [1.5], [True], (1, 2), {1}, Ellipsis, bytearray(b"x")],
        ids=repr,
    )  # fmt: skip
    def test_what_no_field_can_hold(self, documents: DocumentStore, value: Any) -> None:
        self._refused(documents, {"field": value}, "things/a.*field")

    @pytest.mark.parametrize("name", ["", "a.b", "__x__", "a b", "-a", "1a", "é", "`", "a" * 1501, "\ud800", 1])
    def test_what_no_field_can_be_called(self, documents: DocumentStore, name: Any) -> None:
        self._refused(documents, {name: 1}, "things/a")

    @pytest.mark.parametrize("name", ["", ".", "..", "a/b", "__x__", "x" * 1501, "é" * 751, "\ud800"])
    def test_what_no_document_can_be_called(self, documents: DocumentStore, name: str) -> None:
        for write in (Create(Ref("things", name), {}), Delete(Ref("things", name), None)):
            with pytest.raises(InvalidDocumentError):
                documents.commit([Create(B, {}), write])
        assert documents.get(B) is None

    @pytest.mark.parametrize("name", ["", ".", "a/b", "__x__", "a'b", "é", "\ud800"])
    def test_what_no_collection_can_be_called(self, documents: DocumentStore, name: str) -> None:
        with pytest.raises(InvalidDocumentError):
            documents.commit([Create(B, {}), Create(Ref(name, "a"), {})])
        assert documents.get_many([B, Ref(name, "a")]) == [None, None]

    @staticmethod
    def _refused(documents: DocumentStore, data: Mapping[str, Any], match: str) -> None:
        with pytest.raises(InvalidDocumentError, match=match):
            documents.commit([Create(B, {}), Create(A, data)])
        assert documents.get_many([A, B]) == [None, None]
        put(documents, A, n=1)
        with pytest.raises(InvalidDocumentError, match=match):
            documents.commit([Create(B, {}), Update(A, data, None)])
        assert data_of(documents, A) == {"n": 1}
        assert documents.get(B) is None


class ConcurrencyContract:
    threads = 4
    """An adapter whose server crawls under contention may take two."""
    increments = 25

    def test_compare_and_swap_loses_nothing(self, documents: DocumentStore) -> None:
        put(documents, A, n=0)

        def increment() -> None:
            left = self.increments
            while left:
                found = documents.get(A)
                assert found is not None
                try:
                    documents.commit([Update(A, {"n": found.data["n"] + 1}, found.revision)])
                except CommitRefusedError:
                    continue
                left -= 1

        in_threads(*[increment] * self.threads)
        assert data_of(documents, A) == {"n": self.threads * self.increments}

    def test_each_revision_has_one_winner(self, documents: DocumentStore) -> None:
        """20 threads read a revision and write on top of it at the same time; then again.

        Each writes what nobody wrote before: what changes nothing may keep the revision, and win twice.
        """
        revision = put(documents, A, by=-1)
        for turn in range(3):
            won: list[tuple[int, str]] = []

            def swap(name: int, old: str = revision, won: list[tuple[int, str]] = won) -> None:
                with suppress(CommitRefusedError):
                    won += [(name, new) for new in documents.commit([Update(A, {"by": name}, old)])]

            in_threads(*(partial(swap, 20 * turn + name) for name in range(20)))
            ((winner, revision),) = won
            found = documents.get(A)
            assert found is not None
            assert (found.data["by"], found.revision) == (winner, revision)

    def test_one_of_two_creators_wins(self, documents: DocumentStore) -> None:
        refs = [Ref("things", f"{n}") for n in range(5)]
        won: list[tuple[str, Ref]] = []

        def create(name: str, order: Sequence[Ref]) -> None:
            for ref in order:
                try:
                    put(documents, ref, by=name)
                except CommitRefusedError:
                    continue
                won.append((name, ref))

        in_threads(lambda: create("x", refs), lambda: create("y", refs))
        assert sorted(ref for _, ref in won) == refs
        assert all(data_of(documents, ref) == {"by": name} for name, ref in won)

    def test_reads_see_what_another_thread_committed(self, documents: DocumentStore) -> None:
        written, read = threading.Event(), threading.Event()

        def write() -> None:
            for n in range(5):
                documents.commit([Create(Ref("things", f"{n}"), {"n": n})])
                written.set()
                assert read.wait(30)
                read.clear()

        def follow() -> None:
            for n in range(5):
                assert written.wait(30)
                written.clear()
                assert documents.get(Ref("things", f"{n}")) is not None
                read.set()

        in_threads(write, follow)
