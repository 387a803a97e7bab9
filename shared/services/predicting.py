"""Predictions: create, read, edit, delete, import. Each change writes the task in the same commit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from shared.errors import InvalidInputError, NotFoundError
from shared.model.annotation import MAX_PER_TASK, Prediction, clean_prediction, number_by_time
from shared.model.project import Project
from shared.ports import Document, Value
from shared.records.annotations import prediction_ids
from shared.records.collection import Stored
from shared.services import tasks
from shared.services.context import Context
from shared.services.task_commits import Change, commit

UNKNOWN = "No Prediction matches the given query."
MAX_IMPORT = 10_000
MAX_LISTED = 10_000


def create(ctx: Context, task: int, given: Sequence[Mapping[str, Any]]) -> list[Prediction]:
    """Adds predictions to a task, all or none. Raises `NotFoundError`, `InvalidInputError`."""
    values = [_whole(item) for item in given]
    now = ctx.clock()
    numbers: list[int] = []
    while len(numbers) < len(values):
        number = number_by_time(now, ctx.rng.getrandbits(12))
        if number not in numbers:
            numbers.append(number)

    def decide(document: Document, project: Project, tried: bool) -> Change[list[Prediction]]:
        made = [
            Prediction(id=number, task=task, project=project.id, created_at=now, updated_at=now, **one)
            for number, one in zip(numbers, values, strict=True)
        ]
        before = prediction_ids(document)
        if tried and set(numbers) <= set(before):
            return Change(made)  # by the commit whose answer was lost
        if len(before) + len(made) > MAX_PER_TASK:
            raise InvalidInputError(f"A task can have {MAX_PER_TASK} predictions; task {task} has {len(before)}.")
        after = [*before, *numbers]
        fields: dict[str, Value] = {"prediction_ids": after, "total_predictions": len(after)}
        return Change(made, [ctx.predictions.create(one.id, one) for one in made], fields)

    return commit(ctx, task, decide) if values else []


def import_many(ctx: Context, project: int, items: Sequence[Any]) -> int:
    """Adds predictions to many tasks of a project; all are checked before the first is added. Returns how many."""
    if len(items) > MAX_IMPORT:
        raise InvalidInputError(f"At most {MAX_IMPORT} predictions at once; these are {len(items)}.")
    problems: dict[str, list[str]] = {}
    checked: list[tuple[int, Mapping[str, Any]]] = []
    for at, item in enumerate(items):
        try:
            checked.append((_task_of(item), item))
            _whole(item)
        except InvalidInputError as error:
            texts = [f"{name}: {text}" for name, said in error.fields.items() for text in said] or [error.message]
            problems[str(at)] = texts
    refs = sorted({number for number, _item in checked})
    for number, found in zip(refs, tasks.get_many(ctx, refs), strict=True):
        if found is None or found.data["project"] != project:
            problems.setdefault("task", []).append(f"The project has no task {number}.")
    if problems:
        raise InvalidInputError(fields=dict(list(problems.items())[:20]))
    for number, group in groupby(sorted(checked, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
        create(ctx, number, [item for _number, item in group])
    return len(checked)


def get(ctx: Context, number: int) -> Prediction:
    """A prediction. Raises `NotFoundError`."""
    return _stored(ctx, number).value


def of_task(ctx: Context, task: Document) -> list[Prediction]:
    """The predictions of a task, oldest first."""
    return [stored.value for stored in ctx.predictions.get_many(prediction_ids(task)) if stored is not None]


def of_project(ctx: Context, project: int) -> list[Prediction]:
    """All predictions of a project. Raises `InvalidInputError` if they are too many for one answer."""
    found: list[Prediction] = []
    after: str | None = None
    while True:
        page = ctx.predictions.of_project(project, after=after, limit=500)
        found += [stored.value for stored in page]
        if len(page) < 500:
            return found
        if len(found) >= MAX_LISTED:
            raise InvalidInputError(f"The project has more than {MAX_LISTED} predictions: read them with its tasks.")
        after = page[-1].ref.id


def update(ctx: Context, number: int, given: Mapping[str, Any]) -> Prediction:
    """Edits a prediction: only the given fields change. Raises `NotFoundError`, `InvalidInputError`."""
    values = clean_prediction(given)
    task = get(ctx, number).task
    if given.get("task") not in (None, task, str(task)):
        raise InvalidInputError.of("task", "A prediction can't move to another task.")

    def decide(_document: Document, _project: Project, _tried: bool) -> Change[Prediction]:
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

    def decide(document: Document, _project: Project, tried: bool) -> Change[None]:
        stored = ctx.predictions.get(number)
        if stored is None:
            if tried:
                return Change(None)
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


def _whole(given: Mapping[str, Any]) -> dict[str, Any]:
    values = clean_prediction(given)
    if "result" not in values:
        raise InvalidInputError.of("result", "This field is required.")
    return values


def _stored(ctx: Context, number: int) -> Stored[Prediction]:
    stored = ctx.predictions.get(number)
    if stored is None:
        raise NotFoundError(UNKNOWN)
    return stored
