"""Annotations: create, read, edit, delete. Each change writes the task in the same commit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.errors import InvalidInputError, NotFoundError
from shared.log import logger
from shared.model.annotation import MAX_PER_TASK, Annotation, clean_annotation, fingerprint, number_by_time
from shared.model.project import Project
from shared.ports import Document
from shared.records.annotations import annotation_ids
from shared.records.collection import Stored
from shared.services.context import Context
from shared.services.task_commits import Change, commit

UNKNOWN = "No Annotation matches the given query."
REPEAT_SECONDS = 60.0
"""A request without a key of its own counts as repeated for so long."""


def create(
    ctx: Context, task: int, given: Mapping[str, Any], *, user: int, idempotency_key: str = "", cancelled: bool = False
) -> Annotation:
    """Adds an annotation to a task. Raises `NotFoundError`, `InvalidInputError`.

    Idempotent: the same user's same request for the same task, within a minute or with the same `idempotency_key` for
    as long as the annotation lives, answers with the annotation that is there.
    """
    values = {"completed_by": user, **clean_annotation(given)}
    if values["completed_by"] is None:
        values["completed_by"] = user
    if cancelled:
        values["was_cancelled"] = True
    request = (
        fingerprint("key", user, idempotency_key) if idempotency_key else fingerprint(user, sorted(values.items()))
    )

    def decide(document: Document, project: Project, _tried: bool) -> Change[Annotation]:
        now = ctx.clock()
        present = of_task(ctx, document)
        for annotation in present:
            if annotation.request == request and (idempotency_key or now - annotation.created_at < REPEAT_SECONDS):
                return Change(annotation)
        if len(present) >= MAX_PER_TASK:
            raise InvalidInputError(f"A task can have {MAX_PER_TASK} annotations; this one has them all.")
        made = Annotation(
            id=number_by_time(now, ctx.rng.getrandbits(12)),
            task=task,
            project=project.id,
            created_at=now,
            updated_at=now,
            request=request,
            **({"updated_by": user} | values),
        )
        numbers = [*annotation_ids(document), made.id]
        return Change(made, [ctx.annotations.create(made.id, made)], _counted(document, made, +1, numbers))

    made = commit(ctx, task, decide)
    logger.info("annotation created", action="annotation.create", task=task, annotation=made.id)
    return made


def create_many(ctx: Context, tasks: Sequence[int], given: Mapping[str, Any], *, user: int) -> list[Annotation]:
    """The same annotation for many tasks, each as `create` would. Raises for the first that can't have it."""
    clean_annotation(given)
    return [create(ctx, task, {**given, "bulk_created": True}, user=user) for task in tasks]


def get(ctx: Context, number: int) -> Annotation:
    """An annotation. Raises `NotFoundError`."""
    return _stored(ctx, number).value


def of_task(ctx: Context, task: Document) -> list[Annotation]:
    """The annotations of a task, cancelled ones too, oldest first."""
    return [stored.value for stored in ctx.annotations.get_many(annotation_ids(task)) if stored is not None]


def update(ctx: Context, number: int, given: Mapping[str, Any], *, user: int) -> Annotation:
    """Edits an annotation: only the given fields change. Raises `NotFoundError`, `InvalidInputError`."""
    values = clean_annotation(given)
    if values.get("completed_by", 0) is None:
        del values["completed_by"]
    task = get(ctx, number).task
    if given.get("task") not in (None, task, str(task)):
        raise InvalidInputError.of("task", "An annotation can't move to another task.")

    def decide(document: Document, _project: Project, _tried: bool) -> Change[Annotation]:
        stored = _stored(ctx, number)
        before = stored.value
        changed = replace(before, **({"updated_by": user} | values))
        if changed == before:
            return Change(before)
        changed = replace(changed, updated_at=ctx.clock(), version=before.version + 1)
        counts = _counts(document, before, -1) if before.was_cancelled != changed.was_cancelled else {}
        if counts:
            counts = _counts(document, changed, +1, counts)
        return Change(changed, [ctx.annotations.update(stored, changed)], counts)

    changed = commit(ctx, task, decide)
    logger.info("annotation edited", action="annotation.edit", task=task, annotation=number, version=changed.version)
    return changed


def delete(ctx: Context, number: int) -> None:
    """Deletes an annotation. Raises `NotFoundError`."""
    task = get(ctx, number).task

    def decide(document: Document, _project: Project, tried: bool) -> Change[None]:
        stored = ctx.annotations.get(number)
        if stored is None:
            if tried:
                return Change(None)  # by the commit whose answer was lost
            raise NotFoundError(UNKNOWN)
        left = [other for other in annotation_ids(document) if other != number]
        return Change(None, [stored.delete], _counted(document, stored.value, -1, left))

    commit(ctx, task, decide)
    logger.info("annotation deleted", action="annotation.delete", task=task, annotation=number)


def _counted(document: Document, annotation: Annotation, by: int, numbers: list[int]) -> dict[str, Any]:
    return {"annotation_ids": numbers, **_counts(document, annotation, by)}


def _counts(
    document: Document, annotation: Annotation, by: int, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The task's counters with one annotation more or less."""
    known = before or {name: document.data.get(name) or 0 for name in ("total_annotations", "cancelled_annotations")}
    name = "cancelled_annotations" if annotation.was_cancelled else "total_annotations"
    return {**known, name: max(0, known[name] + by)}


def _stored(ctx: Context, number: int) -> Stored[Annotation]:
    stored = ctx.annotations.get(number)
    if stored is None:
        raise NotFoundError(UNKNOWN)
    return stored
