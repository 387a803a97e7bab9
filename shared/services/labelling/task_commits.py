"""Changes of a task and its parts: one commit each, guarded by the task's revision.

Whoever saves, changes or deletes an annotation or a prediction writes the task too. So a sync that would rewrite a task
is refused when somebody worked on it meanwhile, and a request that is repeated finds what its first attempt did.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from shared.errors import CommitRefusedError, CommitUnknownError
from shared.model.project import Project
from shared.ports import Document, Update, Value, Write
from shared.records.annotations import annotation_ids
from shared.services import announcing
from shared.services.announcing import NO_NEWS, News
from shared.services.context import Context
from shared.services.labelling import tasks

RETRIES = 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What a request makes of a task as it is now. Without writes, `result` is the answer."""

    result: T
    writes: Sequence[Write] = ()
    task: Mapping[str, Value] = field(default_factory=dict)
    """Fields of the task that change; counting the edit is added."""
    news: News = NO_NEWS


Decide = Callable[[Document, Project, bool], Change[T]]
"""What is to be made of a task of a project. The third argument: the answer to an earlier attempt was lost."""


def commit(ctx: Context, number: int, decide: Decide[T], *, unsure: bool = False) -> T:
    """Applies what `decide` makes of the task, and again if the task changed meanwhile.

    `unsure`: the answer to an attempt that the caller made was lost. Raises `NotFoundError`, and what `decide` raises.
    """
    for _ in range(RETRIES):
        task, project = tasks.get(ctx, number)
        change = decide(task, project, unsure)
        if not change.writes and not change.task:
            return change.result
        items = announcing.writes(ctx, project.id, news_of(task, change))
        try:
            ctx.documents.commit([*writes(ctx, task, change), *items])
        except CommitRefusedError:
            continue
        except CommitUnknownError:
            unsure = True
            continue
        announcing.send(ctx, items)
        return change.result
    raise CommitRefusedError(f"task {number} is being changed by others; try again")


def writes(ctx: Context, task: Document, change: Change[Any]) -> list[Write]:
    """The writes of a change: of the task itself first, if it has not changed since, then of its parts."""
    fields: dict[str, Any] = {"updated_at": ctx.clock(), "edits": (task.data.get("edits") or 0) + 1, **change.task}
    return [Update(task.ref, fields, task.revision), *change.writes]


def news_of(task: Document, change: Change[Any]) -> News:
    """What others learn of a change. A target that writes whole tasks learns of whatever changes an annotated one."""
    if change.news.changed or not annotation_ids(task):
        return change.news
    return change.news._replace(changed=((0, int(task.ref.id)),))
