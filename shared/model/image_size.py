"""How large an image is, told by its first bytes: PNG, JPEG, GIF, WebP, BMP. Trusts nothing that they say."""

from collections.abc import Callable
from typing import NamedTuple

LARGEST = 1_000_000
"""Pixels of a side; a header that says more is damaged, or lies."""


class Size(NamedTuple):
    """Pixels as stored: a camera's note that the picture is turned changes nothing."""

    width: int
    height: int


UNTOLD = Size(0, 0)
"""The bytes tell no size, and more of them would not either."""


def size_of(head: bytes) -> Size | None:
    """The size of the image that begins with these bytes; None: it needs more of them.

    Never raises, and takes time in proportion to `head`.
    """
    for magic, read in _FORMATS:
        if head.startswith(magic):
            found = read(head)
            if found is None or (0 < found.width <= LARGEST and 0 < found.height <= LARGEST):
                return found
            return UNTOLD
    return UNTOLD


def _png(head: bytes) -> Size | None:
    if len(head) < 24:
        return None
    if head[12:16] != b"IHDR":
        return UNTOLD
    return Size(int.from_bytes(head[16:20]), int.from_bytes(head[20:24]))


def _gif(head: bytes) -> Size | None:
    if len(head) < 10:
        return None
    return Size(_little(head, 6, 2), _little(head, 8, 2))


def _bmp(head: bytes) -> Size | None:
    if len(head) < 26:
        return None
    if _little(head, 14, 4) == 12:  # of OS/2
        return Size(_little(head, 18, 2), _little(head, 20, 2))
    height = int.from_bytes(head[22:26], "little", signed=True)  # negative: its rows go downwards
    return Size(int.from_bytes(head[18:22], "little", signed=True), abs(height))


def _webp(head: bytes) -> Size | None:
    kind = head[12:16]
    if len(head) < (25 if kind == b"VP8L" else 30):
        return None
    if head[8:12] != b"WEBP":
        return UNTOLD
    if kind == b"VP8X":
        return Size(_little(head, 24, 3) + 1, _little(head, 27, 3) + 1)
    if kind == b"VP8L" and head[20] == 0x2F:
        bits = _little(head, 21, 4)
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        return Size(_little(head, 26, 2) & 0x3FFF, _little(head, 28, 2) & 0x3FFF)
    return UNTOLD


def _jpeg(head: bytes) -> Size | None:
    """Goes from segment to segment, each of which says how long it is, to the one that describes the frame."""
    at = 2
    while True:
        while head[at : at + 2] == b"\xff\xff":  # padding
            at += 1
        if at + 9 > len(head):
            return None
        marker = head[at + 1]
        if head[at] != 0xFF or marker in _ENDS:
            return UNTOLD
        if marker in _FRAMES:
            return Size(int.from_bytes(head[at + 7 : at + 9]), int.from_bytes(head[at + 5 : at + 7]))
        if marker in _ALONE:
            at += 2
            continue
        length = int.from_bytes(head[at + 2 : at + 4])
        if length < 2:
            return UNTOLD
        at += 2 + length


def _little(head: bytes, at: int, length: int) -> int:
    return int.from_bytes(head[at : at + length], "little")


_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a segment."""
_ENDS = frozenset({0x00, 0xD8, 0xD9, 0xDA})
"""Behind these there is no frame to come."""
_FORMATS: tuple[tuple[bytes, Callable[[bytes], Size | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"GIF87a", _gif),
    (b"GIF89a", _gif),
    (b"RIFF", _webp),
    (b"BM", _bmp),
)
