"""Reads small objects ahead of their use, concurrently, under a budget of bytes and requests; keeps their order."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from shared.errors import ObjectNotFoundError, StoreError, StoreUnavailableError
from shared.log import logger
from shared.model.ledger import Todo
from shared.ports import ObjectStore
from shared.services.context import Context

GROUP = 8
"""Objects that one thread reads in turn: handing over each by itself costs as much as reading it."""

Fetched = tuple[Todo, bytes | StoreError | None]


def fetch(ctx: Context, store: ObjectStore, todos: Sequence[Todo]) -> Iterator[Fetched]:
    """Each todo with its object's bytes, pinned to the listed version, or the error that kept them from us.

    None for an object too big to be held: the caller streams it. At most `fetch_parallel` requests are under way, and
    `fetch_bytes` bytes (or one group) wait to be used.
    """
    big, parallel = ctx.settings.big_bytes, ctx.settings.fetch_parallel
    size = max(1, min(GROUP, len(todos) // parallel))
    window: deque[tuple[int, Future[list[Fetched]]]] = deque()
    held = 0
    try:
        for start in range(0, len(todos), size):
            group = todos[start : start + size]
            if ctx.fetchers is None:
                yield from _read(store, group, big)
                continue
            weight = sum(todo.listed.size for todo in group if todo.listed.size <= big)
            window.append((weight, ctx.fetchers.submit(_read, store, group, big)))
            held += weight
            while len(window) >= parallel or held > ctx.settings.fetch_bytes:
                first, future = window.popleft()
                yield from future.result()
                held -= first
        while window:
            yield from window.popleft()[1].result()
    finally:
        for _, future in window:
            future.cancel()


def _read(store: ObjectStore, group: Sequence[Todo], big: int) -> list[Fetched]:
    return [(todo, None if todo.listed.size > big else _read_one(store, todo)) for todo in group]


def _read_one(store: ObjectStore, todo: Todo) -> bytes | StoreError:
    try:
        return store.read(todo.listed.key, todo.listed.version)
    except StoreError as error:
        return error


def absent(ctx: Context, store: ObjectStore, keys: Sequence[str]) -> set[str]:
    """Which of the keys name no object, each asked for by itself; at most `fetch_parallel` requests are under way.

    What can't be told (no right to ask) counts as there. Raises the `StoreError` of a bucket that is out of reach.
    """
    if ctx.fetchers is None:
        return {key for key in keys if _is_absent(store, key)}
    gone: set[str] = set()
    parallel = ctx.settings.fetch_parallel
    for at in range(0, len(keys), parallel):
        some = keys[at : at + parallel]
        futures = [ctx.fetchers.submit(_is_absent, store, key) for key in some]
        gone.update(key for key, future in zip(some, futures, strict=True) if future.result())
    return gone


def _is_absent(store: ObjectStore, key: str) -> bool:
    try:
        store.stat(key)
    except ObjectNotFoundError:
        return True
    except StoreUnavailableError:
        raise
    except StoreError as error:
        store.check(key)
        logger.warning("can't tell whether an object is gone", action="object.stat", key=key, reason=str(error))
    return False
