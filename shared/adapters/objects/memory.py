"""An object store in memory: small, ordered and without a clock, for simulations that must run the same way twice."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock

from shared.adapters.objects.metadata import checked
from shared.adapters.objects.unsigned import Unsigned
from shared.errors import InvalidKeyError, ObjectNotFoundError, PrefixEmptyError, VersionMismatchError
from shared.model.order import by_utf8
from shared.ports import ObjectInfo, Order, Stat


@dataclass(frozen=True, slots=True)
class _Stored:
    body: bytes
    version: str
    modified: float
    content_type: str
    metadata: Mapping[str, str]


class MemoryObjects(Unsigned):
    """Objects in a dict. Versions count up from 1 over the whole store, and `modified` is the same number."""

    order: Order = "bytes"
    seek = True
    conditional = True
    keeps_metadata = True

    def __init__(self, *, uri_prefix: str = "memory://bucket/", page_size: int = 1000) -> None:
        self._uri_prefix = uri_prefix
        self._page_size = page_size
        self._objects: dict[bytes, _Stored] = {}
        self._keys: list[bytes] = []
        self._writes = 0
        self._lock = Lock()

    def put(self, key: str, body: bytes) -> str:
        """Writes an object and returns its version."""
        return self.write(key, body, content_type="")

    def remove(self, key: str) -> None:
        """Removes an object, if it is there."""
        self.delete(key)

    def uri(self, key: str) -> str:
        """The address: the prefix and the key as it is."""
        return self._uri_prefix + key

    def sort_key(self, key: str) -> bytes:
        """The key's UTF-8."""
        return by_utf8(key)

    def check(self, prefix: str = "", *, need_object: bool = False) -> None:
        """The store is always there; only a missing object can be wrong."""
        if need_object and not any(self.pages(prefix)):
            raise PrefixEmptyError(f"No object lies under {self.uri(prefix)}")

    def pages(self, prefix: str = "", after: str = "", *, recursive: bool = True) -> Iterator[list[ObjectInfo]]:
        """Pages of `page_size`; each shows the store as it is when the page is asked for."""
        start, low = self.sort_key(prefix), self.sort_key(after)
        while True:
            with self._lock:
                at = max(bisect_left(self._keys, start), bisect_right(self._keys, low) if low else 0)
                keys = self._keys[at : at + self._page_size]
                found = [(key, self._objects[key]) for key in keys]
            inside = [(key, stored) for key, stored in found if key.startswith(start)]
            yield [_info(key, stored) for key, stored in inside if recursive or b"/" not in key[len(start) :]]
            if len(inside) < self._page_size:
                return
            low = keys[-1]

    def stat(self, key: str) -> Stat:
        """The object as it is now."""
        stored = self._found(key)
        return Stat(_info(self.sort_key(key), stored), stored.content_type, stored.metadata)

    def read(self, key: str, version: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of that version."""
        stored = self._found(key)
        if stored.version != version:
            raise VersionMismatchError(f"{self.uri(key)} was replaced")
        return stored.body[offset : None if length is None else offset + length]

    def write(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,
        expect: str | None = None,
        metadata: Mapping[str, str] = {},
    ) -> str:
        """Writes an object; a key is any text that has a UTF-8 form."""
        try:
            raw = key.encode()
        except UnicodeEncodeError:
            raw = b""
        if not raw:
            raise InvalidKeyError(f"{key!r} can't name an object")
        about = checked(metadata)
        with self._lock:
            present = self._objects.get(raw)
            if expect is not None and expect != (present.version if present else ""):
                raise self._mismatch(key)
            if present is None:
                insort(self._keys, raw)
            self._writes += 1
            self._objects[raw] = _Stored(bytes(body), str(self._writes), float(self._writes), content_type, about)
            return str(self._writes)

    def delete(self, key: str, *, expect: str | None = None) -> None:
        """Removes an object, if it is there."""
        raw = self.sort_key(key)
        with self._lock:
            present = self._objects.get(raw)
            if present is None:
                return
            if expect is not None and expect != present.version:
                raise self._mismatch(key)
            del self._objects[raw]
            del self._keys[bisect_left(self._keys, raw)]

    def close(self) -> None:
        """Nothing to release."""

    def _found(self, key: str) -> _Stored:
        stored = self._objects.get(self.sort_key(key))
        if stored is None:
            raise ObjectNotFoundError(f"{self.uri(key)} does not exist")
        return stored

    def _mismatch(self, key: str) -> VersionMismatchError:
        return VersionMismatchError(f"{self.uri(key)} is not at the expected version")


def _info(key: bytes, stored: _Stored) -> ObjectInfo:
    return ObjectInfo(key.decode(), len(stored.body), stored.version, stored.modified, content_type=stored.content_type)
