"""A record of a dataset: its id, which records a request wants, and how far a request came."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.errors import InvalidInputError
from shared.model.filters import compile_glob
from shared.model.ledger import Entry
from shared.model.media_types import displayed
from shared.model.storage import below_prefix
from shared.model.times import seconds

MAX_KEY = 4096
"""Characters of a key in a request; no store has longer ones."""
Test = Callable[[Entry], bool]


def record_id(storage_map: str, key: str) -> int:
    """A positive integer below 2**53, the same for a key as long as the storage keeps its location."""
    digest = hashlib.blake2b(f"{storage_map}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) or 1


def cursor(key: str) -> str:
    """Stands for a key in `after` and `next`: all up to it was looked at."""
    return base64.urlsafe_b64encode(key.encode("utf-8", "surrogatepass")).rstrip(b"=").decode()


def key_of(text: str) -> str:
    """The key that a cursor stands for. Raises `InvalidInputError` for what is none."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return raw.decode("utf-8", "surrogatepass")
    except (binascii.Error, ValueError):
        raise InvalidInputError.of("after", "Not a cursor: give the `next` of the part before, or nothing.") from None


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which records are wanted: those that pass every test. All of them have keys that start with `prefix`."""

    prefix: str = ""
    tests: tuple[Test, ...] = ()

    def takes(self, entry: Entry) -> bool:
        """Whether the record of an entry is one of them."""
        return entry.key.startswith(self.prefix) and all(test(entry) for test in self.tests)

    @classmethod
    def of(cls, given: Mapping[str, str | None], *, storage_prefix: str) -> "RecordFilter":
        """The filter that a request asks for; what is empty or not given asks for nothing.

        `glob` looks at what `glob_filter` of the storage does. Raises `InvalidInputError` naming every bad field.
        """
        asked = {name: text for name, text in given.items() if text}
        tests: list[Test] = []
        problems: dict[str, list[str]] = {}
        if len(asked.get("prefix", "")) > MAX_KEY:
            problems["prefix"] = [f"Ensure this field has no more than {MAX_KEY} characters."]
        for name, text in asked.items():
            try:
                if name in _TESTS:
                    tests.append(_TESTS[name](text))
                elif name == "glob":
                    tests.append(_glob(text, below_prefix(storage_prefix)))
            except InvalidInputError as error:
                problems |= error.fields
            except ValueError as error:
                problems[name] = [str(error)]
        if problems:
            raise InvalidInputError(fields=problems)
        return cls(asked.get("prefix", ""), tuple(tests))


def _glob(text: str, below: int) -> Test:
    match = compile_glob(text, "glob")
    return lambda entry: bool(match(entry.key[below:]))


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError("A valid integer is required, 0 or larger.")
    return int(text)


def _moment(text: str) -> float:
    # A "+" that nobody escaped comes as a blank.
    repaired = re.sub(r"(T[0-9:.]+) ([0-9:]{2,5})$", r"\1+\2", text)
    try:
        return seconds(repaired)
    except (ValueError, OverflowError, OSError):
        raise ValueError("Not a time in ISO 8601, such as 2026-11-22T03:53:23Z.") from None


def _content_type(text: str) -> Test:
    wanted = text.strip().lower()
    if not re.fullmatch(r"[^/*\s]+/([^/*\s]+|\*)", wanted):
        raise ValueError("Not a content type: write one such as image/png, or image/* for all images.")
    if wanted.endswith("*"):
        return lambda entry: displayed(entry.key, entry.content_type).startswith(wanted[:-1])
    return lambda entry: displayed(entry.key, entry.content_type) == wanted


def _at_least(read: Callable[[Entry], int | None]) -> Callable[[str], Test]:
    def test(text: str) -> Test:
        least = _number(text)
        return lambda entry: (found := read(entry)) is not None and found >= least

    return test


def _at_most(read: Callable[[Entry], int | None]) -> Callable[[str], Test]:
    def test(text: str) -> Test:
        most = _number(text)
        return lambda entry: (found := read(entry)) is not None and found <= most

    return test


def _modified_after(text: str) -> Test:
    moment = _moment(text)
    return lambda entry: entry.modified >= moment and entry.modified > 0


def _modified_before(text: str) -> Test:
    moment = _moment(text)
    return lambda entry: 0 < entry.modified < moment


# A size that is not known, or not told, is neither large nor small.
_TESTS: Mapping[str, Callable[[str], Test]] = {
    "min_size": _at_least(lambda entry: entry.size),
    "max_size": _at_most(lambda entry: entry.size),
    "modified_after": _modified_after,
    "modified_before": _modified_before,
    "content_type": _content_type,
    "min_width": _at_least(lambda entry: entry.width or None),
    "max_width": _at_most(lambda entry: entry.width or None),
    "min_height": _at_least(lambda entry: entry.height or None),
    "max_height": _at_most(lambda entry: entry.height or None),
}
FILTERS = ("prefix", "glob", *_TESTS)
"""What records can be filtered by."""
