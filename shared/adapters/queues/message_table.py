"""The state of the embedded queue: the messages, the names that were used and the paused queues, in one SQLite file.

A message is a row for life: waiting, being executed, and, once delivered or purged (`gone`), the tombstone of its name.
`due` is when it may be taken next: for a message that is being executed, that is when its attempt is given up.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from shared.errors import QueueUnavailableError
from shared.ports import Message, MessageState

# AUTOINCREMENT: an id is never used again, so a very late result can't hit another message.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS queue (name TEXT PRIMARY KEY, paused INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    name TEXT NOT NULL,
    target TEXT NOT NULL,
    body BLOB NOT NULL,
    due REAL NOT NULL,
    executing INTEGER NOT NULL DEFAULT 0,
    dispatches INTEGER NOT NULL DEFAULT 0,
    responses INTEGER NOT NULL DEFAULT 0,
    last_status INTEGER,
    gone REAL,
    UNIQUE (queue, name)
);
CREATE INDEX IF NOT EXISTS message_due ON message (queue, due) WHERE gone IS NULL;
CREATE INDEX IF NOT EXISTS message_gone ON message (gone) WHERE gone IS NOT NULL;
"""

# One look at the head of each queue: the backlog of a paused queue costs the others nothing.
_HEAD = """
SELECT m.id, m.dispatches, m.queue, m.name, m.target, m.body, m.due, m.responses, m.last_status
FROM queue q JOIN message m ON m.id =
    (SELECT id FROM message WHERE queue = q.name AND gone IS NULL ORDER BY due, id LIMIT 1)
WHERE NOT q.paused AND q.name NOT IN (SELECT value FROM json_each(?)) ORDER BY m.due, m.id LIMIT 1
"""

_TAKE = "UPDATE message SET executing = 1, dispatches = dispatches + 1, due = ? WHERE id = ?"

# Only the current attempt may end a message or put it back.
_ACKNOWLEDGE = """
UPDATE message SET executing = 0, gone = ?, body = x''
WHERE id = ? AND dispatches = ? AND executing AND gone IS NULL
"""
_RETRY = """
UPDATE message SET executing = 0, responses = responses + 1, last_status = ?, due = ?
WHERE id = ? AND dispatches = ? AND executing AND gone IS NULL
"""

_FORGET = "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE gone < ? ORDER BY gone LIMIT ?)"

_SLICE = 1_000
"""Names forgotten per transaction."""


class Attempt(NamedTuple):
    """A message as taken for execution. `id` and `number` are the token: a result counts only while both are current.

    `number` is the count of dispatches including this one, `responses` that of the answers before it.
    """

    id: int
    number: int
    queue: str
    name: str
    target: str
    body: bytes
    due: float
    responses: int
    last_status: int | None


class MessageTable:
    """Messages on one connection; callers take turns (the queue's lock). Time is passed in.

    Raises `QueueUnavailableError` when SQLite refuses, also after `close`.
    """

    def __init__(self, path: str, queues: Sequence[str], now: float) -> None:
        """Opens or creates the file; what was being executed when it was last used is due at once."""
        with _reported():
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            with _reported():
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.executescript(_SCHEMA)
            with self._transaction():
                self._db.executemany(
                    "INSERT INTO queue (name) VALUES (?) ON CONFLICT DO NOTHING", [(q,) for q in queues]
                )
                self._write("UPDATE message SET executing = 0, due = ? WHERE executing AND gone IS NULL", now)
        except BaseException:
            self._db.close()
            raise

    def insert(self, message: Message, due: float) -> bool:
        """Adds a message. False: its name is in the table already."""
        insert = "INSERT INTO message (queue, name, target, body, due) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        return self._write(insert, message.queue, message.name, message.target, message.body, due) == 1

    def take(self, now: float, until: float, leaving: Sequence[str] = ()) -> Attempt | None:
        """Takes the message that has been due the longest; after `until` it may be taken again.

        Queues of `leaving` are left alone.
        """
        with self._transaction():
            head = self._head(leaving)
            if head is None or head.due > now:
                return None
            self._write(_TAKE, until, head.id)
        return head._replace(number=head.number + 1)

    def next_due(self, leaving: Sequence[str] = ()) -> float | None:
        """When the next message of other queues may be taken (perhaps in the past), None without any."""
        head = self._head(leaving)
        return None if head is None else head.due

    def acknowledge(self, attempt: Attempt, now: float) -> None:
        """Ends a message; its name stays used."""
        self._write(_ACKNOWLEDGE, now, attempt.id, attempt.number)

    def retry(self, attempt: Attempt, status: int, due: float) -> None:
        """Puts a message back. Nothing happens if it was purged or taken again meanwhile."""
        self._write(_RETRY, status, due, attempt.id, attempt.number)

    def state(self, queue: str, name: str) -> MessageState:
        """What is known of a name."""
        select = "SELECT dispatches, last_status FROM message WHERE queue = ? AND name = ? AND gone IS NULL"
        rows = self._read(select, queue, name)
        return MessageState(False, *rows[0]) if rows else MessageState(True)

    def set_paused(self, queue: str, paused: bool) -> None:
        """Whether messages of the queue may be taken."""
        self._write("UPDATE queue SET paused = ? WHERE name = ?", paused, queue)

    def purge(self, queue: str, now: float) -> None:
        """Ends every message of the queue, those being executed too."""
        self._write("UPDATE message SET gone = ?, body = x'' WHERE queue = ? AND gone IS NULL", now, queue)

    def forget(self, before: float) -> bool:
        """Frees some of the names whose message ended before then. False: that was the last of them."""
        return self._write(_FORGET, before, _SLICE) == _SLICE

    def checkpoint(self) -> None:
        """Moves the write-ahead log into the file and empties it."""
        self._read("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Closes the file; may be called twice."""
        self._db.close()

    def _head(self, leaving: Sequence[str]) -> Attempt | None:
        rows = self._read(_HEAD, json.dumps(leaving))
        return Attempt(*rows[0]) if rows else None

    def _read(self, sql: str, *values: Any) -> list[Any]:
        with _reported():
            # Read to the end: an open cursor would hold a read transaction, and with it the log.
            return self._db.execute(sql, values).fetchall()

    def _write(self, sql: str, *values: Any) -> int:
        with _reported():
            return self._db.execute(sql, values).rowcount

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _reported():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise QueueUnavailableError(detail=str(error)) from error
