"""What a webhook is told, in Label Studio's shapes, made of what is there when it is told."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from functions.project_shapes import project_shape
from functions.task_shapes import annotation_shape, new_task_shape, task_data
from shared.model.annotation import Annotation
from shared.model.project import Project
from shared.model.webhook import ACTIONS, OutboxItem
from shared.ports import Document
from shared.records import tasks
from shared.services import projects
from shared.services.context import Context
from shared.services.webhooks.delivering import Payload

SLICE = 25
"""Tasks read at once: each may be as large as a document can be."""
COUNTERS_LIFE = 60.0
"""Seconds for which a project's counters are repeated: counting costs more than all the rest of a payload."""
MAX_COUNTERS = 1000

Parts = dict[str, bytes]
"""What a payload says of one id: JSON by key."""


class Counters:
    """The counters of projects, counted anew after a while. Safe for many threads; what is kept only saves work."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int], tuple[dict[str, int], float]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, ctx: Context, project: Project, *, fresh: bool) -> dict[str, int]:
        """The counters of a project."""
        key, now = (ctx.boot, project.id), ctx.clock()
        with self._lock:
            known = self._known.get(key)
        if known and not fresh and 0 <= now - known[1] < COUNTERS_LIFE:
            return known[0]
        counters = projects.counters(ctx, project)
        with self._lock:
            self._known[key] = counters, now
            self._known.move_to_end(key)
            while len(self._known) > MAX_COUNTERS:
                self._known.popitem(last=False)
        return counters


_counters = Counters()


def build(ctx: Context, item: OutboxItem) -> Payload | None:
    """The payload of an item, None if what it is about is gone. Of many ids no more than `webhook_bytes` hold."""
    stored = ctx.projects.get(item.project)
    project = stored.value if stored else None
    key = ACTIONS[item.action].key
    if item.action == "PROJECT_DELETED":
        return Payload({key: {"id": item.project}}, len(item.ids))
    if item.action in {"TASKS_DELETED", "ANNOTATIONS_DELETED"}:
        gone = [{"id": number} for number in item.ids]
        return Payload({key: gone, "project": _project(ctx, project, item.project)}, len(item.ids))
    if project is None:
        return None
    if key == "project":
        return Payload({key: _project(ctx, project, item.project, fresh=True)}, len(item.ids))
    return _told(ctx, item, project, _task_parts if key == "tasks" else _annotation_parts)


def _told(
    ctx: Context,
    item: OutboxItem,
    project: Project,
    read: Callable[[Context, Project, Sequence[int]], list[Parts | None]],
) -> Payload | None:
    """The payload of as many ids as fit."""
    found: list[Parts] = []
    told = size = 0
    limit = ctx.settings.webhook_bytes if ACTIONS[item.action].many else 0
    while told < len(item.ids):
        for parts in read(ctx, project, item.ids[told : told + SLICE]):
            size += sum(map(len, parts.values())) if parts else 0
            if parts and found and size > limit:
                return _payload(ctx, item, project, found, told)
            found += [parts] if parts else []
            told += 1
    return _payload(ctx, item, project, found, told) if found else None


def _payload(ctx: Context, item: OutboxItem, project: Project, found: list[Parts], told: int) -> Payload:
    shown = {key: [orjson.Fragment(parts[key]) for parts in found] for key in found[0]}
    single = not ACTIONS[item.action].many
    fields: dict[str, Any] = {key: values[0] if single else values for key, values in shown.items()}
    return Payload({**fields, "project": _project(ctx, project, project.id)}, told)


def _task_parts(ctx: Context, project: Project, numbers: Sequence[int]) -> list[Parts | None]:
    documents = ctx.documents.get_many([tasks.ref(number) for number in numbers])
    return [
        {"tasks": orjson.dumps(_task(document, project))} if document and _lives(document, project) else None
        for document in documents
    ]


def _annotation_parts(ctx: Context, project: Project, numbers: Sequence[int]) -> list[Parts | None]:
    """Annotations, each with its task. One that is gone is left out: an event of its own tells of that."""
    found = [stored.value if stored else None for stored in ctx.annotations.get_many(numbers)]
    wanted = list(dict.fromkeys(annotation.task for annotation in found if annotation))
    known = dict(zip(wanted, ctx.documents.get_many([tasks.ref(number) for number in wanted]), strict=True))
    parts: list[Parts | None] = []
    for annotation in found:
        task = known[annotation.task] if annotation else None
        if annotation is None or task is None or not _lives(task, project):
            parts.append(None)
            continue
        shown = {"annotation": _annotation(annotation), "task": _task(task, project)}
        parts.append({key: orjson.dumps(value) for key, value in shown.items()})
    return parts


def _lives(document: Document, project: Project) -> bool:
    return not document.data.get("deleted") and document.data["project"] == project.id


def _project(ctx: Context, project: Project | None, number: int, *, fresh: bool = False) -> dict[str, Any]:
    """A project with its counters; of one that is gone, its id."""
    if project is None:
        return {"id": number}
    shown = project_shape(project, None, _counters.of(ctx, project, fresh=fresh))
    return {**shown, "created_by": project.created_by}


def _task(document: Document, project: Project) -> dict[str, Any]:
    shown = new_task_shape(document, project)
    allow_skip = document.data.get("allow_skip", True)
    return {**shown, "data": task_data(document, project), "allow_skip": allow_skip, "precomputed_agreement": None}


def _annotation(annotation: Annotation) -> dict[str, Any]:
    shown = annotation_shape(annotation, {}, 0.0)
    own = {name: value for name, value in shown.items() if name not in {"created_username", "created_ago"}}
    count = len(orjson.loads(annotation.result))
    return {**own, "prediction": {}, "result_count": count, "unique_id": annotation.unique_id}
