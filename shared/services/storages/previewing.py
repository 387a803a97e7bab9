"""A look at the first objects that a sync would take: bounded in number and in time."""

import re
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.errors import InvalidInputError, StoreError
from shared.model.storage import Scope, Storage
from shared.ports import ObjectInfo
from shared.services.context import Context
from shared.services.storages import connecting


class Preview(NamedTuple):
    """The first objects in listing order, and why there may be more that are not among them."""

    objects: list[ObjectInfo]
    limit_reached: bool = False
    timed_out: bool = False


def preview(ctx: Context, draft: Storage, limit: int) -> Preview:
    """The first `limit` objects of what a sync of `draft` would take. Holds a page of the listing at a time.

    Returns within `preview_seconds`; a request to the bucket that is under way then is left to its own time-outs.
    Raises `InvalidInputError` with what a person can do.
    """
    listing = _Listing(ctx, draft, limit)
    listing.start()
    listing.join(ctx.settings.preview_seconds)
    timed_out = listing.is_alive()
    listing.stopped = True
    if listing.error and not timed_out:
        if isinstance(listing.error, StoreError):
            raise connecting.refusal(ctx, draft, listing.error) from None
        raise listing.error
    found = listing.found[:limit]
    return Preview(found, limit_reached=len(found) == limit, timed_out=timed_out and len(found) < limit)


def limit_of(ctx: Context, given: Mapping[str, Any]) -> int:
    """How many objects a request wants to see; more than the maximum is the maximum. Raises `InvalidInputError`."""
    value = given.get("limit")
    if value in (None, ""):
        return ctx.settings.preview_objects
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,18}", str(value)):
        raise InvalidInputError.of("limit", "A valid integer is required.")
    if int(value) < 1:
        raise InvalidInputError.of("limit", "Ensure this value is greater than or equal to 1.")
    return min(int(value), ctx.settings.max_preview_objects)


class _Listing(threading.Thread):
    """Lists until it has enough or is stopped; a thread, since a bucket that does not answer can't be interrupted."""

    def __init__(self, ctx: Context, draft: Storage, limit: int) -> None:
        super().__init__(name="preview", daemon=True)
        self.found: list[ObjectInfo] = []
        self.error: Exception | None = None
        self.stopped = False
        self._ctx, self._draft, self._limit = ctx, draft, limit

    def run(self) -> None:
        """Fills `found`, or says in `error` what is wrong."""
        try:
            scope = Scope.of(self._draft)
            for page in self._ctx.open_store(self._draft).pages(scope.prefix, recursive=scope.recursive):
                self.found.extend(info for info in page if scope.wants(info.key))
                if self.stopped or len(self.found) >= self._limit:
                    return
        except Exception as error:  # noqa: BLE001  raised where it can be answered
            self.error = error
