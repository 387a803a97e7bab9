"""What a webhook is told, in Label Studio's shapes, made of what is there when it is told."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from functions.shapes import moment, project_shape
from shared.model.project import Project
from shared.model.task import UNDEFINED, named_data
from shared.model.webhook import ACTIONS, OutboxItem
from shared.ports import Document
from shared.records import tasks
from shared.services import projects
from shared.services.context import Context
from shared.services.delivering import Payload

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
    return _told(ctx, item, project, _task_parts)


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


def _lives(document: Document, project: Project) -> bool:
    return not document.data.get("deleted") and document.data["project"] == project.id


def _project(ctx: Context, project: Project | None, number: int, *, fresh: bool = False) -> dict[str, Any]:
    """A project with its counters; of one that is gone, its id."""
    if project is None:
        return {"id": number}
    shown = project_shape(project, None, _counters.of(ctx, project, fresh=fresh))
    return {**shown, "created_by": project.created_by}


def _task(document: Document, project: Project) -> dict[str, Any]:
    stored = document.data
    data: Any = orjson.Fragment(stored["data"])
    if UNDEFINED.encode() in stored["data"]:
        data = named_data(orjson.loads(stored["data"]), project.data_key)
    annotations = stored.get("total_annotations") or 0
    return {
        "id": int(document.ref.id),
        "data": data,
        "meta": orjson.Fragment(stored["meta"]) if stored.get("meta") else {},
        "created_at": moment(stored["created_at"]),
        "updated_at": moment(stored["updated_at"]),
        "is_labeled": annotations >= project.maximum_annotations,
        "allow_skip": stored.get("allow_skip", True),
        "overlap": project.maximum_annotations,
        "inner_id": None,
        "total_annotations": annotations,
        "cancelled_annotations": stored.get("cancelled_annotations") or 0,
        "total_predictions": stored.get("total_predictions") or 0,
        "precomputed_agreement": None,
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": project.id,
        "updated_by": None,
        "file_upload": None,
        "comment_authors": [],
    }
