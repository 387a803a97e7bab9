"""Applies the writes of one commit inside a transaction, with few statements for many documents."""

import sqlite3
from collections.abc import Sequence

from shared.adapters.documents.sqlite_codec import pack, unpack
from shared.adapters.documents.values import size_of
from shared.ports import Check, Create, Delete, Ref, Update, Write

_FIND = "SELECT revision FROM documents WHERE collection = ? AND id = ?"


class Batch:
    """The writes and checks of one commit, with everything done that needs no database."""

    def __init__(self, writes: Sequence[Write], checks: Sequence[Check]) -> None:
        self._creates = [(*write.ref, *pack(write.data)) for write in writes if isinstance(write, Create)]
        self._updates = [write for write in writes if isinstance(write, Update)]
        self._deletes = [write for write in writes if isinstance(write, Delete)]
        self._writes = writes
        self._checks = checks

    def apply(self, connection: sqlite3.Connection) -> int | None:
        """Writes, and returns the new revision; None if an expectation does not hold (the caller rolls back)."""
        for check in self._checks:
            if _revision(connection, check.ref) != check.revision:
                return None
        # Never set back, so that a revision is not used twice whatever is deleted.
        ((revision,),) = connection.execute("UPDATE sequence SET value = value + 1 RETURNING value").fetchall()
        if self._create(connection, revision) and self._update(connection, revision) and self._delete(connection):
            return int(revision)
        return None

    def conflicts(self, connection: sqlite3.Connection) -> list[Ref]:
        """All documents in the way; for after the roll-back, while nobody else can write."""
        found = [check.ref for check in self._checks if _revision(connection, check.ref) != check.revision]
        for write in self._writes:
            now = _revision(connection, write.ref)
            if isinstance(write, Create):
                holds = now is None
            elif isinstance(write, Update):
                holds = now is not None and write.revision in (None, now)
            else:
                holds = write.revision in (None, now)
            if not holds:
                found.append(write.ref)
        return list(dict.fromkeys(found))

    def _create(self, connection: sqlite3.Connection, revision: int) -> bool:
        if not self._creates:
            return True
        # Ids that exist are skipped, and the count tells: no look-up for each document.
        written = connection.executemany(
            "INSERT INTO documents (collection, id, fields, blobs, revision) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (collection, id) DO NOTHING",
            [(*row, revision) for row in self._creates],
        )
        return written.rowcount == len(self._creates)

    def _update(self, connection: sqlite3.Connection, revision: int) -> bool:
        rows = []
        for ref, changes, expected in self._updates:
            found = connection.execute(
                "SELECT rowid, revision, fields, blobs FROM documents WHERE collection = ? AND id = ?", ref
            ).fetchall()
            if not found or expected not in (None, str(found[0][1])):
                return False
            rowid, _, text, joined = found[0]
            data = unpack(text, joined) | dict(changes)
            size_of(ref, data)
            rows.append((revision, *pack(data), rowid))
        if rows:
            connection.executemany("UPDATE documents SET revision = ?, fields = ?, blobs = ? WHERE rowid = ?", rows)
        return True

    def _delete(self, connection: sqlite3.Connection) -> bool:
        for ref, expected in self._deletes:
            if expected is not None and _revision(connection, ref) != expected:
                return False
        if self._deletes:
            connection.executemany(
                "DELETE FROM documents WHERE collection = ? AND id = ?", [write.ref for write in self._deletes]
            )
        return True


def _revision(connection: sqlite3.Connection, ref: Ref) -> str | None:
    rows = connection.execute(_FIND, ref).fetchall()
    return str(rows[0][0]) if rows else None
