"""A database of a Redis server: the keys are objects, string values their content."""

import re
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from shared.adapters.objects.attempts import tried
from shared.adapters.objects.metadata import checked
from shared.adapters.objects.redis_scripts import DELETE, LOOK, WRITE, version_of
from shared.adapters.objects.unsigned import Unsigned
from shared.errors import InvalidKeyError, ObjectNotFoundError, PrefixEmptyError, StoreError, VersionMismatchError
from shared.model.order import by_utf8
from shared.ports import ObjectInfo, Order, Stat

if TYPE_CHECKING:
    import redis

P = ParamSpec("P")
R = TypeVar("R")

PAGE = 1000
SCAN_COUNT = 1000
VERSION = "-"
MAX_KEYS = 1_000_000
NOT_TEXT = "The key is not valid UTF-8"
DEFAULT_PORT = 6379

_special = re.compile(rb"[\\*?\[\]^-]")


class RedisObjects(Unsigned):
    """One database (`db`, from 0) of the server at `host`, this machine if that is empty.

    Redis lists in no order and repeats itself, so the names are collected first, up to `max_keys`, and sorted; a key
    that comes or goes meanwhile may be missed or still be listed. Redis keeps no versions: that of every object is
    "-", so an object that was imported never counts as changed, and a read gives what is there now. Values that are
    no strings are listed with size 0, and reading one is an `ObjectError`. Redis tells no time of change, nor does it
    keep metadata.

    With `versions` a value's version is the digest that the server makes of it when it is asked, by a script: writes
    and deletes are conditional then. A listing makes it digest all values, so this is for small ones.
    """

    order: Order = "bytes"
    seek = False
    keeps_metadata = False

    def __init__(
        self,
        host: str | None = None,
        *,
        port: str | int | None = None,
        password: str | None = None,
        db: int = 0,
        max_keys: int = MAX_KEYS,
        versions: bool = False,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        attempts: int = 4,
    ) -> None:
        self._max_keys, self._versions = max_keys, versions
        self._secrets = [password] if password else []
        self._attempts = attempts
        self._options: dict[str, Any] = {
            "host": host or "localhost",
            "port": int(port or DEFAULT_PORT),
            "password": password or None,
            "db": db,
            "socket_connect_timeout": connect_timeout,
            "socket_timeout": read_timeout,
            "protocol": 2,  # what servers before 6 speak as well
        }
        self._lock = Lock()
        self._made: redis.Redis | None = None

    @property
    def conditional(self) -> bool:
        """Where values have versions."""
        return self._versions

    def uri(self, key: str) -> str:
        """The key: Redis has no scheme, and nobody resolves such an address."""
        return key

    def sort_key(self, key: str) -> bytes:
        """The key's UTF-8."""
        return by_utf8(key)

    def check(self, prefix: str = "", *, need_object: bool = False) -> None:
        """Asks the server for a sign of life, and looks for a key if one is needed."""
        self._call(self._client().ping)
        if need_object and not any(True for _ in self._names(prefix)):
            raise PrefixEmptyError(f"No key in Redis begins with {prefix!r}")

    def pages(self, prefix: str = "", after: str = "", *, recursive: bool = True) -> Iterator[list[ObjectInfo]]:
        """Collects and sorts all names, then asks for sizes a page at a time. Raises `StoreError` above `max_keys`."""
        names: set[bytes] = set()
        for name in self._names(prefix):
            names.add(name)
            if len(names) > self._max_keys:
                raise StoreError(
                    f"More than {self._max_keys:,} keys begin with {prefix!r}, and Redis lists in no order: set a "
                    "longer path, or raise SLUICE_MAX_UNORDERED_KEYS where Sluice runs."
                )
        strange = _stand_ins(names)
        names -= set(strange.values())
        names |= strange.keys()
        low, start = self.sort_key(after), len(self.sort_key(prefix))
        wanted = sorted(name for name in names if name > low and (recursive or b"/" not in name[start:]))
        for at in range(0, len(wanted), PAGE):
            yield self._described(wanted[at : at + PAGE], strange)

    def stat(self, key: str) -> Stat:
        """The value as it is now."""
        name = self._name(key)
        if self._versions:
            found = self._call(self._client().eval, LOOK, 1, name)
            if not found:
                raise self._absent(key)
            return Stat(ObjectInfo(key, found[0], found[1].decode(), 0.0))
        pipeline = self._client().pipeline(transaction=True)
        pipeline.exists(name)
        pipeline.strlen(name)
        there, size = self._call(pipeline.execute, raise_on_error=False)
        self._raised(there)
        if not there:
            raise self._absent(key)
        return Stat(ObjectInfo(key, size if isinstance(size, int) else 0, VERSION, 0.0))

    def read(self, key: str, version: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """The value as it is now; with `versions` all of it is fetched, to see whether that is the one asked for."""
        name, client = self._name(key), self._client()
        if self._versions or (offset == 0 and length is None):
            value = self._call(client.get, name)
        elif length == 0:
            value = b""
        else:
            value = self._call(client.getrange, name, offset, -1 if length is None else offset + length - 1)
        if not value and not self._call(client.exists, name):  # a part of what is not there is empty, too
            raise self._absent(key)
        body = bytes(value or b"")  # type: ignore[arg-type]
        if not self._versions:
            return body
        if version_of(body) != version:
            raise VersionMismatchError(f"The key {key!r} in Redis was replaced")
        return body[offset : None if length is None else offset + length]

    def write(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,  # noqa: ARG002
        expect: str | None = None,
        metadata: Mapping[str, str] = {},
    ) -> str:
        """Sets the value, on condition of its digest with `versions`."""
        checked(metadata)
        name = _encoded(key)
        if not name:
            raise InvalidKeyError(f"{key!r} can't name an object")
        if not self._versions or expect is None:
            self._call(self._client().set, name, body)
        else:
            self._conditional(WRITE, key, name, expect, body)
        return version_of(body) if self._versions else VERSION

    def delete(self, key: str, *, expect: str | None = None) -> None:
        """Removes the key, on condition of its digest with `versions`."""
        name = _encoded(key)
        if not name:
            return
        if not self._versions or expect is None:
            self._call(self._client().delete, name)
        else:
            self._conditional(DELETE, key, name, expect)

    def close(self) -> None:
        """Closes the connections."""
        with self._lock:
            if self._made:
                self._made.close()

    def _names(self, prefix: str) -> Iterator[bytes]:
        """Names as Redis scans them: in no order, some more than once."""
        match = _special.sub(rb"\\\g<0>", self.sort_key(prefix)) + b"*"
        client, cursor = self._client(), 0
        while True:
            cursor, names = self._call(client.scan, cursor, match=match, count=SCAN_COUNT)
            yield from filter(None, names)
            if cursor == 0:
                return

    def _conditional(self, script: str, key: str, name: bytes, *arguments: str | bytes) -> None:
        """Has the server compare and change in one step. Raises `VersionMismatchError`."""

        def send() -> None:
            if not self._once(self._client().eval, script, 1, name, *arguments):
                raise VersionMismatchError(f"The key {key!r} in Redis is not at the expected version")

        tried(self._attempts, send, conditional=script is WRITE)

    def _described(self, names: list[bytes], strange: Mapping[bytes, bytes]) -> list[ObjectInfo]:
        pipeline = self._client().pipeline(transaction=False)
        for name in names:
            if self._versions:
                pipeline.eval(LOOK, 1, strange.get(name, name))
            else:
                pipeline.strlen(strange.get(name, name))
        found: list[ObjectInfo] = []
        for name, answer in zip(names, self._call(pipeline.execute, raise_on_error=False), strict=True):
            if isinstance(answer, Exception) and "WRONGTYPE" not in str(answer):
                self._raised(answer)
            size = answer if isinstance(answer, int) else 0
            version = VERSION
            if isinstance(answer, list):
                if not answer:
                    continue  # gone since its name was found
                size, version = answer[0], answer[1].decode()
            found.append(ObjectInfo(name.decode(), size, version, 0.0, NOT_TEXT if name in strange else ""))
        return found

    def _client(self) -> "redis.Redis":
        if self._made is None:
            with self._lock:
                if self._made is None:
                    # Its client takes its time to import, which who has no Redis need not spend.
                    import redis
                    from redis.backoff import NoBackoff
                    from redis.retry import Retry

                    # Who asks again is `tried`, which knows what a lost answer means.
                    self._made = redis.Redis(retry=Retry(NoBackoff(), 0), **self._options)
        return self._made

    def _call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return tried(self._attempts, lambda: self._once(function, *args, **kwargs))

    def _once(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        from shared.adapters.objects.redis_errors import call

        return call(self._secrets, function, *args, **kwargs)

    def _raised(self, answer: Any) -> None:
        if isinstance(answer, Exception):
            from shared.adapters.objects.redis_errors import translated

            raise translated(answer, self._secrets)

    def _name(self, key: str) -> bytes:
        name = _encoded(key)
        if not name:
            raise ObjectNotFoundError(f"{key!r} can't name an object")
        return name

    def _absent(self, key: str) -> ObjectNotFoundError:
        return ObjectNotFoundError(f"The key {key!r} does not exist in Redis")


def _encoded(key: str) -> bytes:
    """The key's bytes; none if it can't have any."""
    try:
        return key.encode()
    except UnicodeEncodeError:
        return b""


def _stand_ins(names: set[bytes]) -> dict[bytes, bytes]:
    """What is shown, and sorted, in place of names that are no text."""
    found: dict[bytes, bytes] = {}
    for name in names:
        try:
            name.decode()
        except UnicodeDecodeError:
            shown = name.decode("utf-8", "backslashreplace").encode()
            while shown in names or shown in found:
                shown += b"?"
            found[shown] = name
    return found
