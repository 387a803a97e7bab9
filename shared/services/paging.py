"""Numbered pages over a store that only knows cursors."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Any

from shared.ports import Document, DocumentStore, Query

MAX_LISTS = 200
MAX_PAGES = 10_000
"""Cursors kept for one list."""
LIFE = 300.0
"""Seconds a cursor is trusted: pages are numbered from the start, which moves when something is added or deleted."""
STRIDE = 1000
"""Documents skipped at once."""

Cursor = tuple[Any, ...]


class Pages:
    """Finds pages by number. Who reads one after another pays for no page twice: where the next begins is remembered.

    A jump ahead skips what lies between, by ids and order alone. Reading one after another, nothing is missed and
    nothing seen twice, also while others add and delete.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lists: OrderedDict[Query, dict[int, tuple[Cursor, float]]] = OrderedDict()
        self._lock = Lock()

    def read(self, documents: DocumentStore, query: Query, page: int, count: Callable[[], int]) -> list[Document]:
        """The page, counted from 1; empty behind the end. `query.limit` is the size of a page.

        `count` tells how many documents there are; it is asked before anything is skipped.
        """
        known, cursor = self._nearest(query, page)
        if known < page:
            if (page - 1) * query.limit >= count():
                return []
            cursor = self._skip(documents, query, cursor, (page - known) * query.limit)
            if cursor is None:
                return []
            self._remember(query, page, cursor)
        found = documents.query(replace(query, after=cursor))
        if len(found) == query.limit:
            self._remember(query, page + 1, query.cursor(found[-1]))
        return found

    def _nearest(self, query: Query, page: int) -> tuple[int, Cursor | None]:
        """The page itself or the nearest before it of which the cursor is known; the first has none."""
        oldest = self._clock() - LIFE
        with self._lock:
            pages = self._lists.get(query, {})
            if page in pages and pages[page][1] >= oldest:
                return page, pages[page][0]
            best = max((p for p, (_, since) in pages.items() if p < page and since >= oldest), default=1)
            return best, pages[best][0] if best > 1 else None

    @staticmethod
    def _skip(documents: DocumentStore, query: Query, cursor: Cursor | None, number: int) -> Cursor | None:
        """The cursor so many documents on, None behind the end."""
        names = tuple(field.removeprefix("-") for field in query.order)
        while number:
            wanted = min(number, STRIDE)
            walked = documents.query(replace(query, after=cursor, limit=wanted, select=names))
            if len(walked) < wanted:
                return None
            cursor = query.cursor(walked[-1])
            number -= wanted
        return cursor

    def _remember(self, query: Query, page: int, cursor: Cursor) -> None:
        with self._lock:
            pages = self._lists.setdefault(query, {})
            self._lists.move_to_end(query)
            if len(pages) >= MAX_PAGES:
                pages.clear()
            pages[page] = cursor, self._clock()
            while len(self._lists) > MAX_LISTS:
                self._lists.popitem(last=False)
