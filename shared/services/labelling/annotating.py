"""Annotations: create, read, edit, delete. Each change writes the task in the same commit."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.errors import InvalidInputError, NotFoundError
from shared.log import logger
from shared.model.annotation import (
    MAX_PER_TASK,
    Annotation,
    clean_annotation,
    fingerprint,
    numbered_near,
)
from shared.model.project import Project
from shared.ports import Document, Value
from shared.records.annotations import annotation_ids
from shared.records.collection import Stored
from shared.services.announcing import News
from shared.services.context import Context
from shared.services.labelling.task_batches import commit_many
from shared.services.labelling.task_commits import Change, Decide, commit
from shared.services.labelling.tasks import projects_of

UNKNOWN = "No Annotation matches the given query."
REPEAT_SECONDS = 60.0
"""A request without a key of its own counts as repeated for so long."""
MAX_READ = 50
"""Annotations read at once where only their tasks matter."""


def create(
    ctx: Context, task: int, given: Mapping[str, Any], *, user: int, idempotency_key: str = "", cancelled: bool = False
) -> Annotation:
    """Adds an annotation to a task. Raises `NotFoundError`, `InvalidInputError`.

    Idempotent: the same user's same request for the same task, within a minute or with the same `idempotency_key` for
    as long as the annotation lives, answers with the annotation that is there.
    """
    made = commit(ctx, task, _creation(ctx, given, user, idempotency_key, cancelled=cancelled))
    logger.info("annotation created", action="annotation.create", task=task, annotation=made.id)
    return made


def create_many(ctx: Context, tasks: Sequence[int], given: Mapping[str, Any], *, user: int) -> list[Annotation]:
    """The same annotation for many tasks, each as `create` would; in the order of `tasks`.

    Raises for the first that can't have it; what was made by then stays, and is found again by the same request.
    """
    decide = _creation(ctx, {**given, "bulk_created": True}, user, "")
    made = commit_many(ctx, dict.fromkeys(tasks, decide))
    logger.info("annotations created", action="annotation.create_many", annotations=len(made))
    return [made[task] for task in tasks]


def _creation(
    ctx: Context, given: Mapping[str, Any], user: int, idempotency_key: str, *, cancelled: bool = False
) -> Decide[Annotation]:
    values = {"completed_by": user, **clean_annotation(given)}
    if values["completed_by"] is None:
        values["completed_by"] = user
    if cancelled:
        values["was_cancelled"] = True
    request = (
        fingerprint("key", user, idempotency_key) if idempotency_key else fingerprint(user, sorted(values.items()))
    )

    def decide(document: Document, project: Project, _unsure: bool) -> Change[Annotation]:
        now = ctx.clock()
        present = annotation_ids(document)
        for annotation in _of(ctx, repeatable(present, now, idempotency_key)):
            if annotation.request == request and (idempotency_key or now - annotation.created_at < REPEAT_SECONDS):
                return Change(annotation)
        if len(present) >= MAX_PER_TASK:
            raise InvalidInputError(f"A task can have {MAX_PER_TASK} annotations; this one has them all.")
        made = Annotation(
            id=ctx.new_number(),
            task=int(document.ref.id),
            project=project.id,
            created_at=now,
            updated_at=now,
            request=request,
            **({"updated_by": user} | values),
        )
        fields: dict[str, Value] = {"annotation_ids": [*present, made.id], **_counts(document, more=[made])}
        action = "ANNOTATIONS_CREATED" if values.get("bulk_created") else "ANNOTATION_CREATED"
        news = News(action, [made.id], [(made.id, made.task)])
        return Change(made, [ctx.annotations.create(made.id, made)], fields, news)

    return decide


def repeatable(numbers: Sequence[int], now: float, idempotency_key: str) -> list[int]:
    """Which of a task's annotations or predictions an earlier attempt of a request may have made."""
    return [number for number in numbers if idempotency_key or numbered_near(number, now, REPEAT_SECONDS)]


def get(ctx: Context, number: int) -> Annotation:
    """An annotation. Raises `NotFoundError`."""
    return _stored(ctx, number).value


def of_task(ctx: Context, task: Document) -> list[Annotation]:
    """The annotations of a task, cancelled ones too, oldest first."""
    return _of(ctx, annotation_ids(task))


def _of(ctx: Context, numbers: Sequence[int]) -> list[Annotation]:
    return [stored.value for stored in ctx.annotations.get_many(numbers) if stored is not None]


def update(ctx: Context, number: int, given: Mapping[str, Any], *, user: int) -> Annotation:
    """Edits an annotation: only the given fields change. Raises `NotFoundError`, `InvalidInputError`."""
    values = clean_annotation(given)
    if values.get("completed_by", 0) is None:
        del values["completed_by"]
    task = get(ctx, number).task
    if given.get("task") not in (None, task, str(task)):
        raise InvalidInputError.of("task", "An annotation can't move to another task.")

    def decide(document: Document, _project: Project, _unsure: bool) -> Change[Annotation]:
        stored = _stored(ctx, number)
        before = stored.value
        changed = replace(before, **({"updated_by": user} | values))
        if changed == before:
            return Change(before)
        changed = replace(changed, updated_at=ctx.clock(), version=before.version + 1)
        moved = before.was_cancelled != changed.was_cancelled
        counts = _counts(document, less=[before], more=[changed]) if moved else {}
        news = News("ANNOTATION_UPDATED", [number], [(number, task)])
        return Change(changed, [ctx.annotations.update(stored, changed)], counts, news)

    changed = commit(ctx, task, decide)
    logger.info("annotation edited", action="annotation.edit", task=task, annotation=number, version=changed.version)
    return changed


def delete(ctx: Context, number: int) -> None:
    """Deletes an annotation. Raises `NotFoundError`."""
    task = get(ctx, number).task
    if not commit(ctx, task, _deletion(ctx, [number])):
        raise NotFoundError(UNKNOWN)
    logger.info("annotation deleted", action="annotation.delete", task=task, annotation=number)


def delete_many(ctx: Context, project: int, numbers: Sequence[int]) -> int:
    """Deletes annotations of a project and returns how many; those that are not there (any more) don't count."""
    by_task: dict[int, list[int]] = defaultdict(list)
    for at in range(0, len(numbers), MAX_READ):
        for annotation in _of(ctx, numbers[at : at + MAX_READ]):
            if annotation.project == project:
                by_task[annotation.task].append(annotation.id)
    there = [task for task, of in zip(by_task, projects_of(ctx, list(by_task)), strict=True) if of == project]
    deleted = sum(commit_many(ctx, {task: _deletion(ctx, by_task[task]) for task in there}).values())
    logger.info("annotations deleted", action="annotation.delete_many", project=project, annotations=deleted)
    return deleted


def _deletion(ctx: Context, numbers: Sequence[int]) -> Decide[int]:
    """Deletes annotations of one task; the result is how many."""

    def decide(document: Document, _project: Project, unsure: bool) -> Change[int]:
        found = [stored for stored in ctx.annotations.get_many(numbers) if stored is not None]
        gone = {stored.value.id for stored in found}
        if not found:
            return Change(len(numbers) if unsure else 0)  # by the commit whose answer was lost, or by somebody else
        left = [number for number in annotation_ids(document) if number not in gone]
        fields: dict[str, Value] = {
            "annotation_ids": left,
            **_counts(document, less=[stored.value for stored in found]),
        }
        news = News("ANNOTATIONS_DELETED", sorted(gone), [(number, int(document.ref.id)) for number in sorted(gone)])
        return Change(len(found), [stored.delete for stored in found], fields, news)

    return decide


def _counts(document: Document, *, less: Sequence[Annotation] = (), more: Sequence[Annotation] = ()) -> dict[str, int]:
    """The task's counters with some annotations less and some more."""
    counts = {name: document.data.get(name) or 0 for name in ("total_annotations", "cancelled_annotations")}
    for by, annotations in ((-1, less), (+1, more)):
        for annotation in annotations:
            counts["cancelled_annotations" if annotation.was_cancelled else "total_annotations"] += by
    return counts


def _stored(ctx: Context, number: int) -> Stored[Annotation]:
    stored = ctx.annotations.get(number)
    if stored is None:
        raise NotFoundError(UNKNOWN)
    return stored
