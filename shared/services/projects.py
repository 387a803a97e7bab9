"""Projects: create, read, edit, delete. What a deleted project leaves behind is collected by the sweep."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from shared.errors import CommitRefusedError, CommitUnknownError, InvalidInputError, NotFoundError
from shared.log import logger
from shared.model.project import Project
from shared.model.project_fields import clean_project, label_config
from shared.model.user import User
from shared.ports import Delete, Write
from shared.records import annotations
from shared.records.collection import Stored
from shared.records.storages import next_id
from shared.services.context import Context
from shared.services.storages.registration import gone_writes
from shared.services.trash import trash_of_gates
from shared.services.webhooks import outbox

RETRIES = 20
MAX_ANNOTATORS = 1000
COUNTERS = (
    *("task_number", "finished_task_number", "total_predictions_number", "total_annotations_number"),
    *("num_tasks_with_annotations", "useful_annotation_number", "ground_truth_number", "skipped_annotations_number"),
)
MODES = ("settings", "settings,data")


def create(ctx: Context, given: Mapping[str, Any], *, user: int) -> Project:
    """Makes a project. Raises `InvalidInputError`."""
    values = clean_project(given, partial=False)
    return _add(ctx, Project(id=0, created_at=ctx.clock(), created_by=user, **values))


def duplicate(ctx: Context, project: Project, given: Mapping[str, Any], *, user: int) -> Project:
    """Makes a project with the settings of another, under the title given; without tasks, storages and members.

    Raises `InvalidInputError`.
    """
    problems: dict[str, list[str]] = {}
    mode = given.get("mode")
    if mode not in MODES:
        problems["mode"] = ['This field is required: write "settings".']
    elif mode != "settings":
        text = 'Tasks are not copied. Use the mode "settings", then connect the same storages to the new project.'
        problems["mode"] = [text]
    if given.get("include_members"):
        problems["include_members"] = ["Members are not copied: give each the new project."]
    if "title" not in given:
        problems["title"] = ["This field is required."]
    about = {name: given[name] for name in ("title", "description") if name in given}
    try:
        values = clean_project(about, partial=True)
    except InvalidInputError as error:
        raise InvalidInputError(fields={**problems, **error.fields}) from None
    if problems:
        raise InvalidInputError(fields=problems)
    return _add(ctx, replace(project, created_at=ctx.clock(), created_by=user, pinned_at=0.0, **values))


def _add(ctx: Context, project: Project) -> Project:
    """Stores a project under a number of its own."""
    project = replace(project, id=next_id(ctx.documents, "projects"))
    told = outbox.writes(ctx, outbox.subscribers(ctx, project.id), "PROJECT_CREATED", project.id, [project.id])
    try:
        ctx.documents.commit([ctx.projects.create(project.id, project), *told])
    except CommitUnknownError:
        if ctx.projects.get(project.id) is None:
            raise
    outbox.send(ctx, told)
    logger.info("project created", action="project.create", project=project.id)
    return project


def get(ctx: Context, number: int) -> Project:
    """A project. Raises `NotFoundError`."""
    return _stored(ctx, number).value


def update(ctx: Context, number: int, given: Mapping[str, Any], *, partial: bool = True) -> Project:
    """Edits a project; unless `partial`, what is not given gets its default.

    Raises `NotFoundError`, `InvalidInputError`.
    """
    if not partial and "title" not in given:
        raise InvalidInputError.of("title", "This field is required.")
    values = clean_project(given, partial=partial)
    for _ in range(RETRIES):
        stored = _stored(ctx, number)
        old = stored.value
        base = old if partial else Project(id=old.id, title="", created_at=old.created_at, created_by=old.created_by)
        project = replace(base, **values)
        if project == stored.value:
            return project
        told = outbox.writes(ctx, outbox.subscribers(ctx, number), "PROJECT_UPDATED", number, [number])
        try:
            ctx.documents.commit([ctx.projects.update(stored, project), *told])
        except (CommitRefusedError, CommitUnknownError):
            continue
        outbox.send(ctx, told)
        return project
    raise CommitRefusedError(f"project {number} is being changed by others; try again")


def annotators(ctx: Context, project: Project) -> list[User]:
    """The users who annotated tasks of a project, by number; of more than 1,000 the first."""
    numbers = annotations.annotators(ctx.documents, project.id, MAX_ANNOTATORS)
    found = (ctx.users.get_many(numbers[at : at + 500]) for at in range(0, len(numbers), 500))
    return [stored.value for part in found for stored in part if stored is not None]


def checked_config(given: Mapping[str, Any]) -> str:
    """The label config of a request that asks whether it could be saved. Raises `InvalidInputError`."""
    if not given.get("label_config"):
        raise InvalidInputError.of("label_config", "Label config is not set or is empty.")
    try:
        return label_config(given["label_config"])
    except ValueError as error:
        raise InvalidInputError.of("label_config", str(error)) from None


def counters(ctx: Context, project: Project, names: Collection[str] = COUNTERS) -> dict[str, int]:
    """How far the work on a project is: the counters of those names. Each is a query, so ask for no more."""

    def above(number: int) -> int:
        return ctx.tasks.count_above(project.id, "total_annotations", number)

    def total(field: str) -> int:
        return ctx.tasks.totals(project.id, (field,))[field]

    ways: dict[str, Callable[[], int]] = {
        "task_number": lambda: ctx.tasks.count(project.id),
        "finished_task_number": lambda: above(project.maximum_annotations - 1),
        "num_tasks_with_annotations": lambda: above(0),
        "total_annotations_number": lambda: total("total_annotations"),
        "skipped_annotations_number": lambda: total("cancelled_annotations"),
        "total_predictions_number": lambda: total("total_predictions"),
        "ground_truth_number": lambda: annotations.ground_truths(ctx.documents, project.id),
    }
    useful = "useful_annotation_number" in names
    wanted = {*names, "total_annotations_number", "ground_truth_number"} if useful else {*names}
    found = {name: way() for name, way in ways.items() if name in wanted}
    if useful:
        found["useful_annotation_number"] = found["total_annotations_number"] - found["ground_truth_number"]
    return {name: count for name, count in found.items() if name in names}


def delete(ctx: Context, number: int) -> None:
    """Removes a project with its storages, ending their runs, and webhooks in one commit; tasks and ledgers follow.

    Raises `NotFoundError`.
    """
    tried = False
    for _ in range(RETRIES):
        try:
            project = _stored(ctx, number)
        except NotFoundError:
            if tried:
                return  # by the commit whose answer was lost
            raise
        storages = ctx.storages.of_project(number)
        gates = [gate for gate in ctx.gates.get_many([stored.value.id for stored in storages]) if gate is not None]
        told = outbox.writes(ctx, outbox.subscribers(ctx, number), "PROJECT_DELETED", number, [number])
        writes: list[Write] = [
            project.delete,
            *(Delete(webhook.ref, None) for webhook in ctx.webhooks.of(number)),
            *told,
            *(stored.delete for stored in storages),
            *gone_writes(ctx, gates),
            trash_of_gates(ctx, [gate.value for gate in gates], number),
        ]
        tried = True
        try:
            ctx.documents.commit(writes)
        except (CommitRefusedError, CommitUnknownError):
            continue
        outbox.send(ctx, told)
        logger.info("project deleted", action="project.delete", project=number, storages=len(storages))
        return
    raise CommitRefusedError(f"project {number} is being changed by others; try again")


def _stored(ctx: Context, number: int) -> Stored[Project]:
    stored = ctx.projects.get(number)
    if stored is None:
        raise NotFoundError("No Project matches the given query.")
    return stored
