"""Addresses of objects in task data: what is one, where in a text they stand, and how they become something to load.

A key is taken literally: nothing in it is unquoted, so `a%20b`, `a?b#c` and `a//b` are keys as they stand.
"""

import base64
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import unquote

import orjson

from shared.model.provider import Store

SCHEMES: dict[str, Store] = {"s3": "s3", "gs": "gcs", "azure-blob": "azure"}
"""Scheme of a URI, and whose buckets it speaks of."""
MAX_URI_BYTES = 6000
"""Longer ones are nobody's: keys have at most 1,024 characters."""

Resolve = Callable[[str], str | None]
"""What to put in place of a URI, None to leave it. It is asked of anything in such a place, an object's URI or not."""

_BLANKS = " \t\n\r\f\v"
_OURS = f"(?:{'|'.join(SCHEMES)})://"
_ANY = "[A-Za-z][A-Za-z0-9+.-]*+://"
_STARTS = tuple(f"{scheme}://" for scheme in SCHEMES)
_SCHEME = re.compile(_OURS)


class ObjectUri(NamedTuple):
    """An object's address."""

    scheme: str
    bucket: str
    key: str

    @property
    def text(self) -> str:
        """The URI as it was parsed."""
        return f"{self.scheme}://{self.bucket}/{self.key}"


def parse(text: str) -> ObjectUri | None:
    """The object that a URI names; None if it names none, or has a key that steps out of its folder.

    Such a key has a segment "." or "..", perhaps only once it is percent-decoded, between slashes of either kind.
    """
    scheme, _, rest = text.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in SCHEMES or not bucket or not key or _size(text) > MAX_URI_BYTES:
        return None
    if not {".", ".."}.isdisjoint(re.split(r"[/\\]", unquote(key))):
        return None
    return ObjectUri(scheme, bucket, key)


def _size(text: str) -> float:
    """Bytes of a text; infinite if it is none that could be sent."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return float("inf")


def fileuri(uri: str) -> str:
    """A URI as a query's value: URL-safe base64, padded."""
    return base64.urlsafe_b64encode(uri.encode()).decode()


def from_fileuri(value: str) -> ObjectUri | None:
    """The URI that a query's value means: written as it is, in base64 of any alphabet, or percent-encoded."""
    if value.startswith(_STARTS):
        return parse(value)
    # A "+" that nobody encoded has come through the query as a blank.
    digits = value.rstrip("=").translate(str.maketrans("-_ ", "+/+"))
    try:
        found = parse(base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True).decode())
    except ValueError:
        found = None
    try:
        return found or parse(unquote(value, errors="strict"))
    except UnicodeDecodeError:
        return None


# Resolving a text.


def resolve_text(text: str, resolve: Resolve, own: str = "") -> str:
    """A text with the URIs in it replaced by what `resolve` makes of them.

    A URI counts where something may load it: as the text itself (or as a list of them), in quotes, in angle brackets,
    in `url(...)` and `](...)`, and as an HTML attribute's value. Amid prose it stays, since annotations count
    characters. In attributes entities are decoded for `resolve`. Blanks around a URI are never part of it, unless the
    text is `own`: the URI of the object that the task was made of, which is one whatever is in it.
    """
    if not _SCHEME.search(text):
        return text
    parts, done = [], 0
    for start, end, encoded in _places(text, own):
        uri = text[start:end]
        url = resolve(_ENTITY.sub(lambda found: _ENTITIES[found[0]], uri) if encoded else uri)
        if url is not None:
            parts += [text[done:start], url]
            done = end
    return "".join([*parts, text[done:]]) if parts else text


def _places(text: str, own: str) -> Iterator[tuple[int, int, bool]]:
    """Where URIs start and end, and whether entities in them are decoded."""
    start = len(text) - len(text.lstrip(_BLANKS))
    if text == own:
        yield 0, len(text), False
    elif text.startswith(_STARTS, start):
        for here, there in _listed(text, start, len(text)):
            yield here, there, False
    else:
        yield from _embedded(text)


_QUOTES = ('"', "'", "&quot;", "&#34;", "&#39;", "&apos;", "&#x27;")
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
_ENTITIES |= dict.fromkeys(("&quot;", "&#34;"), '"') | dict.fromkeys(("&apos;", "&#39;", "&#x27;"), "'")
_ENTITY = re.compile("|".join(_ENTITIES))
# An entity's ";" parts nothing. Attempts start only behind a separator, and there is none in a scheme: no character is
# looked at twice.
_NEXT = re.compile(rf"(?<=[{_BLANKS},;|]){''.join(f'(?<!{entity})' for entity in _ENTITIES)}{_ANY}")
_DESCRIPTOR = re.compile(rf"[{_BLANKS}][0-9]+(?:\.[0-9]+)?[xw]\Z")
_SRCSET = re.compile(rf"srcset[{_BLANKS}]*=[{_BLANKS}]*\Z", re.IGNORECASE)


def _listed(
    text: str, start: int, end: int, *, quoted: bool = False, srcset: bool = False
) -> Iterator[tuple[int, int]]:
    """The URIs of a list, which may be of one: the next begins where blanks or one of `,;|` stand before a scheme.

    URIs of any scheme part it. In quotes, `1x` and `640w` behind a URI of several are a srcset's and not of its key.
    """
    starts = [start, *(found.start() for found in _NEXT.finditer(text, start + 1, end)), end]
    descriptors = srcset or (quoted and len(starts) > 2)
    for here, there in pairwise(starts):
        if not text.startswith(_STARTS, here):
            continue
        uri = text[here:there].rstrip(_BLANKS)
        if there != end and uri[-1] in ",;|":
            uri = uri[:-1].rstrip(_BLANKS)
        if descriptors and (found := _DESCRIPTOR.search(uri, max(0, len(uri) - 40))):
            uri = uri[: found.start()].rstrip(_BLANKS)
        yield here, here + len(uri)


_OPENER = re.compile(
    rf"(?:(?:(?P<quote>{'|'.join(_QUOTES)})|(?P<paren>(?<![\w-])[uU][rR][lL]\(|\]\()|(?P<equals>=))[{_BLANKS}]*+"
    rf"|<)(?P<uri>{_OURS})"
)


def _embedded(text: str) -> Iterator[tuple[int, int, bool]]:
    """URIs amid other text. What opens one and is never closed is left alone."""
    page = _Page(text)
    at = 0
    while opener := _OPENER.search(text, at):
        start, at = opener.span("uri")
        value = page.value(start)
        limit = value[1] if value else len(text)
        if opener["equals"]:
            if value and value[0] == start:
                at = start + len(re.split(r"[\"']", text[start:limit], maxsplit=1)[0])
                yield start, at, True
            continue
        mark = ")" if opener["paren"] else opener["quote"] or ">"
        close = page.parentheses.get(opener.end("paren") - 1, -1) if opener["paren"] else page.next(mark, at)
        slashes = _backslashes(text, opener.start()) if opener["quote"] else ""
        end = _before(text, slashes, start, close)
        if close < 0 or end > limit:
            continue
        at = close + len(mark)
        if opener["quote"]:
            srcset = bool(_SRCSET.search(text, max(0, opener.start() - 40), opener.start() - len(slashes)))
            for here, there in _listed(text, start, end, quoted=True, srcset=srcset):
                yield here, there, value is not None
        else:
            uri = text[start:end].rstrip(_BLANKS)
            if opener["paren"] == "](":
                uri = _without_title(uri)
            yield start, start + len(uri), value is not None


def _backslashes(text: str, end: int) -> str:
    """The backslashes before a quote: JSON in a string of JSON has as many before the quote that closes it."""
    start = end
    while start and text[start - 1] == "\\":
        start -= 1
    return text[start:end]


def _before(text: str, slashes: str, start: int, close: int) -> int:
    """Where a value ends whose quotes have these backslashes before them."""
    return close - len(slashes) if text.endswith(slashes, start, close) else close


def _without_title(inside: str) -> str:
    """What stands in a Markdown link's parentheses, without the title in quotes at its end."""
    opened = inside.rfind(inside[-1], 0, -1) if inside[-1] in "\"'" else -1
    return inside[:opened].rstrip(_BLANKS) if opened > 0 and inside[opened - 1] in _BLANKS else inside


_TAG = re.compile(rf"<(?!{_ANY})[A-Za-z/][^{_BLANKS}/>]*+")
# As browsers read it, a "=" in front is of the name.
_ATTRIBUTE = re.compile(
    rf"[{_BLANKS}/]*+(?:(?P<end>>)|=?[^{_BLANKS}/>=]*+"
    rf"(?:[{_BLANKS}]*+=[{_BLANKS}]*+(?:(?P<slashes>\\*+)(?P<quote>[\"'])|(?P<bare>[^{_BLANKS}>]*+)))?+)"
)


def _attributes(text: str, at: int) -> tuple[list[tuple[int, int]], int]:
    """Where the values of a tag's attributes are, without their quotes, and the tag's end: -1 if it has none."""
    values: list[tuple[int, int]] = []
    while at < len(text) and (found := _ATTRIBUTE.match(text, at)):
        at = found.end()
        if found["end"]:
            return values, at
        if found["quote"]:
            close = text.find(found["quote"], at)
            if close < 0:
                break
            values.append((at, _before(text, found["slashes"], at, close)))
            at = close + 1
        elif found["bare"]:
            values.append(found.span("bare"))
    return [], -1


class _Page:
    """A text, and what was found out about it: each in one walk, so that no text takes longer than its length."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next: dict[str, int] = {}

    def next(self, mark: str, at: int) -> int:
        """Where a mark stands next, -1 for nowhere. Ask with growing positions."""
        found = self._next.get(mark, 0)
        if 0 <= found < at:
            found = self._next[mark] = self._text.find(mark, at)
        return found

    @cached_property
    def parentheses(self) -> dict[int, int]:
        """Where each parenthesis that is closed is closed."""
        pairs, opened = {}, []
        for found in re.finditer(r"[()]", self._text):
            if found[0] == "(":
                opened.append(found.start())
            elif opened:
                pairs[opened.pop()] = found.start()
        return pairs

    def value(self, at: int) -> tuple[int, int] | None:
        """Start and end of the HTML attribute's value, without its quotes, that this position is in."""
        index = bisect_right(self._values, (at, len(self._text))) - 1
        return self._values[index] if index >= 0 and at < self._values[index][1] else None

    @cached_property
    def _values(self) -> list[tuple[int, int]]:
        """All values of attributes. A tag that is never closed swallows what follows, as in browsers."""
        values: list[tuple[int, int]] = []
        at = 0
        while at >= 0 and (tag := _TAG.search(self._text, at)):
            found, at = _attributes(self._text, tag.end())
            values += found
        return values


# Resolving JSON.

# Every string of a document, and whether it is a key. One that is not closed reaches to the end, so nothing is read
# twice. JSON may write any character of a scheme as an escape.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+(?P<key>[ \t\r\n]*+:)?+', re.DOTALL)
_MAYBE = re.compile(rf"(?:{'|'.join(SCHEMES)}):\\?/\\?/|\\u00[2-7]".encode())


def may_hold_uri(data: bytes) -> bool:
    """Whether a JSON document needs a closer look: a quick one for what mostly holds none."""
    return bool(_MAYBE.search(data))


def resolve_json(data: bytes, resolve: Resolve, own: str = "") -> bytes:
    """A JSON document with `resolve_text` done to each string in it that is no key; all else stays as it is written."""
    if not may_hold_uri(data):
        return data
    parts, done = [], 0
    for token in _STRING.finditer(data):
        if token["key"] is not None or not _MAYBE.search(data, *token.span()):
            continue
        try:
            text = orjson.loads(token[0])
        except orjson.JSONDecodeError:
            continue
        resolved = resolve_text(text, resolve, own)
        if resolved != text:
            parts += [data[done : token.start()], orjson.dumps(resolved)]
            done = token.end()
    return b"".join([*parts, data[done:]]) if parts else data
