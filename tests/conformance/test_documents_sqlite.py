"""What is promised of the SQLite store alone: crashes, locks, the log, and how errors are told."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.documents.indexes import Index
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.errors import CommitRefusedError, CommitUnknownError, DocumentsUnavailableError, SluiceError
from shared.ports import Check, Create, Delete, Filter, Query, Ref, Update

A, B, C = Ref("things", "a"), Ref("things", "b"), Ref("others", "a")

INDEXES = [Index("things", ("kind",)), Index("others", ("kind", "-state"))]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "documents.db")


@pytest.fixture
def documents(path: str) -> Iterator[SqliteDocuments]:
    store = SqliteDocuments(path, indexes=INDEXES)
    yield store
    store.close()


_WRITER = """
import os, sys
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.ports import Create, Delete, Query, Ref, Update
store = SqliteDocuments(sys.argv[1], indexes=[])
start = store.count(Query(collection="batches"))
for batch in range(start, 1000000):
    store.commit([
        Create(Ref("batches", str(batch)), {}),
        Update(Ref("counters", "all"), {"batches": batch + 1}, None),
        *(Create(Ref("things", f"{batch}-{n}"), {"batch": batch, "x": os.urandom(300)}) for n in range(50)),
        *(Delete(Ref("things", f"{batch - 2}-{n}"), None) for n in range(50)),
    ])
    os.write(1, b".")
"""


def _start(script: str, *arguments: str) -> "subprocess.Popen[bytes]":
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_a_commit_is_whole_after_kill_9(path: str) -> None:
    with_counter = SqliteDocuments(path, indexes=[])
    with_counter.commit([Create(Ref("counters", "all"), {"batches": 0})])
    with_counter.close()
    last_revision = acknowledged = 0
    for commits in (1, 7, 40):
        with _start(_WRITER, path) as process:
            assert process.stdout is not None
            # It is in the midst of a later commit when it is killed.
            acknowledged += len(process.stdout.read(commits))
            process.send_signal(signal.SIGKILL)
            acknowledged += len(process.stdout.read())
        store = SqliteDocuments(path, indexes=[])
        counter = store.get(Ref("counters", "all"))
        assert counter is not None
        batches = counter.data["batches"]
        assert acknowledged <= batches
        acknowledged = batches
        assert store.count(Query(collection="batches")) == batches
        for batch in range(max(0, batches - 4), batches + 1):
            alive = batches - 2 <= batch < batches
            matching = Query(collection="things", where=(Filter("batch", "==", batch),))
            assert store.count(matching) == (50 if alive else 0)
        (revision,) = store.commit([Create(Ref("probes", str(commits)), {})])
        assert int(revision) > int(counter.revision) > last_revision
        last_revision = int(revision)
        store.close()


def test_a_second_process_is_refused(documents: SqliteDocuments, path: str) -> None:
    opening = (
        "import sys; from shared.adapters.documents.sqlite import SqliteDocuments;"
        "SqliteDocuments(sys.argv[1], indexes=[])"
    )
    with _start(opening, path) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"SluiceError: Another process (pid {os.getpid()}) uses this data directory." in said.decode()
    with pytest.raises(SluiceError, match=r"documents\.db\.lock"):
        SqliteDocuments(path, indexes=[])
    documents.close()
    SqliteDocuments(path, indexes=[]).close()


def test_everything_is_there_after_a_restart(path: str) -> None:
    store = SqliteDocuments(path, indexes=INDEXES, durable=True)
    (first,) = store.commit([Create(A, {"kind": "x", "data": b"1"})])
    (second,) = store.commit([Create(B, {})])
    store.commit([Delete(B, second)])
    store.close()
    store = SqliteDocuments(path, indexes=INDEXES)
    found = store.get(A)
    assert found is not None
    assert (found.data, found.revision) == ({"kind": "x", "data": b"1"}, first)
    assert store.commit([Create(B, {})])[0] not in (first, second)
    store.close()


def test_a_newer_file_is_left_alone(path: str) -> None:
    SqliteDocuments(path, indexes=[]).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SluiceError, match="newer"):
        SqliteDocuments(path, indexes=[])


def test_what_is_no_database(path: str, tmp_path: Path) -> None:
    Path(path).write_bytes(b"no database" * 1000)
    with pytest.raises(DocumentsUnavailableError):
        SqliteDocuments(path, indexes=[])
    with pytest.raises(DocumentsUnavailableError, match="absent"):
        SqliteDocuments(str(tmp_path / "absent" / "documents.db"), indexes=[])


def test_a_closed_store_says_so(path: str) -> None:
    for store in (SqliteDocuments(path, indexes=[]), SqliteDocuments(":memory:", indexes=[])):
        store.close()
        store.close()
        for call in (lambda: store.get(A), lambda: store.commit([Create(A, {})])):  # noqa: B023 - called at once
            with pytest.raises(DocumentsUnavailableError, match="closed"):
                call()


def test_every_conflict_is_named(documents: SqliteDocuments) -> None:
    old, _ = documents.commit([Create(A, {"n": 1}), Create(C, {})])
    documents.commit([Update(A, {"n": 2}, old)])
    absent = Ref("things", "absent")
    with pytest.raises(CommitRefusedError, match="things/absent, things/a, others/a") as refused:
        documents.commit([Create(B, {}), Update(A, {}, old), Create(C, {})], [Check(absent, old), Check(B, None)])
    assert refused.value.conflicts == (absent, A, C)


def test_the_log_is_cut_as_soon_as_readers_let_it(documents: SqliteDocuments, path: str) -> None:
    log = Path(f"{path}-wal")
    documents.commit([Create(A, {"x": b""})])
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM documents").fetchall()
    for n in range(50):
        documents.commit([Update(A, {"x": os.urandom(20_000), "n": n}, None)])
    documents.maintain()
    assert log.stat().st_size > 1_000_000
    reader.close()
    documents.maintain()
    assert log.stat().st_size == 0
    sizes = []
    for n in range(50):
        documents.commit([Update(A, {"x": os.urandom(20_000), "n": n}, None)])
        documents.query(Query(collection="things"))
        documents.maintain()
        sizes.append(log.stat().st_size)
    assert max(sizes) == 0


def test_a_full_disk(documents: SqliteDocuments) -> None:
    documents.commit([Create(A, {"n": 1})])
    (pages,) = documents._writer.execute("PRAGMA page_count").fetchone()
    documents._writer.execute(f"PRAGMA max_page_count = {pages + 5}").fetchall()
    with pytest.raises(DocumentsUnavailableError, match="full"):
        documents.commit([Update(A, {"n": 2}, None), Create(B, {"x": b"x" * 500_000})])
    found = documents.get(A)
    assert found is not None
    assert found.data == {"n": 1}
    documents.commit([Create(C, {})])


def test_a_locked_database(documents: SqliteDocuments, path: str) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    documents._writer.execute("PRAGMA busy_timeout = 1")
    with pytest.raises(DocumentsUnavailableError, match="locked"):
        documents.commit([Create(A, {})])
    documents.maintain()
    other.close()
    documents.commit([Create(A, {})])


class _Failing:
    """A connection whose COMMIT fails, before or after it took place."""

    def __init__(self, connection: sqlite3.Connection, code: int, *, applied: bool) -> None:
        self._connection = connection
        self._code = code
        self._applied = applied

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return self._connection.execute(sql, *values)
        if self._applied:
            self._connection.execute(sql)
        error = sqlite3.OperationalError("it went wrong")
        error.sqlite_errorcode = self._code
        raise error


@pytest.mark.parametrize("applied", [True, False])
def test_a_commit_whose_answer_is_lost(documents: SqliteDocuments, applied: bool) -> None:
    real = documents._writer
    documents._writer = _Failing(real, sqlite3.SQLITE_IOERR_FSYNC, applied=applied)  # type: ignore[assignment]
    with pytest.raises(CommitUnknownError, match="it went wrong"):
        documents.commit([Create(A, {})])
    documents._writer = real
    assert (documents.get(A) is not None) == applied
    documents.commit([Create(B, {})])


def test_a_commit_that_certainly_failed(documents: SqliteDocuments) -> None:
    real = documents._writer
    documents._writer = _Failing(real, sqlite3.SQLITE_FULL, applied=False)  # type: ignore[assignment]
    with pytest.raises(DocumentsUnavailableError):
        documents.commit([Create(A, {})])
    documents._writer = real
    assert documents.get(A) is None
    documents.commit([Create(A, {})])


def test_a_mistake_of_ours_is_no_outage(documents: SqliteDocuments) -> None:
    documents._writer.execute("DROP TABLE sequence")
    with pytest.raises(sqlite3.OperationalError, match="sequence"):
        documents.commit([Create(A, {})])
    assert documents.get(A) is None
