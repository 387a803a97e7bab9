"""What a client knows already, and which part it wants: conditions and ranges of HTTP (RFC 9110, 13 and 14)."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

_TAGS = re.compile(r'(?:W/)?"([^"]*)"')
_RANGE = re.compile(r"bytes[ \t]*=[ \t]*([0-9]{0,18})[ \t]*-[ \t]*([0-9]{0,18})[ \t]*", re.IGNORECASE)


class Part(NamedTuple):
    """Bytes from `start` up to `stop`."""

    start: int
    stop: int


def unchanged(headers: Mapping[str, str], tag: str, modified: float) -> bool:
    """Whether the client has this very version: by its tag, or by the time if it names no tag."""
    if (known := headers.get("if-none-match")) is not None:
        return known.strip() == "*" or tag in _TAGS.findall(known)
    since = _time(headers.get("if-modified-since", ""))
    return since is not None and int(modified) <= since


def wanted(
    headers: Mapping[str, str], *, size: int, tag: str, modified: float, weak: bool = False, longest: int = 0
) -> Part | None:
    """The part that is asked for; None for the whole. An empty part: what is asked for is not there.

    A range counts only if `If-Range`, where there is one, names this version. Several ranges, and what is no range of
    bytes, are answered with the whole. One without an end is cut to `longest`, unless that is 0.
    """
    found = _RANGE.fullmatch(headers.get("range", "").strip())
    if not found or not (found[1] or found[2]):
        return None
    if (known := headers.get("if-range")) is not None and not _same(known.strip(), tag, modified, weak=weak):
        return None
    if not found[1]:
        start, stop = max(0, size - int(found[2])), size
    else:
        start, stop = int(found[1]), min(int(found[2]) + 1, size) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if longest and not found[2]:
        stop = min(stop, start + longest)
    return Part(start, stop) if start < stop else Part(0, 0)


def _same(known: str, tag: str, modified: float, *, weak: bool) -> bool:
    """Whether `If-Range` names this version; a weak tag can't, as parts of two versions must never be joined."""
    if known.startswith(('"', "W/")):
        return not weak and known == f'"{tag}"'
    return _time(known) == int(modified)


def _time(text: str) -> float | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
