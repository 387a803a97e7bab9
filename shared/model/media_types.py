"""What kind of media an object is, told by its name: for objects that were stored without a word of it."""

from mimetypes import MimeTypes
from posixpath import splitext

MAX_TYPE = 100
"""Characters of a type that is kept."""
OCTETS = "application/octet-stream"
_UNTOLD = frozenset({"", OCTETS, "binary/octet-stream", "application/x-www-form-urlencoded"})
"""Types that stores and upload tools give to what nobody told them the type of."""
_MORE = {
    ".aac": "audio/aac",
    ".avif": "image/avif",
    ".flac": "audio/flac",
    ".heic": "image/heic",
    ".jfif": "image/jpeg",
    ".jsonl": "application/x-ndjson",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".md": "text/markdown",
    ".mkv": "video/x-matroska",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".weba": "audio/webm",
    ".webp": "image/webp",
}
_MEDIA = ("image/", "audio/", "video/", "application/pdf")
# The language's own table: machines have others, and would answer differently.
_TYPES = MimeTypes(()).types_map[True] | _MORE


def guessed(key: str) -> str:
    """A type by the name's ending; "" for none that is known."""
    return _TYPES.get(splitext(key.rpartition("/")[2])[1].lower(), "")


def displayed(key: str, stored: str) -> str:
    """The type to answer with: what the store says, unless it says nothing."""
    return stored if stored.partition(";")[0].strip().lower() not in _UNTOLD else guessed(key) or OCTETS


def of_record(key: str, listed: str) -> str:
    """What the ledger keeps of a listed type: "" where it is no other than the key's name tells, or none at all."""
    plain = listed.partition(";")[0].strip().lower()
    return plain if displayed(key, plain) == plain != displayed(key, "") and len(plain) <= MAX_TYPE else ""


def signed(key: str) -> str:
    """The type to have a store answer with that is not asked for its own: of media alone, since text has a charset."""
    found = guessed(key)
    return found if found.startswith(_MEDIA) else ""
