"""Requests that say by a key that they are one and the same: the second is answered with what the first made.

The note of what was made is part of the commit that makes it, so two requests at once make one thing.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import orjson

from shared.errors import CommitRefusedError, InvalidInputError
from shared.ports import Create, Delete, Filter, Query, Ref, Update, Value
from shared.services.context import Context

COLLECTION = "idempotency"
HEADER = "Idempotency-Key"
SLICE = 400
"""Notes removed in one commit."""


class Once:
    """One key of one user on one route. Keys are kept as hashes, and bodies as hashes under their key.

    For the request that it came with; not to be shared between threads.
    """

    def __init__(self, ctx: Context, *, user: int, route: str, key: str, body: Mapping[str, Any]) -> None:
        """`route`: method and path."""
        self._ctx = ctx
        self._ref = Ref(COLLECTION, hashlib.sha256("\0".join((str(user), route, key)).encode()).hexdigest())
        content = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        self._digest = hmac.new(key.encode(), content, hashlib.sha256).hexdigest()
        self._expired: str | None = None
        """Revision of a note that is no longer valid but still there."""

    def made(self) -> int | None:
        """Id of what an earlier request made, None if there was none. Raises `InvalidInputError` for another body."""
        found = self._ctx.documents.get(self._ref)
        self._expired = None
        if found is None:
            return None
        if found.data["expires"] <= self._ctx.clock():
            self._expired = found.revision
            return None
        if found.data["digest"] != self._digest:
            raise InvalidInputError.of(
                HEADER, "This key was used for a request with another content: take a new key for a new request."
            )
        return int(found.data["made"])

    def note(self, made: int) -> Create | Update:
        """Part of the commit that makes it, which is refused if another request of this key was faster.

        Ask `made` before each commit.
        """
        life = self._ctx.settings.idempotency_seconds
        data: dict[str, Value] = {"digest": self._digest, "made": made, "expires": self._ctx.clock() + life}
        return Update(self._ref, data, self._expired) if self._expired else Create(self._ref, data)


def forget(ctx: Context, limit: int) -> int:
    """Removes at most `limit` notes that are no longer valid, and returns how many they were."""
    removed = 0
    while removed < limit:
        wanted = min(SLICE, limit - removed)
        old = (Filter("expires", "<=", ctx.clock()),)
        found = ctx.documents.query(
            Query(collection=COLLECTION, where=old, order=("expires",), limit=wanted, select=())
        )
        if not found:
            break
        try:
            ctx.documents.commit([Delete(document.ref, document.revision) for document in found])
        except CommitRefusedError:
            break  # a key was just used again, or another sweep was faster; the next one sees what is left
        removed += len(found)
    return removed
