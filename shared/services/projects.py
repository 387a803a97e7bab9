"""Projects: create, read, edit, delete. What a deleted project leaves behind is collected by the sweep."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.errors import CommitRefusedError, CommitUnknownError, NotFoundError
from shared.log import logger
from shared.model.project import Project, clean_project
from shared.model.user import User
from shared.ports import Delete, Write
from shared.records.collection import Stored
from shared.records.storages import next_id
from shared.services import outbox
from shared.services.context import Context
from shared.services.paging import Pages
from shared.services.registration import gone_writes
from shared.services.trash import trash_of_gates

RETRIES = 20
MAX_READ = 500


def create(ctx: Context, given: Mapping[str, Any], *, user: int) -> Project:
    """Makes a project. Raises `InvalidInputError`."""
    values = clean_project(dict(given), partial=False)
    number = next_id(ctx.documents, "projects")
    project = Project(id=number, created_at=ctx.clock(), created_by=user, **values)
    told = outbox.writes(ctx, outbox.subscribers(ctx, number), "PROJECT_CREATED", number, [number])
    try:
        ctx.documents.commit([ctx.projects.create(number, project), *told])
    except CommitUnknownError:
        if ctx.projects.get(number) is None:
            raise
    outbox.send(ctx, told)
    logger.info("project created", action="project.create", project=number)
    return project


def get(ctx: Context, number: int) -> Project:
    """A project. Raises `NotFoundError`."""
    return _stored(ctx, number).value


def page(ctx: Context, pages: Pages, number: int, size: int, *, user: User) -> tuple[list[Project], int]:
    """A page of the projects that the user may see, newest first, counted from 1; and how many these are.

    `NotFoundError` behind the end.
    """
    if user.admin:
        query = ctx.projects.query(order=("-created_at",), limit=size)
        documents = pages.read(ctx.documents, query, number, ctx.projects.count) if number else []
        found, count = [ctx.projects.stored(document).value for document in documents], ctx.projects.count()
    else:
        every = _of_member(ctx, user)
        found, count = every[(number - 1) * size : number * size] if number else [], len(every)
    if not found and number != 1:
        raise NotFoundError("Invalid page.")
    return found, count


def _of_member(ctx: Context, user: User) -> list[Project]:
    """All of a member's projects, newest first; those that were deleted are left out."""
    numbers = sorted(user.projects)
    found = [
        stored.value
        for at in range(0, len(numbers), MAX_READ)
        for stored in ctx.projects.get_many(numbers[at : at + MAX_READ])
        if stored is not None
    ]
    return sorted(found, key=lambda project: (project.created_at, project.id), reverse=True)


def update(ctx: Context, number: int, given: Mapping[str, Any]) -> Project:
    """Edits a project. Raises `NotFoundError`, `InvalidInputError`."""
    values = clean_project(dict(given), partial=True)
    for _ in range(RETRIES):
        stored = _stored(ctx, number)
        project = replace(stored.value, **values)
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


def counters(ctx: Context, project: Project) -> dict[str, int]:
    """How far the work on a project is."""
    sums = ctx.tasks.totals(project.id, ("total_annotations", "cancelled_annotations", "total_predictions"))
    return {
        "task_number": ctx.tasks.count(project.id),
        "finished_task_number": ctx.tasks.count_above(project.id, "total_annotations", project.maximum_annotations - 1),
        "num_tasks_with_annotations": ctx.tasks.count_above(project.id, "total_annotations", 0),
        "total_annotations_number": sums["total_annotations"],
        "skipped_annotations_number": sums["cancelled_annotations"],
        "total_predictions_number": sums["total_predictions"],
    }


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
