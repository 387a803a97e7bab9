"""Numbered pages over a store that only knows cursors."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Any

from shared.ports import Document, DocumentStore, Query

CAPACITY = 10_000
LIFE = 300.0
"""Seconds a cursor is trusted: pages are numbered from the start, which moves when something is added or deleted."""
STRIDE = 1000
"""Documents skipped at once."""

_Place = tuple[Query, int]


class Pages:
    """Finds pages by number. Who reads one after another pays for no page twice: where the next begins is remembered.

    A jump ahead skips what lies between, by ids and order alone. Reading one after another, nothing is missed and
    nothing seen twice, also while others add and delete.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._cursors: OrderedDict[_Place, tuple[tuple[Any, ...], float]] = OrderedDict()
        self._lock = Lock()

    def read(self, documents: DocumentStore, query: Query, page: int) -> list[Document]:
        """The page, counted from 1; empty behind the end. `query.limit` is the size of a page."""
        start = self._start(documents, query, page)
        if start is None:
            return []
        found = documents.query(replace(query, after=start or None))
        if len(found) == query.limit:
            self._remember(query, page + 1, query.cursor(found[-1]))
        return found

    def _start(self, documents: DocumentStore, query: Query, page: int) -> tuple[Any, ...] | None:
        """The cursor of a page, () for the first, None if it lies behind the end."""
        known, cursor = page, ()
        while known > 1 and not (cursor := self._known(query, known)):
            known -= 1
        skip = (page - known) * query.limit
        names = tuple(field.removeprefix("-") for field in query.order)
        while skip:
            wanted = min(skip, STRIDE)
            walked = documents.query(replace(query, after=cursor or None, limit=wanted, select=names))
            if len(walked) < wanted:
                return None
            cursor = query.cursor(walked[-1])
            skip -= wanted
        if page > 1:
            self._remember(query, page, cursor)
        return cursor

    def _known(self, query: Query, page: int) -> tuple[Any, ...]:
        with self._lock:
            cursor, since = self._cursors.get((query, page), ((), 0.0))
            return cursor if cursor and self._clock() - since < LIFE else ()

    def _remember(self, query: Query, page: int, cursor: tuple[Any, ...]) -> None:
        with self._lock:
            self._cursors[query, page] = cursor, self._clock()
            self._cursors.move_to_end((query, page))
            while len(self._cursors) > CAPACITY:
                self._cursors.popitem(last=False)
