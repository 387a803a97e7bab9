"""Signed URLs, kept for as long as they are worth handing out again."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

from shared.errors import StoreError
from shared.model import media_types
from shared.model.storage import Storage
from shared.model.uris import parse
from shared.ports import MAX_SIGNED_SECONDS, SignedMethod
from shared.records.collection import Stored
from shared.services.context import Context
from shared.services.media import covering, links

KEPT = 20_000
"""URLs that a process keeps, at about a kilobyte each."""
USED = 0.75
"""Of its life, after which a URL is handed out no more: whoever gets it has to begin with it, and to seek in it."""


class Signed(NamedTuple):
    """A signed URL: good until `expires_at`, handed out until `fresh_until` (seconds since the epoch)."""

    url: str
    expires_at: float
    fresh_until: float


class SignedUrls:
    """One per process; what it remembers only saves work. Safe for many threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, str, str, SignedMethod], Signed] = OrderedDict()
        self._lock = Lock()

    def get(self, ctx: Context, storage: Stored[Storage], key: str, method: SignedMethod = "GET") -> Signed | None:
        """A URL with a quarter of its life before it at least; None where this storage's objects have none.

        Raises `StoreError` where it could be signed but is not, with what a person can do.
        """
        if not storage.value.config.get("presign", True):
            return None
        name = (storage.value.id, storage.revision, key, method)
        now = ctx.clock()
        with self._lock:
            found = self._kept.get(name)
        if found and now < found.fresh_until:
            return found
        made = ctx.open_store(storage.value).presign(
            key,
            seconds=min(60.0 * (storage.value.config.get("presign_ttl") or 1), MAX_SIGNED_SECONDS),
            method=method,
            content_type=media_types.signed(key),
        )
        if made is None:
            return None
        signed = Signed(made.url, made.expires_at, now + USED * (made.expires_at - now))
        with self._lock:
            self._kept[name] = signed
            self._kept.move_to_end(name)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return signed


class Resolved(NamedTuple):
    """What became of a URI: `url`, which is this server's own where `expires_at` is None, or `error`."""

    uri: str
    url: str | None = None
    expires_at: float | None = None
    error: str | None = None


def resolve_many(ctx: Context, urls: SignedUrls, project: int, texts: Sequence[str]) -> list[Resolved]:
    """A URL for each URI that a storage of the project covers, in order. Objects are not asked for.

    A storage that can't sign is asked once: the others of its URIs have the same error.
    """
    coverage = covering.of_project(ctx, project)
    failed: dict[int, str] = {}

    def resolve(text: str) -> Resolved:
        uri = parse(text)
        storage = coverage.find(uri) if uri else None
        if uri is None or storage is None:
            return Resolved(text, error=covering.UNKNOWN)
        if problem := failed.get(storage.value.id):
            return Resolved(text, error=problem)
        try:
            signed = urls.get(ctx, storage, uri.key)
        except StoreError as error:
            failed[storage.value.id] = error.message
            return Resolved(text, error=error.message)
        if signed is None:
            return Resolved(text, links.link(ctx, project, uri))
        return Resolved(text, signed.url, signed.expires_at)

    # Many at a time, since some have to ask for each signature.
    return list(ctx.fetchers.map(resolve, texts) if ctx.fetchers else map(resolve, texts))
