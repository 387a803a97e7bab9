"""Predictions: create, read, edit, delete, import. Each change writes the task in the same commit."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from shared.errors import InvalidInputError, NotFoundError
from shared.log import logger
from shared.model.annotation import MAX_PER_TASK, Prediction, clean_prediction, fingerprint
from shared.model.project import Project
from shared.ports import Document, Value
from shared.records.annotations import prediction_ids
from shared.records.collection import Stored
from shared.services.context import Context
from shared.services.labelling.annotating import REPEAT_SECONDS, repeatable
from shared.services.labelling.task_batches import commit_many
from shared.services.labelling.task_commits import Change, Decide, commit
from shared.services.labelling.tasks import projects_of

UNKNOWN = "No Prediction matches the given query."
MAX_IMPORT = 10_000
MAX_PROBLEMS = 20
STRIDE = 100
OTHER_BYTES = 1000
"""What a prediction may take besides its result."""


def create(ctx: Context, task: int, given: Mapping[str, Any], *, user: int, idempotency_key: str = "") -> Prediction:
    """Adds a prediction to a task. Raises `NotFoundError`, `InvalidInputError`.

    Idempotent: the same user's same request for the same task, within a minute or with the same `idempotency_key` for
    as long as the prediction lives, answers with the prediction that is there.
    """
    return commit(ctx, task, _creation(ctx, [_New.of(given, user, idempotency_key)], idempotency_key))[0]


def import_many(ctx: Context, project: int, items: Sequence[Any], *, user: int, idempotency_key: str = "") -> int:
    """Adds predictions to many tasks of a project; all are checked before the first is added. Returns how many.

    Idempotent as `create` is, for each of them; equal ones of one request are different ones.
    """
    if len(items) > MAX_IMPORT:
        raise InvalidInputError(f"At most {MAX_IMPORT} predictions at once; these are {len(items)}.")
    problems: dict[str, list[str]] = {}
    said: dict[int, list[_New]] = defaultdict(list)
    for at, item in enumerate(items):
        try:
            mine = said[_task_of(item)]
            if len(mine) >= MAX_PER_TASK:
                raise InvalidInputError.of("task", f"A task can have {MAX_PER_TASK} predictions.")
            mine.append(_New.of(item, user, idempotency_key, mine))
        except InvalidInputError as error:
            texts = [f"{name}: {text}" for name, said_of in error.fields.items() for text in said_of]
            problems[str(at)] = texts or [error.message]
        if len(problems) >= MAX_PROBLEMS:
            break
    if not problems:
        strangers = [n for n, of in zip(said, projects_of(ctx, list(said)), strict=True) if of != project]
        if strangers:
            problems["task"] = [f"The project has no task {number}." for number in strangers[:MAX_PROBLEMS]]
    if problems:
        raise InvalidInputError(fields=problems)
    while said:  # a task with more than one commit holds takes several
        heads = {task: _head(mine, ctx.settings.batch_bytes) for task, mine in said.items()}
        commit_many(ctx, {task: _creation(ctx, head, idempotency_key) for task, head in heads.items()})
        said = {task: mine[len(heads[task]) :] for task, mine in said.items() if len(mine) > len(heads[task])}
    logger.info("predictions added", action="prediction.import", project=project, predictions=len(items))
    return len(items)


class _New(NamedTuple):
    """A prediction to be made."""

    values: Mapping[str, Any]
    request: str

    @classmethod
    def of(cls, given: Mapping[str, Any], user: int, idempotency_key: str, before: "Sequence[_New]" = ()) -> "_New":
        """`before`: those of the same request for the same task."""
        values = clean_prediction(given)
        if "result" not in values:
            raise InvalidInputError.of("result", "This field is required.")
        if idempotency_key:
            return cls(values, fingerprint("key", user, idempotency_key, len(before)))
        equal = sum(other.values == values for other in before)
        return cls(values, fingerprint(user, sorted(values.items()), equal))


def _head(said: "Sequence[_New]", limit: int) -> "Sequence[_New]":
    """As many from the start as one commit holds, at least one."""
    size = 0
    for at, one in enumerate(said):
        size += OTHER_BYTES + len(one.values["result"]) + len(orjson.dumps(one.values.get("neighbors")))
        if at and size > limit:
            return said[:at]
    return said


def _creation(ctx: Context, said: "Sequence[_New]", idempotency_key: str) -> Decide[list[Prediction]]:
    """Adds predictions to one task, those that an earlier attempt did not."""

    def decide(document: Document, project: Project, _unsure: bool) -> Change[list[Prediction]]:
        now, task = ctx.clock(), int(document.ref.id)
        before = prediction_ids(document)
        known = {one.request: one for one in _of(ctx, repeatable(before, now, idempotency_key))}
        made = {
            new.request: Prediction(
                id=ctx.new_number(),
                task=task,
                project=project.id,
                created_at=now,
                updated_at=now,
                request=new.request,
                **new.values,
            )
            for new in said
            if new.request not in known or not (idempotency_key or now - known[new.request].created_at < REPEAT_SECONDS)
        }
        result = [made.get(new.request) or known[new.request] for new in said]
        if not made:
            return Change(result)
        after = [*before, *(one.id for one in made.values())]
        if len(after) > MAX_PER_TASK:
            raise InvalidInputError(f"A task can have {MAX_PER_TASK} predictions; task {task} has {len(before)}.")
        fields: dict[str, Value] = {"prediction_ids": after, "total_predictions": len(after)}
        return Change(result, [ctx.predictions.create(one.id, one) for one in made.values()], fields)

    return decide


def get(ctx: Context, number: int) -> Prediction:
    """A prediction. Raises `NotFoundError`."""
    return _stored(ctx, number).value


def of_task(ctx: Context, task: Document) -> list[Prediction]:
    """The predictions of a task, oldest first."""
    return _of(ctx, prediction_ids(task))


def _of(ctx: Context, numbers: Sequence[int]) -> list[Prediction]:
    return [stored.value for stored in ctx.predictions.get_many(numbers) if stored is not None]


def of_project(ctx: Context, project: int) -> list[Prediction]:
    """All predictions of a project, by id. Raises `InvalidInputError` if they are too many for one answer."""
    found: list[Prediction] = []
    after: str | None = None
    size = 0
    while True:
        page = ctx.predictions.of_project(project, after=after, limit=STRIDE)
        found += [stored.value for stored in page]
        size += sum(OTHER_BYTES + len(stored.value.result) for stored in page)
        if size > ctx.settings.max_body_bytes:
            raise InvalidInputError("The project's predictions are too many for one answer: read them with its tasks.")
        if len(page) < STRIDE:
            return sorted(found, key=lambda prediction: prediction.id)
        after = page[-1].ref.id


def update(ctx: Context, number: int, given: Mapping[str, Any]) -> Prediction:
    """Edits a prediction: only the given fields change. Raises `NotFoundError`, `InvalidInputError`."""
    values = clean_prediction(given)
    task = get(ctx, number).task
    if given.get("task") not in (None, task, str(task)):
        raise InvalidInputError.of("task", "A prediction can't move to another task.")

    def decide(_document: Document, _project: Project, _unsure: bool) -> Change[Prediction]:
        stored = _stored(ctx, number)
        changed = replace(stored.value, **values)
        if changed == stored.value:
            return Change(changed)
        changed = replace(changed, updated_at=ctx.clock())
        return Change(changed, [ctx.predictions.update(stored, changed)])

    return commit(ctx, task, decide)


def delete(ctx: Context, number: int) -> None:
    """Deletes a prediction. Raises `NotFoundError`."""
    task = get(ctx, number).task

    def decide(document: Document, _project: Project, unsure: bool) -> Change[None]:
        stored = ctx.predictions.get(number)
        if stored is None:
            if unsure:
                return Change(None)  # by the commit whose answer was lost
            raise NotFoundError(UNKNOWN)
        left = [other for other in prediction_ids(document) if other != number]
        return Change(None, [stored.delete], {"prediction_ids": left, "total_predictions": len(left)})

    commit(ctx, task, decide)


def _task_of(item: Any) -> int:
    if not isinstance(item, dict):
        raise InvalidInputError("Write an object with task and result.")
    number = item.get("task")
    if isinstance(number, bool) or not isinstance(number, int):
        raise InvalidInputError.of("task", "The number of a task is required.")
    return number


def _stored(ctx: Context, number: int) -> Stored[Prediction]:
    stored = ctx.predictions.get(number)
    if stored is None:
        raise NotFoundError(UNKNOWN)
    return stored
