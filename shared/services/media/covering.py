"""Which storage of a project an object may be read by: the scope of everything that browsers are given."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from shared.errors import NotFoundError
from shared.model.storage import Storage
from shared.model.uris import ObjectUri
from shared.ports import Document
from shared.records.collection import Stored
from shared.services.context import Context
from shared.services.media.recorded import SCHEME_OF, Recorded

UNKNOWN = "No storage of this project holds such an object."


class Coverage:
    """Import storages, by the buckets that they read."""

    def __init__(self, storages: Iterable[Stored[Storage]]) -> None:
        self._by_bucket: dict[tuple[str, str], list[Stored[Storage]]] = defaultdict(list)
        self._roots: dict[int, str] = {}
        for stored in storages:
            provider, bucket = stored.value.provider, stored.value.config.get(stored.value.provider.bucket)
            if stored.value.direction == "import" and provider.store in SCHEME_OF and bucket:
                scheme = SCHEME_OF[provider.store]
                self._by_bucket[scheme, bucket].append(stored)
                self._roots[stored.value.id] = f"{scheme}://{bucket}/"

    def find(self, uri: ObjectUri, own: int = 0) -> Stored[Storage] | None:
        """The storage with the longest prefix that the key has, of equal ones `own`, else the oldest; None: nobody's.

        `own` is the storage that the task is of. Buckets of one name may be in several places (accounts, endpoints):
        where its own storage holds the object, another place's is not meant.
        """
        held = self._by_bucket.get((uri.scheme, uri.bucket), ())
        found = [stored for stored in held if uri.key.startswith(stored.value.prefix)]
        place = next((stored.value.location for stored in found if stored.value.id == own), None)
        return max(
            (stored for stored in found if place in {None, stored.value.location}),
            key=lambda stored: (len(stored.value.prefix), stored.value.id == own, -stored.value.id),
            default=None,
        )

    def source(self, task: Document) -> str:
        """The URI of the object that a task is of; "" if it is of no object here, or of a row in it."""
        root = self._roots.get(int(task.data.get("storage") or 0), "")
        return f"{root}{task.data['key']}" if root and task.data.get("row") is None else ""


def of_project(ctx: Context, project: int) -> Coverage:
    """What the storages of a project cover now."""
    return Coverage(ctx.storages.of_project(project))


class Covered(NamedTuple):
    """An object, and the storage to read it by."""

    storage: Stored[Storage]
    key: str


def covering(ctx: Context, uri: ObjectUri | None, project: int, task: Document | None = None) -> Covered:
    """Who reads an object: the record that the task was made of its dataset, any other a storage of the project.

    Raises `NotFoundError` for what none of them covers; asks no bucket.
    """
    if uri and task:
        datasets = Recorded(ctx)
        dataset = datasets.storage(task)
        if dataset and uri.text == datasets.source(task):
            return Covered(dataset, uri.key)
    own = int(task.data.get("storage") or 0) if task else 0
    found = of_project(ctx, project).find(uri, own) if uri else None
    if uri is None or found is None:
        raise NotFoundError(UNKNOWN)
    return Covered(found, uri.key)
