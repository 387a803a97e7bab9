"""A target that is worked on: its bucket, what that honours, and one unit's way through the three steps."""

from dataclasses import dataclass, replace
from typing import Literal

from shared.errors import ObjectNotFoundError, StoreError
from shared.model.chunk import start_index
from shared.model.link import Link, Want, link_id
from shared.model.storage import CONDITIONAL, CONDITIONAL_DELETES, Storage
from shared.ports import Create, ObjectStore, Stat, Update
from shared.records.collection import Stored
from shared.services.context import Context
from shared.services.exports import units

ATTEMPTS = 20
"""Times one object is begun again because somebody else wrote it, too, before it is left to them and to a later try."""

Kind = Literal["written", "unchanged", "deleted", "nothing", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a unit. `error` is there if it failed; `nothing`: there is none, and no object to remove."""

    unit: int
    kind: Kind
    error: StoreError | None = None
    fresh: bool = False
    """Written or removed by this very call."""


class Target:
    """One export storage and its open bucket. `run`: the full sync that works on it, "" for an event.

    `again`: what is gone already is looked for once more.
    """

    def __init__(
        self,
        ctx: Context,
        storage: Storage,
        storage_map: str,
        store: ObjectStore,
        *,
        run: str = "",
        again: bool = False,
    ) -> None:
        self.ctx = ctx
        self.storage = storage
        self.map = storage_map
        self.store = store
        self.run = run
        self.again = again
        self.format = units.format_of(storage)
        self.deletes = bool(storage.config.get("can_delete_objects"))
        self.conditional = store.conditional and storage.config.get(CONDITIONAL) is not False
        self.conditional_deletes = store.conditional and storage.config.get(CONDITIONAL_DELETES) is not False

    def link_id(self, unit: int) -> str:
        """Id of a unit's link."""
        return link_id(self.map, self.format, unit)

    def blank(self, want: Want) -> Link:
        """The first link of a unit, with the intent to write it."""
        return Link(
            id=self.link_id(want.unit),
            map=self.map,
            storage=self.storage.id,
            format=self.format,
            unit=want.unit,
            order=start_index(self.store.sort_key(want.key)) if want.key else "",
            key=want.key,
            since=self.ctx.clock(),
            intent=want.rev if want.body is not None else 0,
        )

    def stat(self, key: str) -> Stat | None:
        """The object as it is now, None if there is none. Raises `StoreError`."""
        try:
            return self.store.stat(key)
        except ObjectNotFoundError:
            return None

    def expecting(self, version: str | None) -> str | None:
        """What a delete may expect of this bucket."""
        return version or None if self.conditional_deletes else None

    def unmoved(self, work: "Work") -> bool:
        """Whether nobody wrote the link since our intent."""
        assert work.held is not None  # noqa: S101
        found = self.ctx.links.get(work.link.id)
        return found is not None and found.revision == work.held.revision


@dataclass(slots=True)
class Work:
    """One unit on its way."""

    want: Want
    before: Stored[Link] | None
    """The link as it was found, before the unit's state was read."""
    link: Link
    """The link with our intent."""
    held: Stored[Link] | None = None
    """It, once that is written."""
    version: str | None = None
    """Of the object, once it is right; with size and digest of what it holds."""
    size: int = 0
    digest: str = ""
    expected: str = ""
    """What it was written over."""
    outcome: Outcome | None = None
    clobbered: bool = False
    """Our object may have replaced a newer one."""

    @classmethod
    def begin(cls, target: Target, want: Want, before: Stored[Link] | None) -> "Work":
        """Work on a unit. Another key than before: the old object goes when the new one is there.

        An intent that is there already, of whoever, is joined: two writers of one state don't drive each other out.
        """
        blank = target.blank(want)
        if before is None:
            return cls(want, None, blank)
        link = before.value
        if want.body is None:
            return cls(want, before, link)
        if link.key != want.key:
            perhaps = {link.key} if link.intent or link.version else set()
            old = tuple(sorted({*link.old_keys, *perhaps} - {want.key}))
            link = replace(link, key=want.key, order=blank.order, version="", old_keys=old)
        if link.intent != want.rev:
            link = replace(link, intent=want.rev, since=blank.since)
        return cls(want, before, link)

    def write(self, target: Target) -> Create | Update | None:
        """The write of the intent; None if it stands there already."""
        if self.before is None:
            return target.ctx.links.create(self.link.id, self.link)
        return None if self.link == self.before.value else target.ctx.links.update(self.before, self.link)
