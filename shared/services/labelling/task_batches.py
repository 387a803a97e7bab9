"""Changes of many tasks, as `task_commits` makes them of one: as many to a commit as it can hold."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from shared.errors import CommitRefusedError, CommitUnknownError, InvalidDocumentError, NotFoundError
from shared.model.project import Project
from shared.ports import Create, Document, Write
from shared.records.collection import weight
from shared.services import announcing, projects
from shared.services.announcing import News
from shared.services.context import Context
from shared.services.labelling import tasks
from shared.services.labelling.task_commits import Change, Decide, commit, news_of, writes

MAX_TASKS = 50
"""Read at once, with their content, and of one commit: few, as one annotator at work refuses all of them."""
MAX_WRITES = 450
T = TypeVar("T")


class _Planned(NamedTuple):
    """What a decision makes of a task."""

    project: int
    change: Change[Any]
    writes: list[Write]
    news: News


def commit_many(ctx: Context, decisions: Mapping[int, Decide[T]]) -> dict[int, T]:
    """Applies to each task what its decision makes of it; the results, by task.

    Raises `NotFoundError`, and what a decision raises; what was committed by then stays. Each decision may be asked
    again, as in `commit`, so the whole may be repeated if each of them may.
    """
    results: dict[int, T] = {}
    numbers = list(decisions)
    for at in range(0, len(numbers), MAX_TASKS):
        batch: dict[int, _Planned] = {}
        for number, task, project in _read(ctx, numbers[at : at + MAX_TASKS]):
            change = decisions[number](task, project, False)
            mine = writes(ctx, task, change) if change.writes or change.task else []
            if not _fits(ctx, [*_together(batch), *mine]):
                results |= _commit(ctx, batch, decisions)
                batch = {}
            batch[number] = _Planned(project.id, change, mine, news_of(task, change))
        results |= _commit(ctx, batch, decisions)
    return results


def _read(ctx: Context, numbers: Sequence[int]) -> Iterator[tuple[int, Document, Project]]:
    known: dict[int, Project] = {}
    for number, task in zip(numbers, tasks.get_many(ctx, numbers), strict=True):
        if task is None:
            raise NotFoundError(tasks.UNKNOWN)
        of = task.data["project"]
        known[of] = known.get(of) or projects.get(ctx, of)
        yield number, task, known[of]


def _together(batch: Mapping[int, _Planned]) -> list[Write]:
    return [write for planned in batch.values() for write in planned.writes]


def _fits(ctx: Context, together: Sequence[Write]) -> bool:
    return len(together) <= MAX_WRITES and sum(map(weight, together)) <= ctx.settings.batch_bytes


def _commit(ctx: Context, batch: Mapping[int, _Planned], decisions: Mapping[int, Decide[Any]]) -> dict[int, Any]:
    unsure = False
    items: list[Create] = []
    for project in sorted({planned.project for planned in batch.values()}):
        items += announcing.writes(ctx, project, *(one.news for one in batch.values() if one.project == project))
    try:
        if together := _together(batch):
            ctx.documents.commit([*together, *items])
            announcing.send(ctx, items)
        return {number: planned.change.result for number, planned in batch.items()}
    except (CommitRefusedError, InvalidDocumentError):
        pass  # one of them is in the way: one by one, so that the others don't wait for it
    except CommitUnknownError:
        unsure = True
    return {number: commit(ctx, number, decisions[number], unsure=unsure) for number in batch}
