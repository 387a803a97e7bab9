"""How far a request came in a file of rows."""

import base64
import binascii
import hashlib
import json
from typing import NamedTuple

from shared.errors import InvalidInputError
from shared.model.rows import Checkpoint

MAX_TEXT = 16_384


class RowCursor(NamedTuple):
    """Stands in `after` and `next`: all rows of this version of an object up to a place were looked at.

    `asked` is a hash of filter and columns; with the same ones, they were checked by the request before, and `times`
    are the columns that are compared as times. Whoever makes one up sees other rows of the same file, no more.
    """

    key: str
    version: str
    place: Checkpoint
    asked: str
    times: tuple[str, ...]

    def text(self) -> str:
        """As requests carry it."""
        body = json.dumps([self.key, self.version, *self.place, self.asked, self.times], separators=(",", ":"))
        return base64.urlsafe_b64encode(body.encode()).rstrip(b"=").decode()

    @classmethod
    def of(cls, text: str) -> "RowCursor":
        """The cursor that a text stands for. Raises `InvalidInputError` for what is none."""
        try:
            raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
            key, version, row, offset, asked, times = json.loads(raw[:MAX_TEXT])
            fits = all(isinstance(it, str) for it in (key, version, asked, *times)) and isinstance(times, list)
            if fits and all(type(it) is int and 0 <= it < 2**53 for it in (row, offset)):
                return cls(key, version, Checkpoint(row, offset), asked, tuple(times))
        except (binascii.Error, ValueError, TypeError, RecursionError):
            pass
        raise InvalidInputError.of("after", "Not a cursor: give the `next` of the part before, or nothing.")


def hash_of(*asked: object) -> str:
    """Equal for the same questions."""
    return hashlib.blake2b(json.dumps(asked).encode(), digest_size=8).hexdigest()
