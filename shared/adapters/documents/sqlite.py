"""The embedded document store: one SQLite file, for one server on one machine."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from shared.adapters.documents.file_lock import lock_file
from shared.adapters.documents.indexes import Index
from shared.adapters.documents.sqlite_codec import unpack
from shared.adapters.documents.sqlite_errors import NOT_COMMITTED, primary_code, roll_back, translated
from shared.adapters.documents.sqlite_queries import (
    Statement,
    count_statement,
    index_statement,
    page_statements,
    sum_statement,
)
from shared.adapters.documents.sqlite_writes import Batch
from shared.adapters.documents.values import check_commit, is_ref
from shared.errors import CommitRefusedError, CommitUnknownError, DocumentsUnavailableError, SluiceError
from shared.ports import Check, Document, Query, Ref, Write

_MEMORY = ":memory:"
_MAX_REFS = 500
_BUSY_SECONDS = 5.0
_CHECKPOINT_PAGES = 16_000
"""Documents with random ids dirty a page each: a checkpoint that comes late writes a page once for many commits."""
_FORMAT = 1
# With a rowid, inserts append and only the small index over the ids is written at random places: two to three times
# the speed of WITHOUT ROWID, and what an index finds it can count without touching the document.
_SCHEMA = """
CREATE TABLE documents (
    collection TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL, fields TEXT NOT NULL, blobs BLOB,
    UNIQUE (collection, id)
);
CREATE TABLE sequence (value INTEGER NOT NULL);
INSERT INTO sequence VALUES (0);
PRAGMA user_version = 1;
"""


class SqliteDocuments:
    """Documents in one SQLite database.

    A commit survives the death of the process (kill -9). With `durable` it also survives a power failure, at the cost
    of a disk flush for each commit; without, the last commits before a power failure may be lost, whole and in order.
    A file belongs to one process at a time: a second one is refused with a `SluiceError`, until the first has ended.
    `path` may be ":memory:", which lives as long as the object does.
    `indexes` are created and dropped to match when the file is opened.
    """

    def __init__(self, path: str, *, indexes: Sequence[Index], durable: bool = False) -> None:
        self._path = path
        self._indexes = tuple(indexes)
        self._durable = durable
        self._lock = threading.Lock()  # holds the writer; in memory also each reader, as there is one connection
        self._idle: list[sqlite3.Connection] = []
        self._pool_lock = threading.Lock()
        self._closed = False
        self._file_lock = None if path == _MEMORY else lock_file(f"{path}.lock")
        try:
            with translated():
                self._writer = self._connect(writes=True)
                try:
                    _prepare(self._writer, self._indexes)
                except BaseException:
                    self._writer.close()
                    raise
        except BaseException:
            self._unlock_file()
            raise

    def get(self, ref: Ref) -> Document | None:
        """One document, or None."""
        with self._reading() as connection:
            return _read(connection, ref)

    def get_many(self, refs: Sequence[Ref]) -> list[Document | None]:
        """Many documents as they are at one moment, in the order asked for, None for each that is absent."""
        if len(refs) > _MAX_REFS:
            raise ValueError(f"At most {_MAX_REFS} documents can be read at once.")
        with self._reading(snapshot=True) as connection:
            return [_read(connection, ref) for ref in refs]

    def query(self, query: Query) -> list[Document]:
        """One page, as it is at one moment."""
        found: list[Document] = []
        with self._reading(snapshot=query.after is not None) as connection:
            for sql, values in page_statements(query, self._indexes):
                rows = connection.execute(f"{sql} LIMIT ?", (*values, query.limit - len(found))).fetchall()
                found += [
                    Document(Ref(query.collection, name), unpack(text, joined, query.select), str(revision))
                    for name, revision, text, joined in rows
                ]
                if len(found) >= query.limit:
                    break
        return found

    def count(self, query: Query) -> int:
        """How many documents match."""
        return int(self._row(count_statement(query, self._indexes))[0])

    def sum(self, query: Query, fields: Sequence[str]) -> dict[str, int]:
        """Sums of integer fields over all matching documents."""
        if not fields:
            return {}
        sums = self._row(sum_statement(query, fields, self._indexes))
        return {name: int(value) for name, value in zip(fields, sums, strict=True)}

    def commit(self, writes: Sequence[Write], checks: Sequence[Check] = ()) -> list[str]:
        """Applies all writes or none; the documents of a commit share its revision."""
        check_commit(writes, checks)
        batch = Batch(writes, checks)
        with self._lock, translated():
            self._check_open()
            roll_back(self._writer)  # should the last one not have gone through
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                revision = batch.apply(self._writer)
            except BaseException:
                roll_back(self._writer)
                raise
            if revision is None:
                roll_back(self._writer)
                conflicts = batch.conflicts(self._writer)
                names = ", ".join("/".join(ref) for ref in conflicts[:3])
                raise CommitRefusedError(f"An expectation of the commit does not hold: {names}.", conflicts=conflicts)
            try:
                self._writer.execute("COMMIT")
            except sqlite3.Error as error:
                roll_back(self._writer)
                if primary_code(error) in NOT_COMMITTED:
                    raise
                raise CommitUnknownError(detail=str(error)) from error
        return [str(revision)] * len(writes)

    def maintain(self) -> None:
        """Moves the write-ahead log into the database and cuts it to nothing, or as far as readers let it at once."""
        if self._file_lock is None:
            return
        with self._lock, translated():
            self._check_open()
            self._writer.execute("PRAGMA busy_timeout = 100")
            try:
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.OperationalError as error:
                if primary_code(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise
            finally:
                self._writer.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")

    def close(self) -> None:
        """Closes the database and lets another process open it."""
        with self._lock:
            with self._pool_lock:
                self._closed = True
                idle, self._idle = self._idle, []
            for connection in idle:
                connection.close()
            self._writer.close()
            self._unlock_file()

    def _row(self, statement: Statement) -> Any:
        with self._reading() as connection:
            return connection.execute(*statement).fetchall()[0]

    @contextmanager
    def _reading(self, *, snapshot: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection for this thread alone, all of whose reads see the same moment if wanted."""
        with translated():
            if self._file_lock is None:
                with self._lock:
                    self._check_open()
                    yield self._writer
                return
            connection = self._take()
            try:
                if snapshot:
                    connection.execute("BEGIN")
                yield connection
            finally:
                roll_back(connection)
                self._give_back(connection)

    def _take(self) -> sqlite3.Connection:
        with self._pool_lock:
            self._check_open()
            if self._idle:
                return self._idle.pop()
        return self._connect(writes=False)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._pool_lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _check_open(self) -> None:
        if self._closed:
            raise DocumentsUnavailableError("The document store was closed.")

    def _connect(self, *, writes: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        if self._file_lock is None:
            return connection
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA query_only = {int(not writes)}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _unlock_file(self) -> None:
        if self._file_lock is not None:
            self._file_lock.close()


def _read(connection: sqlite3.Connection, ref: Ref) -> Document | None:
    if not is_ref(ref):
        return None
    rows = connection.execute(
        "SELECT revision, fields, blobs FROM documents WHERE collection = ? AND id = ?", ref
    ).fetchall()
    return Document(ref, unpack(rows[0][1], rows[0][2]), str(rows[0][0])) if rows else None


def _prepare(connection: sqlite3.Connection, indexes: Sequence[Index]) -> None:
    """Creates the tables in a new file; brings the indexes to what is declared."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > _FORMAT:
        raise SluiceError("The document store was written by a newer version of Sluice; use that one.")
    script = [] if version else [_SCHEMA]
    wanted = {index.name: index_statement(index) for index in indexes}
    found = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"))
    script += [f'DROP INDEX "{name}";' for name, sql in found.items() if wanted.get(name) != sql]
    script += [f"{sql};" for name, sql in wanted.items() if found.get(name) != sql]
    if script:
        connection.executescript("\n".join(["BEGIN IMMEDIATE;", *script, "COMMIT;"]))
