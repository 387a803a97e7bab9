"""Projects, storages, and the counters that number them."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import orjson

from shared.errors import CommitRefusedError
from shared.model.project import Project
from shared.model.storage import Storage
from shared.ports import Create, DocumentStore, Query, Ref, Update
from shared.records.collection import Collection, Stored

_STORAGE = tuple(field.name for field in fields(Storage) if field.name not in {"id", "config", "meta"})
LISTENERS = 500
"""Read at once."""
_PROJECT = tuple(field.name for field in fields(Project) if field.name != "id")


def _encode_storage(storage: Storage) -> dict[str, Any]:
    data: dict[str, Any] = {name: getattr(storage, name) for name in _STORAGE}
    data["config"] = orjson.dumps(storage.config)
    data["meta"] = orjson.dumps(storage.meta)
    # Looked for alone. Storages of earlier releases lack it, and had nothing to turn on that it could tell of.
    data["listens_to"] = storage.listens_to
    return data


def _decode_storage(id: str, data: Mapping[str, Any]) -> Storage:  # noqa: A002
    plain = {name: data[name] for name in _STORAGE if name in data}
    return Storage(id=int(id), config=orjson.loads(data["config"]), meta=orjson.loads(data["meta"]), **plain)


def _encode_project(project: Project) -> dict[str, Any]:
    data: dict[str, Any] = {name: getattr(project, name) for name in _PROJECT}
    data["control_weights"] = orjson.dumps(project.control_weights)
    return data


def _decode_project(id: str, data: Mapping[str, Any]) -> Project:  # noqa: A002
    plain = {name: data[name] for name in _PROJECT if name in data}
    if "control_weights" in plain:
        plain["control_weights"] = orjson.loads(plain["control_weights"])
    return Project(id=int(id), **plain)


class Storages(Collection[Storage]):
    """Storages of every type and direction; ids are unique over all of them."""

    def __init__(self, documents: DocumentStore) -> None:
        super().__init__(documents, "storages", _encode_storage, _decode_storage)

    def due(self, moment: float, limit: int) -> list[Stored[Storage]]:
        """Storages whose next sync was to be started by a time, the longest due first."""
        return self.find(("next_sync", "<=", moment), order=("next_sync",), limit=limit)

    def of_project(self, project: int, limit: int = 500) -> list[Stored[Storage]]:
        """A project's storages, oldest first."""
        found = self.find(("project", "==", project), limit=limit)
        return sorted(found, key=lambda stored: stored.value.id)

    def listening_to(self, bucket: str) -> list[Storage]:
        """Storages that honour the notifications of buckets with that `bucket_id`."""
        found: list[Storage] = []
        after: tuple[Any, ...] | None = None
        while True:
            page = self.find(("listens_to", "==", bucket), after=after, limit=LISTENERS)
            found += [stored.value for stored in page]
            if len(page) < LISTENERS:
                return found
            after = (str(page[-1].value.id),)


class Projects(Collection[Project]):
    """Projects."""

    def __init__(self, documents: DocumentStore) -> None:
        super().__init__(
            documents,
            "projects",
            _encode_project,
            _decode_project,
        )

    def listed(self, limit: int) -> Query:
        """The query behind pages of all projects: pinned ones first, then the newest."""
        return self.query(order=("-pinned_at", "-created_at"), limit=limit)

    def count(self) -> int:
        """How many projects there are."""
        return self.documents.count(Query(collection=self.name))


def next_id(documents: DocumentStore, counter: str) -> int:
    """The next number of a counter, from 1; never given twice, also not to two callers at once."""
    ref = Ref("counters", counter)
    for _ in range(100):
        found = documents.get(ref)
        value = found.data["value"] + 1 if found else 1
        write = Update(ref, {"value": value}, found.revision) if found else Create(ref, {"value": value})
        try:
            documents.commit([write])
        except CommitRefusedError:
            continue
        return int(value)
    raise CommitRefusedError(f"too many callers count {counter} at once; try again")
