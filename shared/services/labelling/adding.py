"""Tasks that come with a request: checked as a whole, then committed in bounded batches, once each.

A request that died on the way, or whose answer was lost, is repeated by clients. Its upload is found again by what was
sent and goes on where it stopped: the numbers of its tasks follow from upload, round and row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from shared.errors import CommitRefusedError, CommitUnknownError, InvalidInputError, NotFoundError
from shared.log import logger
from shared.model.annotation import fingerprint
from shared.model.project import Project
from shared.model.rows import BadRow, Checkpoint, TaskRow, build_row
from shared.model.task import missing_keys, task_id
from shared.model.upload import Upload
from shared.ports import Document
from shared.records import tasks as records
from shared.records.collection import weight
from shared.records.tasks import NewTask
from shared.services import announcing
from shared.services.context import Context

RETRIES = 20
RESUME_SECONDS = 600.0
"""An upload that did not end is gone on with for so long; the same list sent later is another one."""
MAX_PROBLEMS = 20
STORAGE = 0
"""Tasks of no storage sort before those of storages."""


class Added(NamedTuple):
    """What an upload came to, and the numbers of its tasks, in the order of the request."""

    upload: Upload
    numbers: list[int]


def add(
    ctx: Context, project: int, items: Sequence[Any], *, user: int, idempotency_key: str = "", check_only: bool = False
) -> Added:
    """Makes tasks of a project: all are checked before the first is made. Raises `NotFoundError`, `InvalidInputError`.

    With an `idempotency_key` a repeated request answers as the first did, for as long as its record is kept.
    """
    rows = _checked(ctx, _project(ctx, project), items)
    counts = (len(rows), sum(row.annotations for row in rows), sum(row.predictions for row in rows))
    if check_only:
        now = ctx.clock()
        checked = Upload(id=0, project=project, digest="", round=0, state="completed", since=now, ended=now)
        return Added(replace(checked, task_count=counts[0], annotation_count=counts[1], prediction_count=counts[2]), [])
    digest = fingerprint([row.digest for row in rows])
    number = int(fingerprint("upload", project, user, idempotency_key or digest)[:13], 16) or 1
    upload = _begin(ctx, number, project, digest, keep=bool(idempotency_key))
    numbers = _commit_all(ctx, upload, rows)
    if upload.state == "completed":
        return Added(upload, numbers)
    done = replace(upload, state="completed", ended=ctx.clock())
    done = replace(done, task_count=counts[0], annotation_count=counts[1], prediction_count=counts[2])
    _end(ctx, done)
    logger.info("tasks added", action="task.add", project=project, upload=upload.id, tasks=len(numbers))
    return Added(done, numbers)


def add_one(ctx: Context, project: int, item: Mapping[str, Any], *, user: int, idempotency_key: str = "") -> int:
    """Makes one task and returns its number; equal tasks are different ones, unless an `idempotency_key` says so."""
    try:
        if idempotency_key:
            return add(ctx, project, [item], user=user, idempotency_key=idempotency_key).numbers[0]
        rows = _checked(ctx, _project(ctx, project), [item])
    except InvalidInputError as error:
        texts = error.fields.pop("0", [])  # the place in a list says nothing here
        raise InvalidInputError(fields={**error.fields, **({"non_field_errors": texts} if texts else {})}) from None
    now = ctx.clock()
    once = Upload(id=ctx.new_number(), project=project, digest=ctx.new_id(), round=0, state="in_progress", since=now)
    return _commit_all(ctx, once, rows)[0]


def get_upload(ctx: Context, project: int, number: int) -> Upload:
    """An upload of a project. Raises `NotFoundError`."""
    stored = ctx.uploads.get(number)
    if stored is None or stored.value.project != project:
        raise NotFoundError("No ProjectImport matches the given query.")
    return stored.value


def _project(ctx: Context, number: int) -> Project:
    stored = ctx.projects.get(number)
    if stored is None:
        raise NotFoundError("No Project matches the given query.")
    return stored.value


def _checked(ctx: Context, project: Project, items: Sequence[Any]) -> list[TaskRow]:
    rows: list[TaskRow] = []
    problems: dict[str, list[str]] = {}
    for at, item in enumerate(items):
        row = build_row(item, at, Checkpoint(), ctx.settings.max_row_bytes)
        if isinstance(row, BadRow):
            problems[str(at)] = [row.reason]
        elif not _data(item):
            problems[str(at)] = ["Task data must be an object with at least one key."]
        elif missing := missing_keys(_data(item), project.data_keys):
            problems[str(at)] = [f'"{key}" key is expected in task data' for key in missing]
        else:
            rows.append(row)
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        raise InvalidInputError(fields=problems)
    return rows


def _data(item: Mapping[str, Any]) -> Mapping[str, Any]:
    data = item.get("data")
    return data if isinstance(data, dict) else item


def _begin(ctx: Context, number: int, project: int, digest: str, *, keep: bool) -> Upload:
    """The round to work on: the one under way, the one that is kept for repeats, or the next."""
    first = Upload(id=number, project=project, digest=digest, round=1, state="in_progress", since=ctx.clock())
    for _ in range(RETRIES):
        now = ctx.clock()
        stored = ctx.uploads.get(number)
        if stored is None:
            upload = first
            write: Any = ctx.uploads.create(number, upload)
        else:
            before = stored.value
            if before.digest != digest:
                raise InvalidInputError.of("Idempotency-Key", "This key was used for other tasks: take a new one.")
            if keep or (before.state == "in_progress" and now - before.since < RESUME_SECONDS):
                return before
            upload = replace(first, round=before.round + 1)
            write = ctx.uploads.update(stored, upload)
        try:
            ctx.documents.commit([write])
        except (CommitRefusedError, CommitUnknownError):
            continue
        return upload
    raise CommitRefusedError("the same tasks are being added by others; try again")


def _end(ctx: Context, done: Upload) -> None:
    for _ in range(RETRIES):
        stored = ctx.uploads.get(done.id)
        if stored is None or stored.value.round != done.round or stored.value.state == "completed":
            return
        try:
            ctx.documents.commit([ctx.uploads.update(stored, done)])
        except (CommitRefusedError, CommitUnknownError):
            continue
        return
    raise CommitRefusedError(f"upload {done.id} is being changed by others; try again")


def _commit_all(ctx: Context, upload: Upload, rows: Sequence[TaskRow]) -> list[int]:
    numbers: list[int] = []
    batch: list[NewTask] = []
    writes = size = 0
    room = ctx.settings.batch_writes - announcing.ROOM
    for row in rows:
        new = _new_task(upload, row)
        bytes_ = sum(map(weight, new.writes))
        if batch and (writes + len(new.writes) > room or size + bytes_ > ctx.settings.batch_bytes):
            numbers += _commit(ctx, upload.project, batch)
            batch, writes, size = [], 0, 0
        batch.append(new)
        writes, size = writes + len(new.writes), size + bytes_
    return numbers + (_commit(ctx, upload.project, batch) if batch else [])


def _new_task(upload: Upload, row: TaskRow) -> NewTask:
    content: dict[str, Any] = {} if row.allow_skip else {"allow_skip": False}
    return records.create(
        task_id(upload.origin, "", row.index),
        project=upload.project,
        storage=STORAGE,
        origin=records.Origin(upload.origin, "", row.index),
        place=upload.place,
        version="",
        now=upload.since,
        data=row.data,
        extra=row.extra,
        **content,
    )


def _commit(ctx: Context, project: int, batch: Sequence[NewTask]) -> list[int]:
    """Commits what is not there yet; the numbers of all. Nothing is added to a project that was deleted."""
    settled: list[NewTask | Document] = list(batch)
    for salt in range(1, RETRIES):
        new = [one for one in settled if isinstance(one, NewTask)]
        stored = ctx.projects.get(project)
        if stored is None:
            raise NotFoundError("No Project matches the given query.")
        try:
            if new:
                writes = [write for one in new for write in one.writes]
                news = announcing.writes(ctx, project, announcing.of_new(writes))
                ctx.documents.commit([*writes, *news], [stored.check])
                announcing.send(ctx, news)
            return [int(one.create.ref.id if isinstance(one, NewTask) else one.ref.id) for one in settled]
        except (CommitRefusedError, CommitUnknownError):
            refs = [write.ref for one in new for write in one.writes]
            found = {document.ref: document for document in ctx.documents.get_many(refs) if document is not None}
            settled = [records.settled(one, found, salt) if isinstance(one, NewTask) else one for one in settled]
    raise CommitRefusedError(f"project {project} is being changed by others; try again")
