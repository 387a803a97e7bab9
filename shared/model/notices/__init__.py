"""What buckets tell of their objects, in every form that it comes in: parsed here, without I/O.

A notice says that something happened to a key, and no more: whether the object was made, changed or deleted is found
out by listing. What is no news to a sync is ignored; what can't be read is a problem, told in a sentence.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from shared.model.provider import Store

MAX_KEY = 4096
"""Characters; no provider has keys of more than 1,024 bytes, or, encoded, three times that."""
MAX_BUCKET = 255
MAX_PROBLEMS = 10
"""Of one request are told; all are counted."""
AMAZON = "aws"
"""The place of buckets of Amazon's own."""


class MalformedError(ValueError):
    """A notification that can't be read; the text says why, and quotes nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something happened to an object."""

    store: Store
    bucket: str
    key: str
    place: str = ""
    """S3: `AMAZON`, or the URL of another service. Azure: the URL of the account. "": it is not said."""
    account: str = ""
    """Azure's account, in lower case; "": it is not said."""


@dataclass(slots=True)
class Found:
    """What a request tells."""

    notices: list[Notice] = field(default_factory=list)
    ignored: int = 0
    """Events that are no news to a sync, such as a new tag."""
    malformed: int = 0
    problems: list[str] = field(default_factory=list)
    """Why events could not be read; the first few."""

    @property
    def hopeless(self) -> bool:
        """Whether nothing in it could be read."""
        return bool(self.malformed) and not self.notices and not self.ignored


def read(events: Iterable[Any], parse: Callable[[Any], list[Notice]]) -> Found:
    """Parses each event by itself, so that a bad one keeps no good one back. No notices: the event is ignored."""
    found = Found()
    for number, event in enumerate(events):
        try:
            notices = parse(event)
        except MalformedError as error:
            found.malformed += 1
            if len(found.problems) < MAX_PROBLEMS:
                found.problems.append(f"event {number}: {error}")
            continue
        found.notices += notices
        found.ignored += not notices
    return found


def load(body: bytes | str) -> Any:
    """JSON. Raises `MalformedError`."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MalformedError("it is not JSON") from None


def fields_of(value: Any, what: str) -> Mapping[str, Any]:
    """The fields of an object. Raises `MalformedError`."""
    if not isinstance(value, dict):
        raise MalformedError(f"{what} is no JSON object")
    return value


def named(value: Any, what: str, limit: int) -> str:
    """A name. Raises `MalformedError` where it is none."""
    if not isinstance(value, str) or not value:
        raise MalformedError(f"{what} is missing")
    if len(value) > limit:
        raise MalformedError(f"{what} is longer than {limit} characters")
    return value


def text(value: Any) -> str:
    """A text, "" for what is none."""
    return value if isinstance(value, str) else ""
