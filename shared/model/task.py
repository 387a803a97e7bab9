"""A task: one row or one object of a storage, in a project."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

UNDEFINED = "$undefined$"
"""Key of a blob-mode task's data; renamed on read to the project's first data key, as Label Studio does."""

POSITION_KEY = 300
"""Characters of the key in `position`: within Firestore's 1,500 indexed bytes, whatever the characters."""


def task_id(storage_map: str, key: str, row: int | None, *, version: str = "", salt: int = 0) -> int:
    """A positive integer below 2**53, the same whenever the same row of the same object is imported again.

    `version` is part of the identity only for rows that a changed file brought. Distinct origins may collide (about
    once in 150,000 projects of a million tasks): the next salt is taken then.
    """
    origin = f"{storage_map}\0{key}\0{'' if row is None else row}\0{version}\0{salt}"
    digest = hashlib.blake2b(origin.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) or 1


def position(storage: int, key: str, row: int | None) -> str:
    """Sorts the tasks of a project by source: storage, key, row."""
    return f"{storage:010d}/{key[:POSITION_KEY]}\x01{row or 0:010d}"


def position_range(storage: int, key: str) -> tuple[str, str]:
    """Positions of all rows of a key lie between these two (and, for long keys, some of its neighbours)."""
    stem = f"{storage:010d}/{key[:POSITION_KEY]}"
    return f"{stem}\x01", f"{stem}\x02"


def position_span(storage: int, first: str, last: str) -> tuple[str, str]:
    """Positions of all keys from `first` to `last`, in the order of their characters, lie between these two."""
    low, high = (f"{storage:010d}/{key[:POSITION_KEY]}" for key in (first, last))
    return low, f"{high}\U0010ffff"


def blob_data(uri: str) -> bytes:
    """The data of a blob-mode task."""
    return b'{"' + UNDEFINED.encode() + b'":' + orjson.dumps(uri) + b"}"


def named_data(data: dict[str, Any], first_key: str | None) -> dict[str, Any]:
    """Task data as shown: the nameless value of blob mode under the project's first data key, whatever else is there.

    A sidecar may have that key as well; it does not say where the object is.
    """
    if first_key and UNDEFINED in data:
        named = {first_key if key == UNDEFINED else key: value for key, value in data.items()}
        return {**named, first_key: data[UNDEFINED]}
    return data


def missing_keys(data: Mapping[str, Any], wanted: Sequence[str]) -> list[str]:
    """The keys of a label config that task data lacks; a nameless value will take the place of the first."""
    return [] if UNDEFINED in data else [key for key in wanted if key not in data]
