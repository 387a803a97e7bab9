"""A database of a Redis server: the keys are objects, string values their content."""

import re
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from shared.errors import InvalidKeyError, ObjectNotFoundError, PrefixEmptyError, StoreError
from shared.ports import ObjectInfo, Order

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


class RedisObjects:
    """One database (`db`, from 0) of the server at `host`, this machine if that is empty.

    Redis lists in no order and repeats itself, so the names are collected first, up to `max_keys`, and sorted; a key
    that comes or goes meanwhile may be missed or still be listed. Redis keeps no versions: that of every object is
    "-", so an object that was imported never counts as changed, and a read gives what is there now. Values that are
    no strings are listed with size 0, and reading one is an `ObjectError`. Redis tells no time of change.
    """

    order: Order = "bytes"
    seek = False
    conditional = False

    def __init__(
        self,
        host: str | None = None,
        *,
        port: str | int | None = None,
        password: str | None = None,
        db: int = 0,
        max_keys: int = MAX_KEYS,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        attempts: int = 4,
    ) -> None:
        self._max_keys = max_keys
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

    def uri(self, key: str) -> str:
        """The key: Redis has no scheme, and nobody resolves such an address."""
        return key

    def sort_key(self, key: str) -> bytes:
        """The key's UTF-8."""
        return key.encode("utf-8", "surrogatepass")

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

    def stat(self, key: str) -> ObjectInfo:
        """The value as it is now."""
        name = self._name(key)
        pipeline = self._client().pipeline(transaction=True)
        pipeline.exists(name)
        pipeline.strlen(name)
        there, size = self._call(pipeline.execute, raise_on_error=False)
        self._raised(there)
        if not there:
            raise self._absent(key)
        return ObjectInfo(key, size if isinstance(size, int) else 0, VERSION, 0.0)

    def read(self, key: str, version: str, *, offset: int = 0, length: int | None = None) -> bytes:  # noqa: ARG002
        """The value as it is now, whatever the version."""
        name, client = self._name(key), self._client()
        if offset == 0 and length is None:
            value = self._call(client.get, name)
        elif length == 0:
            value = b""
        else:
            value = self._call(client.getrange, name, offset, -1 if length is None else offset + length - 1)
        if not value and not self._call(client.exists, name):  # a part of what is not there is empty, too
            raise self._absent(key)
        return bytes(value or b"")  # type: ignore[arg-type]

    def write(self, key: str, body: bytes, *, content_type: str, expect: str | None = None) -> str:  # noqa: ARG002
        """Sets the value."""
        name = _encoded(key)
        if not name:
            raise InvalidKeyError(f"{key!r} can't name an object")
        self._call(self._client().set, name, body)
        return VERSION

    def delete(self, key: str) -> None:
        """Removes the key."""
        if name := _encoded(key):
            self._call(self._client().delete, name)

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

    def _described(self, names: list[bytes], strange: Mapping[bytes, bytes]) -> list[ObjectInfo]:
        pipeline = self._client().pipeline(transaction=False)
        for name in names:
            pipeline.strlen(strange.get(name, name))
        found: list[ObjectInfo] = []
        for name, size in zip(names, self._call(pipeline.execute, raise_on_error=False), strict=True):
            if isinstance(size, Exception) and "WRONGTYPE" not in str(size):
                self._raised(size)
            length = size if isinstance(size, int) else 0
            found.append(ObjectInfo(name.decode(), length, VERSION, 0.0, NOT_TEXT if name in strange else ""))
        return found

    def _client(self) -> "redis.Redis":
        if self._made is None:
            with self._lock:
                if self._made is None:
                    # Its client takes its time to import, which who has no Redis need not spend.
                    import redis
                    from redis.backoff import ExponentialBackoff
                    from redis.retry import Retry

                    retry = Retry(ExponentialBackoff(cap=2.0, base=0.1), self._attempts - 1)
                    self._made = redis.Redis(retry=retry, **self._options)
        return self._made

    def _call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
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
