"""Who learns of a change: webhooks of what happened, targets of annotations to be written. Part of the same commit."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shared.ports import Create, Delete, Write
from shared.records import annotations, tasks
from shared.services.context import Context
from shared.services.exports import dues
from shared.services.webhooks import outbox


class News(NamedTuple):
    """What happened to things of a project."""

    action: str = ""
    """As webhooks know it; "" for what they are not told."""
    ids: Sequence[int] = ()
    """Of what the action is about."""
    changed: Sequence[tuple[int, int]] = ()
    """Annotations that were made, changed or deleted, as (annotation, task); (0, task) where only the task changed."""


NO_NEWS = News()
ROOM = 40
"""Writes that a commit of many tasks leaves for news: 20 webhooks, and as many targets as a project can have."""


def writes(ctx: Context, project: int, *news: News) -> list[Create]:
    """Parts of the commit that makes the news, told once for each action. Reads nothing where there is none."""
    made: list[Create] = []
    by_action: dict[str, list[int]] = defaultdict(list)
    for one in news:
        if one.action and one.ids:
            by_action[one.action] += one.ids
    if by_action:
        subscribers = outbox.subscribers(ctx, project)
        for action, ids in by_action.items():
            made += outbox.writes(ctx, subscribers, action, project, ids)
    changed = [pair for one in news for pair in one.changed]
    if changed:
        made += dues.writes(ctx, dues.targets(ctx, project), changed)
    return made


def send(ctx: Context, made: Sequence[Create]) -> None:
    """Wakes who learns of the news, after the commit. Never fails: the sweep finds what was not sent."""
    for desk in (outbox.DESK, dues.DESK):
        desk.send(ctx, [write for write in made if write.ref.collection == desk.items(ctx).name])


def of_new(created: Iterable[Write]) -> News:
    """The news of a commit that makes tasks, with the annotations that came with them."""
    made = [write for write in created if isinstance(write, Create)]
    return News(
        "TASKS_CREATED",
        [int(write.ref.id) for write in made if write.ref.collection == tasks.COLLECTION],
        [
            (int(write.ref.id), int(write.data["task"]))  # type: ignore[arg-type]  # an integer
            for write in made
            if write.ref.collection == annotations.ANNOTATIONS
        ],
    )


def of_deleted(writes: Iterable[Write]) -> News:
    """The news of a commit that deletes tasks without annotations."""
    gone = [write for write in writes if isinstance(write, Delete) and write.ref.collection == tasks.COLLECTION]
    return News("TASKS_DELETED", [int(write.ref.id) for write in gone])
