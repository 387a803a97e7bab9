"""Values of requests, checked and converted. What is wrong is a `ValueError` whose text is a sentence for people."""

import math
import re
from typing import Any

_FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
"""Forms send text."""


def flag(value: Any) -> bool:
    """True or false."""
    text = str(value).lower()
    if not isinstance(value, bool | int | str) or text not in _FLAGS:
        raise ValueError("Must be a valid boolean.")
    return _FLAGS[text]


def integer(value: Any, minimum: int, maximum: int) -> int:
    """A whole number between the two."""
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d{1,18}", str(value)):
        raise ValueError("A valid integer is required.")
    if int(value) < minimum:
        raise ValueError(f"Ensure this value is greater than or equal to {minimum}.")
    if int(value) > maximum:
        raise ValueError(f"Ensure this value is less than or equal to {maximum}.")
    return int(value)


def weight(value: Any) -> float:
    """A number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{str(value)[:40]!r} is no weight: write a number from 0 on.")
    return float(value)


def text(value: Any, limit: int) -> str:
    """A text of at most so many characters; null is empty."""
    found = "" if value is None else value
    if not isinstance(found, str):
        raise ValueError("Not a valid string.")  # noqa: TRY004  bad input, not a bug
    if len(found) > limit:
        raise ValueError(f"Ensure this field has no more than {limit} characters.")
    if "\0" in found:
        raise ValueError("Null characters are not allowed.")
    try:
        found.encode()
    except UnicodeEncodeError:
        raise ValueError("Not valid text: it holds half of a surrogate pair.") from None
    return found
