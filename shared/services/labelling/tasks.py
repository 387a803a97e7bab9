"""Tasks as people read them: one by one, or page by page."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import NamedTuple

from shared.errors import NotFoundError
from shared.model.annotation import Annotation, Prediction
from shared.model.project import Project
from shared.ports import Document
from shared.records.annotations import annotation_ids, prediction_ids
from shared.services import projects
from shared.services.context import Context
from shared.services.paging import Pages

TOTALS_LIFE = 60.0
"""Seconds for which later pages repeat the totals of an earlier one, which cost more than the page itself."""
MAX_TOTALS = 1000
UNKNOWN = "No Task matches the given query."
MAX_REFS = 500
MAX_WHOLE = 100
"""Tasks read at once where little of them matters: a task may take a megabyte."""


class Totals(NamedTuple):
    """Sums over the tasks of a project."""

    tasks: int
    annotations: int
    predictions: int


class Parts(NamedTuple):
    """What was said of a task, oldest first."""

    annotations: list[Annotation]
    predictions: list[Prediction]


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


def get_many(ctx: Context, numbers: Sequence[int]) -> list[Document | None]:
    """Tasks in the order asked for, None for each that is not there or was deleted. Projects are not looked at."""
    found: list[Document | None] = []
    for at in range(0, len(numbers), MAX_REFS):
        refs = [ctx.tasks.ref(number) for number in numbers[at : at + MAX_REFS]]
        found += ctx.documents.get_many(refs)
    return [None if task is None or task.data.get("deleted") else task for task in found]


def projects_of(ctx: Context, numbers: Sequence[int]) -> list[int | None]:
    """The projects of tasks, None for each task that is not there or was deleted. Holds the content of few at once."""
    slices = (numbers[at : at + MAX_WHOLE] for at in range(0, len(numbers), MAX_WHOLE))
    return [task and task.data["project"] for some in slices for task in get_many(ctx, some)]


def parts(ctx: Context, tasks: Sequence[Document]) -> Mapping[str, Parts]:
    """The annotations and predictions of tasks, by the tasks' ids. One read of many documents, not one per task."""
    wanted = {
        "annotations": [number for task in tasks for number in annotation_ids(task)],
        "predictions": [number for task in tasks for number in prediction_ids(task)],
    }
    annotations: dict[int, Annotation] = {}
    for at in range(0, len(wanted["annotations"]), MAX_REFS):
        for one in ctx.annotations.get_many(wanted["annotations"][at : at + MAX_REFS]):
            if one is not None:
                annotations[one.value.id] = one.value
    predictions: dict[int, Prediction] = {}
    for at in range(0, len(wanted["predictions"]), MAX_REFS):
        for other in ctx.predictions.get_many(wanted["predictions"][at : at + MAX_REFS]):
            if other is not None:
                predictions[other.value.id] = other.value
    return {
        task.ref.id: Parts(
            [annotations[number] for number in annotation_ids(task) if number in annotations],
            [predictions[number] for number in prediction_ids(task) if number in predictions],
        )
        for task in tasks
    }
