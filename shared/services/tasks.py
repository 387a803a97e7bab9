"""Tasks as people read and delete them."""

from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

from shared.errors import CommitRefusedError, CommitUnknownError, NotFoundError
from shared.log import logger
from shared.model.project import Project
from shared.ports import Document, Update, Value
from shared.services import projects
from shared.services.context import Context
from shared.services.paging import Pages

RETRIES = 20
TOTALS_LIFE = 60.0
"""Seconds for which later pages repeat the totals of an earlier one, which cost more than the page itself."""
MAX_TOTALS = 1000
UNKNOWN = "No Task matches the given query."


class Totals(NamedTuple):
    """Sums over the tasks of a project."""

    tasks: int
    annotations: int
    predictions: int


class TaskPages:
    """Pages of tasks, with totals. One per process; what it remembers only saves work."""

    def __init__(self) -> None:
        self._pages = Pages()
        self._totals: OrderedDict[int, tuple[Totals, float]] = OrderedDict()
        self._lock = Lock()

    def read(self, ctx: Context, project: int, page: int, size: int) -> tuple[list[Document], Totals]:
        """A page of a project's tasks, counted from 1. Raises `NotFoundError` behind the end."""
        query = ctx.tasks.query(project, limit=size)
        found = self._pages.read(ctx.documents, query, page, lambda: ctx.tasks.count(project)) if page else []
        if not found and page != 1:
            raise NotFoundError("Invalid page.")
        return found, self._totals_of(ctx, project, fresh=page == 1)

    def _totals_of(self, ctx: Context, project: int, *, fresh: bool) -> Totals:
        now = ctx.clock()
        with self._lock:
            known = self._totals.get(project)
        if known and not fresh and now - known[1] < TOTALS_LIFE:
            return known[0]
        sums = ctx.tasks.totals(project, ("total_annotations", "total_predictions"))
        totals = Totals(ctx.tasks.count(project), sums["total_annotations"], sums["total_predictions"])
        with self._lock:
            self._totals[project] = totals, now
            self._totals.move_to_end(project)
            while len(self._totals) > MAX_TOTALS:
                self._totals.popitem(last=False)
        return totals


def get(ctx: Context, number: int) -> tuple[Document, Project]:
    """A task and its project. Raises `NotFoundError`, also while the task of a deleted project waits to be removed."""
    task = ctx.tasks.get(number)
    if task is not None:
        try:
            return task, projects.get(ctx, task.data["project"])
        except NotFoundError:
            pass
    raise NotFoundError(UNKNOWN)


def delete(ctx: Context, number: int) -> None:
    """Deletes a task for good: what stays of it keeps its object from being imported again. Raises `NotFoundError`."""
    tried = False
    for _ in range(RETRIES):
        try:
            task, _project = get(ctx, number)
        except NotFoundError:
            if tried:
                return  # by the commit whose answer was lost
            raise
        changes: dict[str, Value] = {
            "deleted": True,
            "updated_at": ctx.clock(),
            "data": b"{}",
            **{name: b"" for name in ("predictions", "annotations", "meta") if name in task.data},
            **{
                name: 0
                for name in ("total_annotations", "cancelled_annotations", "total_predictions")
                if name in task.data
            },
        }
        tried = True
        try:
            ctx.documents.commit([Update(task.ref, changes, task.revision)])
        except (CommitRefusedError, CommitUnknownError):
            continue
        logger.info("task deleted", action="task.delete", task=number)
        return
    raise CommitRefusedError(f"task {number} is being changed by others; try again")
