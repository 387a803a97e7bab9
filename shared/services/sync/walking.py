"""Walks a listing: in order, restricted to a chunk's range, carried on from chunk to chunk where it can't seek.

And decides how much of it fits into one chunk.
"""

from collections.abc import Callable, Iterator

from shared.errors import ListingOrderError
from shared.model.sidecars import group
from shared.model.storage import Scope
from shared.ports import ObjectInfo, ObjectStore
from shared.settings import Settings

LISTED_PER_CHUNK = 20
"""A chunk is cut, too, when so many times its target of keys were listed, however few of them are wanted."""
END: list[ObjectInfo] = []
"""Returned by an exhausted listing; told from an empty page by identity."""
BYTES_PER_ENTRY = 64
"""Worst case of a ledger entry besides its key."""


class Walk:
    """A listing that is asked for one range after the other.

    Going on where the last range ended costs nothing more. Anything else starts a new listing: at the key if the
    store can seek, else from the beginning, passing over what lies before. What is carried on was listed earlier, so
    a chunk whose hint was just taken needs a `Walk` of its own.
    """

    def __init__(self, store: ObjectStore, scope: Scope) -> None:
        self.store = store
        self.scope = scope
        self._pages: Iterator[list[ObjectInfo]] | None = None
        self._rest: list[ObjectInfo] = []
        self._at: bytes | None = None
        """Everything up to this sort key was delivered or passed over."""

    def pages(self, after: str, until: str | None) -> Iterator[list[ObjectInfo]]:
        """The objects of `(after, until]`, a page at a time; pages may be empty.

        Raises `ListingOrderError` if the store's listing steps back.
        """
        sort_key = self.store.sort_key
        low = sort_key(after) if after else b""
        high = None if until is None else sort_key(until)
        if self._pages is None or self._at is None or low < self._at or (self.store.seek and low != self._at):
            start = after if self.store.seek else ""
            self._pages = self.store.pages(self.scope.prefix, start, recursive=self.scope.recursive)
            self._rest, self._at = [], b""
        last = self._at or b""
        while True:
            page = self._rest or next(self._pages, END)
            self._rest = []
            if page is END:
                self._pages, self._at = iter(()), last  # ended cleanly: nothing lies behind, for any later range
                return
            inside: list[ObjectInfo] = []
            for index, info in enumerate(page):
                key = sort_key(info.key)
                if high is not None and key > high:
                    self._rest, self._at = page[index:], high
                    yield inside
                    return
                if key <= last and not info.problem:  # the key of an unreadable object is only a stand-in
                    raise ListingOrderError(
                        f"{self.store.uri(info.key)} was listed behind a key that sorts after it; "
                        "this store can't be synced as it is."
                    )
                last = key
                if key > low:
                    inside.append(info)
                if key == high:
                    self._rest, self._at = page[index + 1 :], key
                    yield inside
                    return
            self._at = last
            yield inside


class Pending:
    """What was listed of a chunk's range so far, and where to cut when it no longer fits.

    A range fits up to twice the target of entries, of bytes and of listed keys; what is cut off is one target's worth,
    so a full chunk that grows by one object is not cut at once. Objects and their sidecars are not cut apart, unless
    more than fit begin alike.
    """

    def __init__(self, settings: Settings, scope: Scope) -> None:
        self.wanted: list[ObjectInfo] = []
        """What is taken, sidecars among it."""
        self.listed = 0
        self._settings = settings
        self._wants = scope.concerns
        self._group: Callable[[str], str] = group if scope.sidecars else lambda key: key
        self._last = ""
        self._sizes: list[int] = []
        self._ordinals: list[int] = []
        self._size = 0
        self._mark: tuple[int, int, str] | None = None
        """Where a full chunk ends: wanted and listed objects before it, and the last key of it."""
        self._anywhere: tuple[int, int, str] | None = None
        """The same, where it would end if nothing belonged together."""

    def add(self, info: ObjectInfo) -> str | None:
        """Takes the next listed object; returns the key up to which to cut if the range does not fit, else None."""
        if self._mark is None and self._holds(1):
            here = (len(self.wanted), self.listed, self._last)
            self._anywhere = self._anywhere or here
            if self._group(info.key) != self._group(self._last):
                self._mark = here
        self.listed += 1
        self._last = info.key
        if self._wants(info.key):
            size = len(info.key.encode("utf-8", "surrogatepass")) + BYTES_PER_ENTRY
            self.wanted.append(info)
            self._sizes.append(size)
            self._ordinals.append(self.listed)
            self._size += size
        if not self._holds(2, more=1):
            return None
        wanted, listed, key = self._mark or self._anywhere or (len(self.wanted), self.listed, info.key)
        self._drop(wanted, listed)
        return key

    def _holds(self, times: int, *, more: int = 0) -> bool:
        """Whether there is so many times the target of anything, or more than that."""
        settings = self._settings
        return (
            len(self.wanted) >= times * settings.chunk_target + more
            or self._size >= times * settings.chunk_bytes + more
            or self.listed >= times * LISTED_PER_CHUNK * settings.chunk_target + more
        )

    def _drop(self, wanted: int, listed: int) -> None:
        """Forgets what was cut off, and marks the next cut in what remains."""
        self.wanted, self._sizes = self.wanted[wanted:], self._sizes[wanted:]
        self._ordinals = [ordinal - listed for ordinal in self._ordinals[wanted:]]
        self.listed -= listed
        self._size = sum(self._sizes)
        self._mark = self._anywhere = None
        size = 0
        for index, info in enumerate(self.wanted[:-1]):
            size += self._sizes[index]
            if index + 1 >= self._settings.chunk_target or size >= self._settings.chunk_bytes:
                here = (index + 1, self._ordinals[index], info.key)
                self._anywhere = self._anywhere or here
                if self._group(info.key) != self._group(self.wanted[index + 1].key):
                    self._mark = here
                    return
