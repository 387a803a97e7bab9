"""Links and dues: what a target holds of a project's work, and what it is still owed.

A *unit* is what one object holds: an annotation, or in task format a task with its annotations. Its state has a
revision that only grows, so two writers can tell whose knowledge is newer.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from shared.model.targets import Format

GONE = 2**62
"""Revision of a unit that was deleted for good: nothing comes after it."""
MAX_UNITS = 400
"""Of one due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One unit in one target: what was written, and what somebody is about to write.

    Written before an object is (`intent`) and after it, each time on the condition that nobody else wrote the link. So
    a writer that finds an object it did not expect looks at the link: unchanged, the object is older or a stranger's.
    """

    id: str
    map: str
    """The target's, as of its gate: another bucket is another map."""
    storage: int
    format: Format
    unit: int
    order: str
    """The key's place in the bucket's order."""
    key: str
    gone: bool = False
    """The unit is deleted; stays for a while, so that a late writer learns of it."""
    since: float
    rev: int = 0
    """The unit's revision that the object holds; 0: none was ever written."""
    version: str = ""
    """The object's version as the bucket tells it, "" for none."""
    intent: int = 0
    """The revision that is being written, 0 for none."""
    run: str = ""
    """The full sync that wrote it last; "" for an event."""
    size: int = 0
    digest: str = ""
    """SHA-256 of the object."""
    old_keys: tuple[str, ...] = ()
    """What other templates or prefixes called it, until those objects are removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Units that changed and are still to be written to a target; made in the commit that changed them."""

    id: str
    storage: int
    project: int
    units: tuple[int, ...]
    since: float
    due: float
    """When its message is to arrive. The sweep looks after one that is overdue."""
    ticket: int = 1
    """Of the message that wakes its writer; one with another number does nothing."""
    failures: int = 0
    reason: str = ""
    again: bool = False
    """The units were removed a while ago; whatever a late writer wrote since then is to be removed too."""


class Want(NamedTuple):
    """What the object of a unit should be now. `body` makes its content, and is None where there should be none."""

    unit: int
    rev: int
    key: str
    body: Callable[[], bytes] | None


def link_id(storage_map: str, format: Format, unit: int) -> str:  # noqa: A002  the field's own name
    """Id of a unit's link."""
    return hashlib.blake2b(f"{storage_map}\0{format}\0{unit}".encode(), digest_size=16).hexdigest()


# Positions in the walk of a full sync: first all units by id, then all objects by key, then the manifest.

UNITS, OBJECTS, MANIFEST = "0", "1", "2"


def place(position: str) -> str:
    """The part of a position behind its phase."""
    return position[1:]
