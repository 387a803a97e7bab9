"""Which of SQLite's errors are the world's, and which are mistakes of ours."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from shared.errors import DocumentsUnavailableError

NOT_COMMITTED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})
"""A COMMIT that ends so has certainly written nothing."""

_OUTSIDE = NOT_COMMITTED | {
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}


@contextmanager
def translated() -> Iterator[None]:
    """Raises `DocumentsUnavailableError` for what can happen to a database; a mistake in our SQL stays what it is."""
    try:
        yield
    except sqlite3.Error as error:
        if primary_code(error) not in _OUTSIDE:
            raise
        raise DocumentsUnavailableError(detail=str(error)) from error


def primary_code(error: sqlite3.Error) -> int:
    """What went wrong, without the where that extended codes add."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def roll_back(connection: sqlite3.Connection) -> None:
    """Ends a transaction if there is one; an error may have ended it already."""
    if connection.in_transaction:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
