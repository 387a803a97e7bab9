"""Tasks. Content is opaque JSON bytes: nested arrays, deep maps and large integers are nobody's business here."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from shared.model.task import position, position_range
from shared.ports import Create, Document, DocumentStore, Filter, Query, Ref

COLLECTION = "tasks"


class Origin(NamedTuple):
    """Where a task comes from; equal origin, same task."""

    map: str
    key: str
    row: int | None


def ref(task: int | str) -> Ref:
    """Names a task."""
    return Ref(COLLECTION, str(task))


def create(
    task: int,
    *,
    project: int,
    storage: int,
    origin: Origin,
    version: str,
    now: float,
    data: bytes,
    **content: Any,
) -> Create:
    """A new task. `content`: digest, predictions, annotations, meta, counts; what is absent or default is left out."""
    document: dict[str, Any] = {
        "project": project,
        "deleted": False,
        "position": position(storage, origin.key, origin.row),
        "storage": storage,
        "map": origin.map,
        "key": origin.key,
        "row": origin.row,
        "version": version,
        "created_at": now,
        "updated_at": now,
        "data": data,
    }
    if content:
        document.update(content)
    return Create(ref(task), document)


def origin(document: Document) -> Origin:
    """The origin a stored task carries."""
    data = document.data
    return Origin(data.get("map", ""), data.get("key", ""), data.get("row"))


def annotated(document: Document) -> bool:
    """Whether a person (or an imported annotation) has left work on it; such a task is never rewritten."""
    data = document.data
    return bool(data.get("total_annotations") or data.get("cancelled_annotations") or data.get("drafts"))


class Tasks:
    """Queries over tasks. The default order is the order of their source: storage, key, row."""

    def __init__(self, documents: DocumentStore) -> None:
        self.documents = documents

    def get(self, task: int) -> Document | None:
        """A task that was not deleted, or None."""
        document = self.documents.get(ref(task))
        return None if document is None or document.data.get("deleted") else document

    def query(self, project: int, *, limit: int) -> Query:
        """The query behind pages of a project's tasks."""
        return Query(collection=COLLECTION, where=self._live(project), order=("position",), limit=limit)

    def page(
        self, project: int, *, after: tuple[Any, ...] | None, limit: int, select: tuple[str, ...] | None = None
    ) -> tuple[list[Document], Query]:
        """A page of a project's tasks, and the query, for its `cursor`."""
        query = replace(self.query(project, limit=limit), after=after, select=select)
        return self.documents.query(query), query

    def count(self, project: int) -> int:
        """How many tasks a project has."""
        everywhere = Filter("position", ">=", "")  # so that the index of `page` serves, and needs no other beside it
        return self.documents.count(Query(collection=COLLECTION, where=(*self._live(project), everywhere)))

    def count_above(self, project: int, field: str, number: int) -> int:
        """How many tasks of a project have a counter greater than `number`, which is not negative."""
        return self.documents.count(self._above(project, field, number))

    def totals(self, project: int, fields: Sequence[str]) -> dict[str, int]:
        """Sums of counters over a project's tasks; only tasks whose counter is not zero are looked at."""
        return {field: self.documents.sum(self._above(project, field, 0), [field])[field] for field in fields}

    def of_key(self, project: int, storage: int, storage_map: str, key: str) -> list[Document]:
        """All tasks of one object, deleted ones too (marked `deleted`)."""
        found: list[Document] = []
        low, high = position_range(storage, key)
        for deleted in (False, True):
            after = None
            while True:
                query = Query(
                    collection=COLLECTION,
                    where=(
                        Filter("project", "==", project),
                        Filter("deleted", "==", deleted),
                        Filter("position", ">=", low),
                        Filter("position", "<", high),
                    ),
                    order=("position",),
                    after=after,
                    limit=500,
                    select=_WITHOUT_CONTENT,
                )
                page = self.documents.query(query)
                found += [d for d in page if d.data["key"] == key and d.data["map"] == storage_map]
                if len(page) < 500:
                    break
                after = query.cursor(page[-1])
        return found

    def _above(self, project: int, field: str, number: int) -> Query:
        where = (*self._live(project), Filter(field, ">", number))
        return Query(collection=COLLECTION, where=where, order=(field,))

    @staticmethod
    def _live(project: int) -> tuple[Filter, ...]:
        return Filter("project", "==", project), Filter("deleted", "==", False)


_WITHOUT_CONTENT = (
    "position",
    "deleted",
    "map",
    "key",
    "row",
    "digest",
    "total_annotations",
    "cancelled_annotations",
    "drafts",
)
