"""Tasks as people change and delete them."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from shared.errors import CommitRefusedError, InvalidInputError, NotFoundError, TryAgainError
from shared.log import logger
from shared.model.project import Project
from shared.model.task import missing_keys
from shared.ports import Delete, Document, Update, Value, Write
from shared.records import tasks as records
from shared.records.annotations import annotation_ids
from shared.services import announcing
from shared.services.announcing import News
from shared.services.context import Context
from shared.services.labelling import tasks
from shared.services.labelling.task_commits import Change, commit

DELETE_SECONDS = 40.0
"""How long one request deletes tasks: below the time-out of clients."""
MAX_WRITES = 450
DELETED = (
    "total_annotations",
    "cancelled_annotations",
    "total_predictions",
    "annotation_ids",
    "prediction_ids",
)
"""What `deletion` has to know of a task."""


def update(ctx: Context, number: int, given: Mapping[str, Any]) -> Document:
    """Edits data, meta and allow_skip; from then on no sync rewrites the task.

    Returns the task as it is now. Raises `NotFoundError`, `InvalidInputError`.
    """

    def decide(document: Document, project: Project, _unsure: bool) -> Change[None]:
        values = _clean(ctx, given, project)
        changed = {name: value for name, value in values.items() if document.data.get(name, _DEFAULTS[name]) != value}
        return Change(None, (), {**changed, "edited": True} if changed else {})

    commit(ctx, number, decide)
    return tasks.get(ctx, number)[0]


_DEFAULTS: Mapping[str, Value] = {"data": b"", "meta": b"", "allow_skip": True}


def _clean(ctx: Context, given: Mapping[str, Any], project: Project) -> dict[str, Value]:
    values: dict[str, Value] = {}
    problems: dict[str, list[str]] = {}
    limit = ctx.settings.max_row_bytes
    if "data" in given:
        try:
            values["data"] = checked_data(given["data"], project, limit)
        except InvalidInputError as error:
            problems |= error.fields
    if "meta" in given:
        meta = {} if given["meta"] is None else given["meta"]
        try:
            values["meta"] = orjson.dumps(meta) if meta else b""
        except orjson.JSONEncodeError:
            problems["meta"] = ["It can't be stored as JSON: nested too deep, or text that is not Unicode."]
        if not isinstance(meta, dict) or len(bytes(values.get("meta") or b"")) > limit:  # type: ignore[arg-type]
            problems["meta"] = [f"Write an object of at most {limit} bytes."]
    if "allow_skip" in given:
        if not isinstance(given["allow_skip"], bool):
            problems["allow_skip"] = ["Must be a valid boolean."]
        values["allow_skip"] = given["allow_skip"]
    if given.get("project") not in (None, project.id, str(project.id)):
        problems["project"] = ["A task can't move to another project."]
    if problems:
        raise InvalidInputError(fields=problems)
    return values


def checked_data(data: object, project: Project, limit: int) -> bytes:
    """Task data as it is stored. Raises `InvalidInputError` for what the label config can't show."""
    if not isinstance(data, dict) or not data:
        raise InvalidInputError.of("data", "Task data must be an object with at least one key.")
    if missing := missing_keys(data, project.data_keys):
        raise InvalidInputError(fields={"data": [f'"{key}" key is expected in task data' for key in missing]})
    try:
        body = orjson.dumps(data)
    except orjson.JSONEncodeError:
        text = "It can't be stored as JSON: nested too deep, or text that is not Unicode."
        raise InvalidInputError.of("data", text) from None
    if len(body) > limit:
        raise InvalidInputError.of("data", f"Task data of {len(body)} bytes; the limit is {limit}.")
    return body


def delete(ctx: Context, number: int) -> None:
    """Deletes a task for good: what stays of it keeps its object from being imported again. Raises `NotFoundError`."""
    tasks.get(ctx, number)

    def decide(document: Document, _project: Project, _unsure: bool) -> Change[None]:
        update, *parts = deletion(document, ctx.clock())
        assert isinstance(update, Update)  # noqa: S101
        return Change(None, parts, update.changes, deleted([document]))

    try:
        commit(ctx, number, decide)
    except NotFoundError:
        return  # it was there a moment ago: somebody else's deletion, or our own whose answer was lost
    logger.info("task deleted", action="task.delete", task=number)


def deletion(document: Document, now: float) -> list[Write]:
    """The writes that delete a task with its parts."""
    changes: dict[str, Value] = {"deleted": True, "updated_at": now, "data": b"{}", "meta": b""}
    for name in ("total_annotations", "cancelled_annotations", "total_predictions"):
        if name in document.data:
            changes[name] = 0
    for name in ("annotation_ids", "prediction_ids"):
        if name in document.data:
            changes[name] = []
    return [
        Update(document.ref, changes, document.revision),
        *(Delete(ref, None) for ref in records.parts_of(document)),
    ]


def deleted(documents: Sequence[Document]) -> News:
    """What others learn of deleted tasks."""
    numbers = [int(document.ref.id) for document in documents]
    gone = [(part, int(document.ref.id)) for document in documents for part in annotation_ids(document)]
    return News("TASKS_DELETED", numbers, gone)


def delete_all(ctx: Context, project: int) -> int:
    """Deletes all tasks of a project, as `delete` does, and returns how many. Goes on where an earlier call stopped.

    Raises `TryAgainError` when there are more than one request can delete.
    """
    deadline = ctx.clock() + DELETE_SECONDS
    removed = 0
    while True:
        page, _query = ctx.tasks.page(project, after=None, limit=200, select=DELETED)
        if not page:
            logger.info("tasks deleted", action="task.delete_all", project=project, tasks=removed)
            return removed
        if ctx.clock() > deadline:
            raise TryAgainError(f"{removed} tasks were deleted, and there are more: send the request again.")
        removed += _delete_some(ctx, project, page)


def _delete_some(ctx: Context, project: int, page: list[Document]) -> int:
    now = ctx.clock()
    writes: list[Write] = []
    taken = 0
    for document in page:
        mine = deletion(document, now)
        if taken and len(writes) + len(mine) > MAX_WRITES:
            break
        writes += mine
        taken += 1
    numbers = [int(document.ref.id) for document in page[:taken]]
    news = announcing.writes(ctx, project, deleted(page[:taken]))
    try:
        ctx.documents.commit([*writes, *news])
        announcing.send(ctx, news)
    except CommitRefusedError:
        # Somebody works on one of them: one by one, so that the others don't wait for it.
        for number in numbers:
            delete_if_there(ctx, number)
    return taken


def delete_if_there(ctx: Context, number: int) -> None:
    """Deletes a task unless somebody else did."""
    try:
        delete(ctx, number)
    except NotFoundError:
        return
