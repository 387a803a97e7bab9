"""Sidecars: `x.json` beside `x.jpg`, which says more of the task that the picture is.

Both are one object to the ledger, with a version made of both, so that either may come, change or go as a file does.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from shared.model.ledger import BESIDE, ObjectInfo

SUFFIX = ".json"


def is_sidecar(key: str) -> bool:
    """Whether an object may be one; it is then no task itself, also where nothing lies beside it."""
    return key.lower().endswith(SUFFIX)


def sidecar_of(key: str) -> str:
    """The sidecar of an object: its name with another ending."""
    folder, slash, name = key.rpartition("/")
    stem = name[: name.rfind(".")] if "." in name[1:] else name
    return f"{folder}{slash}{stem}{SUFFIX}"


def group(key: str) -> str:
    """What all keys begin with that belong together, and mostly no others: the name up to its first dot.

    They lie side by side in a listing, so a chunk that is cut between groups has objects and sidecars both.
    """
    folder, slash, name = key.rpartition("/")
    dot = name.find(".", 1)
    return f"{folder}{slash}{name[: dot + 1] if dot > 0 else name}"


class Pairs(NamedTuple):
    """Objects, each at the version of itself and its sidecar; and the sidecars there are, by their object's key."""

    listed: list[ObjectInfo]
    sidecars: Mapping[str, ObjectInfo]


def paired(found: Iterable[ObjectInfo], elsewhere: Callable[[str], ObjectInfo | None]) -> Pairs:
    """Puts sidecars and objects of a listing together; `elsewhere` looks for one that the listing can't hold."""
    beside: dict[str, ObjectInfo] = {}
    objects: list[ObjectInfo] = []
    for info in found:
        if is_sidecar(info.key):
            beside[info.key] = info
        else:
            objects.append(info)
    known: dict[str, ObjectInfo | None] = {}
    sidecars: dict[str, ObjectInfo] = {}
    for info in objects:
        name = sidecar_of(info.key)
        if name not in beside and name not in known:
            known[name] = elsewhere(name)
        sidecar = beside.get(name) or known.get(name)
        if sidecar is not None and not sidecar.problem:
            sidecars[info.key] = sidecar
    return Pairs([both(info, sidecars.get(info.key)) for info in objects], sidecars)


def both(info: ObjectInfo, sidecar: ObjectInfo | None) -> ObjectInfo:
    """The object at the version of both."""
    return info._replace(version=f"{info.version}{BESIDE}{sidecar.version}") if sidecar else info


def touched(key: str, sort_key: Callable[[str], bytes]) -> list[str]:
    """Keys in whose ranges something changes with a sidecar: its own, and both ends of its group.

    That is one range, unless chunks were cut within the group.
    """
    start = group(key)
    return [key, start, max((f"{start}\uffff", f"{start}\U0010ffff"), key=sort_key)]
