"""An object as a stream: piece by piece at one version, so that memory is bounded and nothing is held for long."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from shared.errors import StoreUnavailableError
from shared.model import media_types
from shared.model.storage import Storage
from shared.ports import ObjectStore, Stat
from shared.services.context import Context


@dataclass(frozen=True, slots=True)
class Media:
    """An object that can be read."""

    store: ObjectStore
    key: str
    stat: Stat

    @property
    def size(self) -> int:
        """In bytes."""
        return self.stat.info.size

    @property
    def content_type(self) -> str:
        """What the store says, or else what its name does."""
        return media_types.displayed(self.key, self.stat.content_type)

    @property
    def tag(self) -> str:
        """Equal for equal versions; short, and of characters that a header can hold."""
        return hashlib.blake2b(f"{self.stat.version} {self.size}".encode(), digest_size=12).hexdigest()


def find(ctx: Context, storage: Storage, key: str) -> Media:
    """Looks at an object. Raises `StoreError`, `ObjectNotFoundError` for one that is not there."""
    store = ctx.open_store(storage)
    return Media(store, key, store.stat(key))


def pieces(ctx: Context, media: Media, start: int, stop: int) -> Iterator[bytes]:
    """The bytes from `start` up to `stop`, all of the version that was looked at; the next piece is read meanwhile.

    Holds two pieces at most. Raises `StoreError` in the midst where they can't be had any more.
    """
    ahead = _ask(ctx, media, start, stop) if start < stop else None
    while ahead is not None:
        piece = ahead.result()
        start += len(piece)
        if not piece:
            raise StoreUnavailableError("The object ended before its size")
        ahead = _ask(ctx, media, start, stop) if start < stop else None
        yield piece


def _ask(ctx: Context, media: Media, start: int, stop: int) -> "Future[bytes]":
    length = min(ctx.settings.media_piece_bytes, stop - start)
    if ctx.fetchers is not None:
        return ctx.fetchers.submit(media.store.read, media.key, media.stat.version, offset=start, length=length)
    done: Future[bytes] = Future()
    done.set_result(media.store.read(media.key, media.stat.version, offset=start, length=length))
    return done
