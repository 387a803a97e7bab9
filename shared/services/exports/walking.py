"""What a full sync of a target walks over: units by id, then links beside the bucket's listing, by key."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from shared.model.chunk import start_index
from shared.model.link import Link
from shared.model.storage import Storage
from shared.ports import Filter, ObjectStore, Query
from shared.records.annotations import ANNOTATIONS, annotation_ids
from shared.records.collection import Stored
from shared.services.context import Context
from shared.services.exports import units
from shared.services.labelling import tasks

PAGE = 500


class Step(NamedTuple):
    """An annotation that the walk came to; `unit` is 0 where another annotation of the same task stands for it."""

    annotation: str
    unit: int


def steps(ctx: Context, storage: Storage, after: str, until: str | None) -> Iterator[list[Step]]:
    """The project's annotations of `(after, until]`, in the order of their ids as text, a page at a time."""
    by_task = units.format_of(storage) == "task"
    query = Query(
        collection=ANNOTATIONS,
        where=(Filter("project", "==", storage.project),),
        after=(after,) if after else None,
        limit=PAGE,
        select=("task",),
    )
    while True:
        found = ctx.documents.query(query)
        page = [document for document in found if until is None or document.ref.id <= until]
        if by_task:
            numbers = list(dict.fromkeys(document.data["task"] for document in page))
            first = {task.ref.id: annotation_ids(task)[:1] for task in tasks.get_many(ctx, numbers) if task is not None}
            yield [
                Step(one.ref.id, one.data["task"] if first.get(str(one.data["task"])) == [int(one.ref.id)] else 0)
                for one in page
            ]
        else:
            yield [Step(document.ref.id, int(document.ref.id)) for document in page]
        if len(found) < PAGE or len(page) < len(found):
            return
        query = replace(query, after=query.cursor(found[-1]))


def links(ctx: Context, storage_map: str, store: ObjectStore, after: str, until: str | None) -> Iterator[Stored[Link]]:
    """The links of a target whose keys lie in `(after, until]`, in the bucket's order."""
    left = store.sort_key(after) if after else b""
    right = None if until is None else store.sort_key(until)
    high = None if right is None else start_index(right)
    cursor: tuple[Any, ...] | None = None
    while True:
        page = ctx.links.in_order(storage_map, start_index(left), after=cursor, limit=PAGE)
        for stored in page:
            if high is not None and stored.value.order > high:
                return
            key = store.sort_key(stored.value.key)
            if key > left and (right is None or key <= right):
                yield stored
        if len(page) < PAGE:
            return
        cursor = (page[-1].value.order, page[-1].value.id)
