"""What an object's metadata may be: what every provider stores and gives back as it is."""

import re
from collections.abc import Mapping

MAX_METADATA = 2000
"""Names and values together; S3 takes 2 KB."""

_name = re.compile("[a-z][a-z0-9]*").fullmatch
_value = re.compile("[!-~]([ -~]*[!-~])?").fullmatch


def checked(metadata: Mapping[str, str]) -> dict[str, str]:
    """A copy. Raises ValueError for what not every provider can keep.

    S3 and Google send it as headers, Azure wants names as in C#, and some proxies drop headers with an underscore.
    """
    for name, value in metadata.items():
        if not _name(name) or not _value(value):
            raise ValueError(f"metadata {name!r}: a name of a to z and 0 to 9, and printable ASCII are needed")
    if sum(len(name) + len(value) for name, value in metadata.items()) > MAX_METADATA:
        raise ValueError(f"metadata is longer than {MAX_METADATA} characters")
    return dict(metadata)
