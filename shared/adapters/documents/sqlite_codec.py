"""How a document is laid out in a row: JSON that SQLite can look into, and its bytes packed beside it.

The JSON holds every field that is no `bytes`; its member "#", which no field can be called, maps the names of the
others to their lengths, in the order in which they are joined in the second column.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from shared.ports import Value

BYTES_MEMBER = "#"


def pack(data: Mapping[str, Value]) -> tuple[str, bytes | None]:
    """The two columns of a document whose values were checked."""
    plain: dict[str, object] = {}
    lengths: dict[str, int] = {}
    parts: list[bytes] = []
    for name, value in data.items():
        if type(value) is bytes:
            lengths[name] = len(value)
            parts.append(value)
        else:
            plain[name] = value
    if lengths:
        plain[BYTES_MEMBER] = lengths
    text = orjson.dumps(plain).decode()
    if "\\u000" in text:  # one of sixteen control characters; `escape` sees which
        text = orjson.dumps(_each_text(plain, escape)).decode()
    return text, b"".join(parts) if parts else None


def unpack(text: str, joined: bytes | None, select: Sequence[str] | None = None) -> dict[str, Any]:
    """The document of two columns, or its selected fields; `joined` may be None if none of those is `bytes`."""
    data: dict[str, Any] = orjson.loads(text)
    lengths = data.pop(BYTES_MEMBER, None)
    if "\\u0001" in text:
        data = _each_text(data, _unescape)
    if lengths is not None and joined is not None:
        start = 0
        for name, length in lengths.items():
            data[name] = joined[start : start + length]
            start += length
    if select is not None:
        return {name: data[name] for name in select if name in data}
    return data


def escape(text: str) -> str:
    r"""A text without \0, at which SQLite's JSON functions would end it. Escaped texts sort as the originals do."""
    return text.replace("\1", "\1\2").replace("\0", "\1\1")


def _unescape(text: str) -> str:
    return text.replace("\1\1", "\0").replace("\1\2", "\1")


def _each_text(data: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    def changed(value: object) -> object:
        if isinstance(value, str):
            return change(value)
        return [changed(item) for item in value] if isinstance(value, list) else value

    return {name: changed(value) for name, value in data.items()}
