"""Objects with sidecars as files of one row each: the address, and what the sidecar says beside it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from shared.errors import ObjectNotFoundError, StoreError, UnusableObjectError
from shared.model.ledger import Entry, ObjectInfo, Todo
from shared.model.sidecars import both, sidecar_of
from shared.model.task import UNDEFINED
from shared.ports import ObjectStore
from shared.services.context import Context
from shared.services.imports.fetching import Fetched, fetch
from shared.services.imports.reading.values import explain, parse

PARTS = ("predictions", "annotations")
"""Keys of a sidecar without "data" that are no data."""


class Sidecars:
    """The sidecars of one chunk's objects, by their object's key."""

    def __init__(self, ctx: Context, store: ObjectStore, infos: Mapping[str, ObjectInfo]) -> None:
        self._ctx, self._store, self._infos = ctx, store, infos

    def fetch(self, todos: Sequence[Todo]) -> Iterator[Fetched]:
        """Each object as the row that it makes, or the error that kept us from it; read ahead, in order."""
        wanted = [Todo(self._infos[it.listed.key], it.kind, None) for it in todos if it.listed.key in self._infos]
        read = fetch(self._ctx, self._store, wanted)
        for todo in todos:
            if todo.listed.key in self._infos:
                _, got = next(read)
                yield todo, self._row(todo.listed.key, self._infos[todo.listed.key], got)
            else:
                yield todo, _merged(self._store.uri(todo.listed.key), {})

    def again(self, todo: Todo, entry: Entry | None) -> Fetched:
        """The same of what is there now, since one of the two was replaced after it was listed."""
        key = todo.listed.key
        try:
            info = self._store.stat(key).info
            try:
                sidecar = self._store.stat(sidecar_of(key)).info
            except ObjectNotFoundError:
                return Todo(info, "changed", entry), _merged(self._store.uri(key), {})
            got = self._store.read(sidecar.key, sidecar.version)
            return Todo(both(info, sidecar), "changed", entry), self._row(key, sidecar, got)
        except StoreError as error:
            return todo._replace(entry=entry), error

    def _row(self, key: str, sidecar: ObjectInfo, got: bytes | StoreError | None) -> bytes | StoreError:
        if isinstance(got, StoreError):
            return got
        limit = self._ctx.settings.max_row_bytes
        if got is None or len(got) > limit:
            return UnusableObjectError(f"{sidecar.key} has {sidecar.size} bytes; the limit is {limit}")
        try:
            said = parse(got)
        except ValueError as error:
            return UnusableObjectError(f"{sidecar.key}: {explain(error, got)}")
        if not isinstance(said, dict):
            return UnusableObjectError(f"{sidecar.key} must be an object of data keys, or of data and predictions")
        try:
            return _merged(self._store.uri(key), said)
        except orjson.JSONEncodeError as error:
            return UnusableObjectError(f"{sidecar.key} can't be written as JSON: {error}")


def _merged(uri: str, said: dict[str, Any]) -> bytes:
    """A row: the address under the name that is none, data keys, and what else a task may bring."""
    wrapped = isinstance(said.get("data"), dict)
    given = said["data"] if wrapped else {name: value for name, value in said.items() if name not in PARTS}
    data = {UNDEFINED: uri, **{name: value for name, value in given.items() if name != UNDEFINED}}
    more = said if wrapped else {name: said[name] for name in PARTS if name in said}
    return orjson.dumps({**more, "data": data})
