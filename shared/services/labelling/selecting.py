"""Tasks by filter and in another order than their source's.

The tasks of a project are looked through once, by the columns that matter, and the numbers of those selected are kept
for the pages that follow. That needs no index, which every import would pay for, and is bounded: a project beyond the
limit can be read in the order of its source.
"""

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any, NamedTuple

import orjson

from shared.errors import InvalidInputError, NotFoundError
from shared.model.project import Project
from shared.model.selection import Selection, columns_of
from shared.model.task import named_data
from shared.ports import Document
from shared.services.context import Context
from shared.services.labelling import tasks
from shared.services.labelling.tasks import Totals

LIFE = 300.0
"""Seconds for which later pages are those of the list that the first page made."""
MAX_KEPT = 50
STRIDE = 1000
STRIDE_WITH_DATA = 200
"""Tasks read at once; fewer where their data is needed, as each may take a megabyte."""
_ALWAYS = ("position", "total_annotations", "total_predictions", "cancelled_annotations")


class Found(NamedTuple):
    """What a selection came to."""

    numbers: list[int]
    totals: Totals
    since: float


class SelectedPages:
    """Pages of selections. One per process; what it remembers only saves work."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, str], Found] = OrderedDict()
        self._lock = Lock()

    def read(
        self, ctx: Context, project: Project, selection: Selection, page: int, size: int
    ) -> tuple[list[Document], Totals]:
        """A page, counted from 1. Raises `NotFoundError` behind the end, `InvalidInputError` for too many tasks."""
        found = self._found(ctx, project, selection, fresh=page == 1)
        numbers = found.numbers[(page - 1) * size : page * size] if page else []
        if not numbers and page != 1:
            raise NotFoundError("Invalid page.")
        return [task for task in tasks.get_many(ctx, numbers) if task is not None], found.totals

    def _found(self, ctx: Context, project: Project, selection: Selection, *, fresh: bool) -> Found:
        key, now = (project.id, selection.text), ctx.clock()
        with self._lock:
            known = self._kept.get(key)
        if known and not fresh and now - known.since < LIFE:
            return known
        found = select(ctx, project, selection)
        with self._lock:
            self._kept[key] = found
            self._kept.move_to_end(key)
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return found


def select(ctx: Context, project: Project, selection: Selection) -> Found:
    """Looks through a project's tasks. Raises `InvalidInputError` if they are too many."""
    limit = ctx.settings.max_selected_tasks
    names, keys = columns_of(selection.columns)
    fields = tuple(dict.fromkeys([*_ALWAYS, *sorted(names), *(["data"] if keys else [])]))
    rows: list[Mapping[str, Any]] = []
    after, seen = None, 0
    while True:
        wanted = min(STRIDE_WITH_DATA if keys else STRIDE, limit + 1 - seen)
        page, query = ctx.tasks.page(project.id, after=after, limit=wanted, select=fields)
        rows += [row for row in (_row(task, keys, project) for task in page) if selection.takes(row)]
        seen += len(page)
        if seen > limit:
            text = f"The project has more than {limit} tasks: read them in the order of their source, without a query."
            raise InvalidInputError.of("query", text)
        if len(page) < wanted:
            break
        after = query.cursor(page[-1])
    selection.sort(rows)
    totals = Totals(
        len(rows), sum(row["total_annotations"] for row in rows), sum(row["total_predictions"] for row in rows)
    )
    return Found([row["id"] for row in rows], totals, ctx.clock())


def _row(task: Document, keys: frozenset[str], project: Project) -> dict[str, Any]:
    row = {**task.data, "id": int(task.ref.id), "storage_filename": task.data.get("key") or None}
    for name in ("total_annotations", "total_predictions", "cancelled_annotations"):
        row[name] = row.get(name) or 0
    if keys:
        content = named_data(orjson.loads(row.pop("data")), project.data_key)
        row |= {f"data.{key}": content.get(key) for key in keys}
    return row
