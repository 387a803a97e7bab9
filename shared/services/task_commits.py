"""Changes of a task and its parts: one commit each, guarded by the task's revision.

Whoever saves, changes or deletes an annotation or a prediction writes the task too. So a sync that would rewrite a task
is refused when somebody worked on it meanwhile, and a request that is repeated finds what its first attempt did.
"""

from collections.abc import Callable, Mapping, Sequence
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


def commit(ctx: Context, number: int, decide: Callable[[Document, Project, bool], Change[T]]) -> T:
    """Applies what `decide` makes of the task and its project, and again if the task changed meanwhile.

    The third argument tells whether an earlier attempt was made, whose answer may have been lost. Raises
    `NotFoundError`, and what `decide` raises.
    """
    tried = False
    for _ in range(RETRIES):
        task, project = tasks.get(ctx, number)
        change = decide(task, project, tried)
        if not change.writes and not change.task:
            return change.result
        fields: dict[str, Any] = {"updated_at": ctx.clock(), "edits": (task.data.get("edits") or 0) + 1, **change.task}
        told = _told(ctx, change.event, project.id) if change.event else []
        tried = True
        try:
            ctx.documents.commit([Update(task.ref, fields, task.revision), *change.writes, *told])
        except (CommitRefusedError, CommitUnknownError):
            continue
        outbox.send(ctx, told)
        return change.result
    raise CommitRefusedError(f"task {number} is being changed by others; try again")


def _told(ctx: Context, event: Event, project: int) -> list[Create]:
    return outbox.writes(ctx, outbox.subscribers(ctx, project), event.action, project, event.ids)
