"""Sizes of images by their first bytes: of every format, of damaged files, and of hostile ones."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.image_size import LARGEST, UNTOLD, Size, size_of

MAGICS = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF", b"BM", b"RIFF\0\0\0\0WEBPVP8 "]


def png(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg(width, height, *, before=b"", frame=0xC0):
    body = struct.pack(">BHHB", 8, height, width, 3) + b"\x01\x22\x00" * 3
    return b"\xff\xd8" + segment(0xE0, b"JFIF\0" + b"\0" * 9) + before + segment(frame, body) + segment(0xDA, b"")


def webp(kind, body):
    return b"RIFF" + struct.pack("<I", len(body) + 12) + b"WEBP" + kind + struct.pack("<I", len(body)) + body


IMAGES = {
    "png": (png(640, 480), Size(640, 480)),
    "gif 87": (b"GIF87a" + struct.pack("<HH", 640, 480), Size(640, 480)),
    "gif 89": (b"GIF89a" + struct.pack("<HH", 3, 2), Size(3, 2)),
    "bmp": (b"BM" + b"\0" * 12 + struct.pack("<Iii", 40, 640, 480), Size(640, 480)),
    "bmp downwards": (b"BM" + b"\0" * 12 + struct.pack("<Iii", 124, 640, -480), Size(640, 480)),
    "bmp of os/2": (b"BM" + b"\0" * 12 + struct.pack("<IHHI", 12, 640, 480, 0), Size(640, 480)),
    "jpeg": (jpeg(640, 480), Size(640, 480)),
    "jpeg, progressive": (jpeg(640, 480, frame=0xC2), Size(640, 480)),
    "jpeg, padded": (jpeg(640, 480, before=b"\xff\xff\xff"), Size(640, 480)),
    "jpeg of a camera": (jpeg(6000, 4000, before=segment(0xE1, b"Exif" * 9000)), Size(6000, 4000)),
    "jpeg, huffman first": (jpeg(640, 480, before=segment(0xC4, b"x" * 30)), Size(640, 480)),
    "jpeg, restart first": (jpeg(640, 480, before=b"\xff\xd0"), Size(640, 480)),
    "webp, lossy": (webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 640 | 1 << 14, 480)), Size(640, 480)),
    "webp, lossless": (webp(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14)), Size(640, 480)),
    "webp, extended": (
        webp(b"VP8X", b"\0\0\0\0" + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")),
        Size(640, 480),
    ),
}
HOSTILE = {
    "empty": b"",
    "text": b"hello, this is no image at all",
    "png without header": b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rJUNK" + b"\0" * 20,
    "png of no width": png(0, 480),
    "png beyond all measure": png(LARGEST + 1, 1),
    "jpeg whose scan comes first": b"\xff\xd8" + segment(0xDA, b"x" * 20),
    "jpeg with a segment of no length": b"\xff\xd8\xff\xe0\0\0" + b"x" * 20,
    "jpeg with junk between": b"\xff\xd8\xff\xe0\0\x04ab" + b"junk" * 5,
    "jpeg that ends": b"\xff\xd8\xff\xd9" + b"\0" * 20,
    "riff of sound": b"RIFF\0\0\0\0WAVE" + b"\0" * 30,
    "webp of an unknown kind": webp(b"VP9 ", b"\0" * 20),
    "webp without its start code": webp(b"VP8 ", b"\0" * 20),
    "bmp of negative width": b"BM" + b"\0" * 12 + struct.pack("<Iii", 40, -640, 480),
}


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_tells_its_size(name):
    body, size = IMAGES[name]
    assert size_of(body + b"\0" * 8) == size


@pytest.mark.parametrize("name", IMAGES)
def test_a_part_asks_for_more_or_knows(name):
    """Never another size, however short the part."""
    body, size = IMAGES[name]
    for end in range(len(body) if len(body) < 1000 else 200):
        assert size_of(body[:end]) in ({None, size} if end > 7 else {None, UNTOLD})


@pytest.mark.parametrize("name", HOSTILE)
def test_what_tells_none(name):
    assert size_of(HOSTILE[name]) == UNTOLD


@given(st.sampled_from(MAGICS), st.binary(max_size=300))
def test_nothing_raises_and_no_size_is_absurd(magic, rest):
    found = size_of(magic + rest)
    assert found is None or found == UNTOLD or (0 < found.width <= LARGEST and 0 < found.height <= LARGEST)


def test_a_header_of_small_steps_is_walked_once():
    """64 KiB of nothing but the shortest segments, padding, and markers without a body."""
    for step in (segment(0xE0, b""), b"\xff", b"\xff\xd0"):
        head = b"\xff\xd8" + step * (65536 // len(step))
        assert size_of(head) in (None, UNTOLD)
