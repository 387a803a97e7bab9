"""What the objects of a target should be now: read from annotations and tasks, never from messages."""

from collections.abc import Sequence
from functools import partial

from shared.model.annotation import Annotation
from shared.model.export_body import annotation_body, task_body
from shared.model.link import GONE, Want
from shared.model.storage import Storage
from shared.model.targets import Format, object_name
from shared.model.user import User
from shared.records.annotations import annotation_ids
from shared.services.context import Context
from shared.services.labelling import tasks

MAX_REFS = 500


def format_of(storage: Storage) -> Format:
    """What an object of the target holds."""
    return "task" if storage.config.get("export_format") == "task" else "annotation"


def wants(ctx: Context, storage: Storage, units: Sequence[int]) -> dict[int, Want]:
    """The state of each unit now. Read a unit's link before its state: then no link knows of a newer one."""
    if format_of(storage) == "task":
        return _of_tasks(ctx, storage, units)
    return _of_annotations(ctx, storage, units)


def _of_annotations(ctx: Context, storage: Storage, units: Sequence[int]) -> dict[int, Want]:
    found: dict[int, Annotation] = {}
    for at in range(0, len(units), MAX_REFS):
        for stored in ctx.annotations.get_many(units[at : at + MAX_REFS]):
            if stored is not None and stored.value.project == storage.project:
                found[stored.value.id] = stored.value
    numbers = list(dict.fromkeys(annotation.task for annotation in found.values()))
    documents = {number: task for number, task in zip(numbers, tasks.get_many(ctx, numbers), strict=True) if task}
    project = ctx.projects.get(storage.project)
    people = _people(ctx, list(found.values()))
    now = ctx.clock()
    made: dict[int, Want] = {}
    for unit in units:
        annotation = found.get(unit)
        task = documents.get(annotation.task) if annotation else None
        if annotation is None or task is None or project is None:
            made[unit] = Want(unit, GONE, "", None)
            continue
        body = partial(annotation_body, annotation, annotation.task, task.data, project.value, people, now)
        key = _key(storage, annotation.task, annotation, annotation.created_at)
        made[unit] = Want(unit, annotation.version, key, body)
    return made


def _of_tasks(ctx: Context, storage: Storage, units: Sequence[int]) -> dict[int, Want]:
    project = ctx.projects.get(storage.project)
    documents = {
        int(task.ref.id): task
        for task in tasks.get_many(ctx, list(units))
        if task is not None and task.data["project"] == storage.project
    }
    parts = tasks.parts(ctx, list(documents.values())) if documents else {}
    people = _people(ctx, [annotation for part in parts.values() for annotation in part.annotations])
    made: dict[int, Want] = {}
    for unit in units:
        task = documents.get(unit)
        if task is None or project is None:
            made[unit] = Want(unit, GONE, "", None)
            continue
        key = _key(storage, unit, None, task.data["created_at"])
        made_of = unit, task.data, parts[task.ref.id].annotations, project.value, people
        body = partial(task_body, *made_of) if annotation_ids(task) else None
        made[unit] = Want(unit, (task.data.get("edits") or 0) + 1, key, body)
    return made


def _key(storage: Storage, task: int, annotation: Annotation | None, created_at: float) -> str:
    name = object_name(
        storage.config.get("key_template"),
        format_of(storage),
        project=storage.project,
        task=task,
        annotation=annotation.id if annotation else None,
        created_at=created_at,
    )
    return storage.prefix + name


def _people(ctx: Context, annotations: Sequence[Annotation]) -> dict[int, User]:
    numbers = sorted({annotation.completed_by for annotation in annotations if annotation.completed_by})
    found: dict[int, User] = {}
    for at in range(0, len(numbers), MAX_REFS):
        for stored in ctx.users.get_many(numbers[at : at + MAX_REFS]):
            if stored is not None:
                found[stored.value.id] = stored.value
    return found
