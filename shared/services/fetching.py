"""Reads small objects ahead of their use, concurrently, under a budget of bytes and requests; keeps their order."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

from shared.errors import StoreError
from shared.model.ledger import Todo
from shared.ports import ObjectStore
from shared.services.context import Context


def fetch(ctx: Context, store: ObjectStore, todos: Iterable[Todo]) -> Iterator[tuple[Todo, bytes | StoreError | None]]:
    """Each todo with its object's bytes, pinned to the listed version, or the error that kept them from us.

    None for an object too big to be held: the caller streams it. At most `fetch_parallel` requests and `fetch_bytes`
    bytes are under way or waiting to be used.
    """
    big = ctx.settings.big_bytes
    if ctx.fetchers is None:
        for todo in todos:
            yield todo, None if todo.listed.size > big else _read(store, todo)
        return
    window: deque[tuple[Todo, Future[bytes | StoreError] | None]] = deque()
    held = 0
    try:
        for todo in todos:
            size = todo.listed.size
            window.append((todo, None if size > big else ctx.fetchers.submit(_read, store, todo)))
            held += 0 if size > big else size
            while len(window) >= ctx.settings.fetch_parallel or held > ctx.settings.fetch_bytes:
                first, future = window.popleft()
                held -= 0 if future is None else first.listed.size
                yield first, None if future is None else future.result()
        while window:
            first, future = window.popleft()
            yield first, None if future is None else future.result()
    finally:
        for _, future in window:
            if future is not None:
                future.cancel()


def _read(store: ObjectStore, todo: Todo) -> bytes | StoreError:
    try:
        return store.read(todo.listed.key, todo.listed.version)
    except StoreError as error:
        return error
