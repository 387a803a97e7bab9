"""Reads how large images are: their first bytes, of many at once, pinned to the version that was listed."""

from collections.abc import Sequence

from shared.errors import (
    AccessDeniedError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
    VersionMismatchError,
)
from shared.log import logger
from shared.model import media_types
from shared.model.image_size import UNTOLD, Size, size_of
from shared.model.ledger import Entry, Ledger
from shared.ports import ObjectStore
from shared.services.context import Context

STEPS = (2 * 1024, 16 * 1024, 64 * 1024)
"""Bytes after which a size is looked for: most images tell in the first 2 KiB, those of cameras in 64."""
ROUNDS = 4
"""Images for each fetcher between two looks at the clock."""
FIRST = 4
"""Images that are tried first: where none of them can be read, the others are left alone."""


class Sizes:
    """Sizes of a chunk's images. An image that does not tell its size is a record all the same."""

    def __init__(self, ctx: Context, store: ObjectStore, deadline: float) -> None:
        self.ctx = ctx
        self.store = store
        self.deadline = deadline

    def read_into(self, ledger: Ledger) -> bool:
        """Puts sizes into the entries of images that nobody looked at yet; False: time ran out before the last.

        What was replaced or removed since it was listed, or may not be read, is left for the next sync. Raises
        `StoreUnavailableError`, with what was read before in the ledger.
        """
        todo = [entry for entry in ledger.values() if entry.width is None and _is_image(entry)]
        group = FIRST
        while todo:
            told = [(entry, size) for entry, size in self._sizes(todo[:group]) if size is not None]
            if not told:
                logger.warning("images can't be read", action="dataset.sizes", key=todo[0].key)
                return True
            for entry, size in told:
                ledger[entry.key] = entry._replace(width=size.width, height=size.height)
            todo, group = todo[group:], ROUNDS * self.ctx.settings.fetch_parallel
            if todo and self.ctx.out_of_time(self.deadline):
                return False
        return True

    def _sizes(self, entries: Sequence[Entry]) -> list[tuple[Entry, Size | None]]:
        fetchers = self.ctx.fetchers
        found = fetchers.map(self._size, entries) if fetchers else map(self._size, entries)
        return list(zip(entries, found, strict=True))

    def _size(self, entry: Entry) -> Size | None:
        """None where it can't be told now, but perhaps later."""
        head = b""
        for end in STEPS:
            try:
                head += self.store.read(entry.key, entry.version, offset=len(head), length=end - len(head))
            except (ObjectNotFoundError, VersionMismatchError, AccessDeniedError):
                return None
            except StoreUnavailableError:
                raise
            except StoreError:
                return UNTOLD
            size = size_of(head)
            if size is not None:
                return size
            if len(head) < end:
                break
        return UNTOLD


def _is_image(entry: Entry) -> bool:
    return entry.state != "failed" and media_types.displayed(entry.key, entry.content_type).startswith("image/")
