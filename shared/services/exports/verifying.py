"""Reads a target again, and compares what is there with what its links say. Writes nothing."""

import hashlib
from typing import NamedTuple

from shared.errors import ObjectNotFoundError, VersionMismatchError
from shared.model.link import Link
from shared.model.storage import Storage
from shared.model.targets import OWN_FOLDER
from shared.ports import ObjectInfo, ObjectStore
from shared.services.context import Context
from shared.services.exports.walking import links


class Verified(NamedTuple):
    """One part of a target. `next`: where the following part begins, None if there is none."""

    checked: int
    missing: list[str]
    """Keys that should be there and are not."""
    changed: list[str]
    """Keys whose object is not what was written."""
    surplus: list[str]
    """Keys of objects that no link knows."""
    next: str | None


def verify(ctx: Context, storage: Storage, *, after: str = "", limit: int = 500) -> Verified:
    """Compares the objects behind the key `after`, about `limit` of them. Raises `StoreError`."""
    gate = ctx.gates.get(storage.id)
    store = ctx.open_store(storage)
    prefix = storage.prefix
    listed: dict[str, ObjectInfo] = {}
    ended = True
    for page in store.pages(prefix, after):
        listed |= {info.key: info for info in page}
        if len(listed) >= limit:
            ended = False
            break
    until = None if ended else next(reversed(listed))
    known: dict[str, Link] = {}
    if gate is not None:
        known = {s.value.key: s.value for s in links(ctx, gate.value.map, store, after, until)}
    there = {key: link for key, link in known.items() if link.rev and not (link.gone and not link.version)}
    missing = [key for key, link in there.items() if key not in listed and not link.gone]
    changed = [key for key, link in there.items() if key in listed and not _same(store, listed[key], link)]
    own = f"{prefix}{OWN_FOLDER}/"
    surplus = [key for key in listed if key not in there and not key.startswith(own)]
    return Verified(len({*listed, *there}), sorted(missing), sorted(changed), sorted(surplus), until)


def _same(store: ObjectStore, info: ObjectInfo, link: Link) -> bool:
    """Whether the object, read again, is what was written."""
    try:
        body = store.read(info.key, info.version)
    except (ObjectNotFoundError, VersionMismatchError):
        return False
    return hashlib.sha256(body).hexdigest() == link.digest
