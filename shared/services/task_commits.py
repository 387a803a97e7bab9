"""Changes of a task and its parts: one commit each, guarded by the task's revision.

Whoever saves, changes or deletes an annotation or a prediction writes the task too. So a sync that would rewrite a task
is refused when somebody worked on it meanwhile, and a request that is repeated finds what its first attempt did.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from shared.errors import CommitRefusedError, CommitUnknownError
from shared.model.project import Project
from shared.ports import Create, Document, Update, Value, Write
from shared.services import outbox, tasks
from shared.services.context import Context

RETRIES = 20
T = TypeVar("T")


class Event(NamedTuple):
    """What webhooks are to be told of a change: an action, and the ids of what it is about."""

    action: str
    ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What a request makes of a task as it is now. Without writes, `result` is the answer."""

    result: T
    writes: Sequence[Write] = ()
    task: Mapping[str, Value] = field(default_factory=dict)
    """Fields of the task that change; counting the edit is added."""
    event: Event | None = None


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
        items = told(ctx, project.id, [change])
        try:
            ctx.documents.commit([*writes(ctx, task, change), *items])
        except CommitRefusedError:
            continue
        except CommitUnknownError:
            unsure = True
            continue
        outbox.send(ctx, items)
        return change.result
    raise CommitRefusedError(f"task {number} is being changed by others; try again")


def writes(ctx: Context, task: Document, change: Change[Any]) -> list[Write]:
    """The writes of a change: of the task itself first, if it has not changed since, then of its parts."""
    fields: dict[str, Any] = {"updated_at": ctx.clock(), "edits": (task.data.get("edits") or 0) + 1, **change.task}
    return [Update(task.ref, fields, task.revision), *change.writes]


def told(ctx: Context, project: int, changes: Iterable[Change[Any]]) -> list[Create]:
    """What the same commit writes for webhooks: an item for each action, about all of a project's changes."""
    by_action: dict[str, list[int]] = defaultdict(list)
    for change in changes:
        if change.event is not None:
            by_action[change.event.action] += change.event.ids
    if not by_action:
        return []
    subscribers = outbox.subscribers(ctx, project)
    return [item for action, ids in by_action.items() for item in outbox.writes(ctx, subscribers, action, project, ids)]
