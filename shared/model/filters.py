"""Filters of keys: regular expressions and globs, both matched in linear time by RE2, whoever wrote them."""

import re
from collections.abc import Callable
from typing import Any

import re2

from shared.errors import InvalidInputError

MAX_GLOB = 1000
"""Characters of a glob."""
_ANY, _ONE, _FOLDERS = "[^/]*", "[^/]", "(?:[^/]*/)*"


def compile_filter(pattern: str) -> Callable[[str], object]:
    """A function that matches a key from its start. Raises `InvalidInputError` for what RE2 does not take."""
    try:
        match: Callable[[str], object] = _compiled(pattern).match
    except ValueError as error:
        raise InvalidInputError.of(
            "regex_filter",
            f"Not a valid RE2 pattern: {error}. Look-around and back-references are not supported; "
            "to match everything leave it empty.",
        ) from None
    return match


def compile_glob(glob: str, field: str = "glob_filter") -> Callable[[str], object]:
    """A function that matches a key, below its prefix, as a whole. Raises `InvalidInputError` naming the field."""
    try:
        match: Callable[[str], object] = _compiled(translated(glob)).fullmatch
    except ValueError as error:
        raise InvalidInputError.of(field, f"Not a valid glob: {error}.") from None
    return match


def translated(glob: str) -> str:
    """A glob as a pattern of RE2. Raises `ValueError` with what is wrong.

    `*` and `?` stay within a folder; `**`, as a whole part of the path, takes any number of folders, and at the end
    all that lies below. `[a-z]`, `[!a-z]`, `{png,jpg}`, which may hold each other; a backslash takes any of these
    literally.
    """
    if len(glob) > MAX_GLOB:
        raise ValueError(f"it is longer than {MAX_GLOB} characters")
    found: list[str] = []
    at, depth = 0, 0
    while at < len(glob):
        char = glob[at]
        if char == "*":
            end = at
            while glob[end : end + 1] == "*":
                end += 1
            part, at = _stars(glob, at, end)
            found.append(part)
            continue
        if char == "[":
            part, at = _set(glob, at)
            found.append(part)
            continue
        if char == "\\":
            at += 1
            if at == len(glob):
                raise ValueError("nothing follows the backslash at its end")
            found.append(re2.escape(glob[at]))
        elif char == "?":
            found.append(_ONE)
        elif char == "{":
            depth += 1
            found.append("(?:")
        elif char == "," and depth:
            found.append("|")
        elif char == "}" and depth:
            depth -= 1
            found.append(")")
        else:
            found.append(re2.escape(char))
        at += 1
    if depth:
        raise ValueError('a "{" is not closed')
    return f"(?s:{''.join(found)})"


def _stars(glob: str, start: int, end: int) -> tuple[str, int]:
    """What stars mean, and where to go on. Two, alone between slashes, are folders."""
    alone = end - start == 2 and glob[start - 1 : start] in ("", "/", "{", ",")
    if alone and glob[end : end + 1] == "/":
        return _FOLDERS, end + 1
    if alone and glob[end : end + 1] in ("", "}", ","):
        return ".*", end
    return _ANY, end


def _set(glob: str, start: int) -> tuple[str, int]:
    """A set of characters, and where to go on. One of what it does not take takes no slash."""
    at = start + 1
    negated = glob[at : at + 1] in ("!", "^") and bool(glob[at : at + 1])
    at += negated
    end = glob.find("]", at + 1)  # the first character may be a bracket
    if end < 0:
        raise ValueError('a "[" is not closed')
    inside = re.sub(r"[\\\[\]^&~|]", lambda found: f"\\{found[0]}", glob[at:end])
    body = f"[^{inside}/]" if negated else f"[{inside}]"
    return body, end + 1


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        raise ValueError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from None
