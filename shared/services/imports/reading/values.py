"""JSON values from bytes, and what is wrong with those bytes, in words."""

import re
from typing import Any

import orjson

_DIGITS = bytes.maketrans(b"0123456789", b"0" * 10)
_LONG = b"0" * 19
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_INTEGER = re.compile(rb"(?<![0-9.eE+])-?[0-9]{19,}+(?![.eE])")
_BEFORE, _BEHIND = 8, 24


class LongIntegerError(ValueError):
    """An integer that does not fit 64 bits."""


def parse(raw: bytes) -> Any:
    """The value of a JSON text. Duplicate keys: the last wins. NaN, Infinity and lone surrogates are no JSON.

    Raises:
        LongIntegerError: an integer beyond 64 bits, which would silently lose digits.
        ValueError: no JSON, or nested deeper than 1,024 levels; `explain` puts it into words.
    """
    value = orjson.loads(raw)
    if _LONG in raw.translate(_DIGITS):  # Much cheaper than looking for numbers, and nearly never true.
        _refuse_long_integers(raw)
    return value


def explain(error: ValueError, raw: bytes, base: int | None = None) -> str:
    """What `parse` found wrong with `raw` and where: the byte in the file if `base` is, else line and column."""
    if not isinstance(error, orjson.JSONDecodeError):
        return str(error)
    text, place, near = error.msg, error.pos, ""
    before = error.doc[:place]
    if error.doc:
        near = error.doc[max(0, place - _BEFORE) : place + _BEHIND]
        offset = len(before.encode("utf-8", "surrogatepass")) if base is not None else 0
    else:
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError as wrong:
            text, offset = "not valid UTF-8", wrong.start
            before = raw[:offset].decode("utf-8", "replace")
        else:
            return text
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    where = f"byte {base + offset}" if base is not None else f"column {column}"
    if base is None and "\n" in raw.decode("utf-8", "replace").strip():
        where = f"line {line}, {where}"
    return f"{text} at {where}" + (f", near '{near.strip()}'" if near.strip() else "")


def _refuse_long_integers(raw: bytes) -> None:
    for found in _INTEGER.finditer(_STRING.sub(b'""', raw)):
        token = found[0]
        if len(token) > 20 or not -(2**63) <= int(token) < 2**64:
            text = token.decode() if len(token) <= 40 else f"{token[:36].decode()}..."
            raise LongIntegerError(f"the integer {text} does not fit 64 bits; write it as a string")
