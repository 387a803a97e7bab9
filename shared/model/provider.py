"""What a storage type is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.model.fields import DIRECTIONS, Direction, Field
from shared.model.order import by_utf8

Store = Literal["s3", "gcs", "azure", "redis", "localfiles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A storage type. `location` names the fields that say *which bucket*; other ones, other ledger.

    `hosts` names those, secret or not, that say where credentials are sent to, and whom they make us. `bucket` is the
    field without which there is nothing to look into yet, if there can be such a storage.
    """

    type: str
    store: Store
    """Whose buckets these are: types of one store differ in how they authenticate, and in nothing else."""
    title: str
    fields: tuple[Field, ...]
    location: tuple[str, ...]
    lanes: bool
    """Whether many workers can list at once: false where a listing can't start at a key."""
    listed: bool = True
    """Whether the lists of types name it: Label Studio's name only those that its open-source edition has."""
    sort_key: Callable[[str], bytes] = by_utf8
    """How its buckets order keys; that of an open store is the same."""
    basename_filter: bool = False
    """`regex_filter` looks at the file's name instead of the whole key, as Label Studio does for local files."""
    hosts: tuple[str, ...] = ()
    bucket: str = ""
    prefix: str = "prefix"
    """The field that says what keys must start with."""
    folders: bool = True
    """Whether "/" makes folders. If not, the prefix is literal, and all that starts with it is taken."""
    blobs: bool = True
    """Whether objects have an address that a task can hold. If not, they are always files of tasks."""
    directions: tuple[Direction, ...] = DIRECTIONS
    """What its storages can be. Records are of objects that have an address and a version."""
    identity: Callable[[Mapping[str, str]], str] | None = None
    """What of the secrets says which bucket this is, beside `location`."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the fields that are never shown."""
        return tuple(field.name for field in self.fields if field.secret)

    def fields_of(self, direction: Direction) -> tuple[Field, ...]:
        """The fields that a storage of this direction has."""
        return tuple(field for field in self.fields if direction in field.only)

    def lacking(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of what settings and secrets, taken together, still need before the bucket can be opened."""
        return tuple(field.name for field in self.fields if field.needed_in(values) and not values.get(field.name))
