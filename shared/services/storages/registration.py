"""Storages: create, read, check, sync, delete. Edits are in `editing`."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.errors import (
    CommitRefusedError,
    CommitUnknownError,
    InvalidInputError,
    NotFoundError,
    NotSynchronizableError,
    QueueUnavailableError,
)
from shared.log import logger
from shared.model.chunk import Chunk
from shared.model.fields import Direction
from shared.model.provider import Provider
from shared.model.providers import PROVIDERS
from shared.model.run import Gate
from shared.model.schedule import scheduled
from shared.model.storage import Storage
from shared.model.user import User
from shared.ports import Delete, Update, Write
from shared.records.collection import Stored
from shared.records.storages import next_id
from shared.services.context import Context
from shared.services.idempotency import HEADER, Once
from shared.services.storages import connecting
from shared.services.sync import runs, status
from shared.services.trash import trash_of_gates

RETRIES = 20
MAX_TARGETS = 20
"""Per project: each adds a write to the commits that change annotations."""
MAX_STORAGES = 150
"""Per project: deleting it removes them all, with gates and active runs, in one commit of at most 500 writes.
The same of datasets, which have no project."""


def provider_of(type: str, direction: Direction = "import") -> Provider:  # noqa: A002  the field's own name
    """What is known of a storage type. Raises `NotFoundError`, also for one that has no such storages."""
    known = [provider.type for provider in PROVIDERS.values() if direction in provider.directions]
    if type not in known:
        raise NotFoundError(f'There is no storage type "{type[:30]}"; there are {", ".join(known)}.')
    return PROVIDERS[type]


def create(
    ctx: Context,
    provider: Provider,
    given: Mapping[str, Any],
    direction: Direction = "import",
    *,
    user: User,
    once: Once | None = None,
) -> Storage:
    """Adds a storage to a project of the user, after a look into its bucket. A target starts a full sync.

    A dataset is added to no project; the caller has made sure that the user is an admin.

    The same `once` again: nothing is added, and the storage it made is returned. Raises `InvalidInputError`.
    """
    if once and (made := once.made()) is not None:
        return _made_before(ctx, made, user)
    draft = connecting.new_draft(ctx, provider, given, direction, user=user)
    draft = connecting.check(ctx, draft)
    storage = scheduled(replace(draft, id=next_id(ctx.documents, "storages")), started=None)
    gate = Gate(
        id=str(storage.id),
        storage=storage.id,
        project=storage.project,
        map=ctx.new_id(),
        location=storage.location,
        shape=storage.shape,
    )
    chunk = root_chunk(ctx, gate)
    for _ in range(RETRIES):
        if once and (made := once.made()) is not None:
            return _made_before(ctx, made, user)
        project = connecting.project_of(ctx, storage.project, user=user) if storage.project else None
        _refuse_more(ctx, storage)
        try:
            ctx.documents.commit(
                [
                    ctx.storages.create(storage.id, storage),
                    ctx.gates.create(storage.id, gate),
                    ctx.chunks.create(chunk.id, chunk),
                    # Orders this commit against others like it, and against the project's deletion.
                    *([Update(project.ref, {"newest_storage": storage.id}, project.revision)] if project else []),
                    *([once.note(storage.id)] if once else []),
                ]
            )
        except (CommitRefusedError, CommitUnknownError):
            if ctx.storages.get(storage.id) is None:
                continue
        logger.info("storage created", action="storage.create", storage=storage.id, project=storage.project)
        _first_sync(ctx, storage)
        return storage
    raise CommitRefusedError(f"project {storage.project} is being changed by others; try again")


def _refuse_more(ctx: Context, storage: Storage) -> None:
    """Raises `InvalidInputError` where the project has as many storages, or targets, as it can have.

    Of datasets there may be a few more, if several are made at once.
    """
    if ctx.documents.count(ctx.storages.query(("project", "==", storage.project))) >= MAX_STORAGES:
        if storage.direction == "dataset":
            raise InvalidInputError.of(connecting.NON_FIELD, f"There can be {MAX_STORAGES} dataset storages.")
        raise InvalidInputError.of("project", f"A project can have {MAX_STORAGES} storages; this one has them all.")
    if storage.direction == "export" and len(of_project(ctx, storage.project, "export")) >= MAX_TARGETS:
        text = f"A project can have {MAX_TARGETS} export storages; this one has them all."
        raise InvalidInputError.of("project", text)


def find(ctx: Context, provider: Provider, number: int, direction: Direction = "import", *, user: User) -> Storage:
    """A storage as it is stored, if the user may see it. Raises `NotFoundError`, else and for an unknown one alike."""
    storage = load(ctx, provider, number, direction).value
    if not user.may_see(storage.project):
        raise unknown(provider, number, direction)
    return storage


def _made_before(ctx: Context, number: int, user: User) -> Storage:
    """The storage that an earlier request of the same key made."""
    stored = ctx.storages.get(number)
    if stored is None or not user.may_see(stored.value.project):
        raise InvalidInputError.of(
            HEADER, f"The storage that this key made, {number}, is not there any more: take a new key."
        )
    if not stored.value.meta:
        _first_sync(ctx, stored.value)  # the first request may have died in between
    return stored.value


def _first_sync(ctx: Context, storage: Storage) -> None:
    """Starts the first sync of a new target, if it can have one."""
    bucket = storage.provider.bucket
    ready = storage.config.get("synchronizable", True) and (not bucket or storage.config.get(bucket))
    if storage.direction != "export" or not ready or not ctx.settings.sync_on_target_storage_creation:
        return
    try:
        runs.start_run(ctx, storage.id)
    except QueueUnavailableError as error:  # the run is there, and the sweep sends its messages
        logger.warning("queue unavailable", action="storage.sync", storage=storage.id, reason=str(error))


def get(ctx: Context, provider: Provider, number: int, direction: Direction = "import") -> Storage:
    """A storage, after its run under way was looked after. Raises `NotFoundError`."""
    status.ensure_status(ctx, number)
    return load(ctx, provider, number, direction).value


def of_project(ctx: Context, project: int, direction: Direction = "import") -> list[Storage]:
    """All storages of a project and direction, by type and id, after their runs were looked after.

    Datasets are those of project 0.
    """
    numbers = [it.value.id for it in ctx.storages.of_project(project) if it.value.direction == direction]
    for number in numbers:
        status.ensure_status(ctx, number)
    types = list(PROVIDERS)
    found = [stored.value for stored in ctx.storages.get_many(numbers) if stored is not None]
    return sorted(found, key=lambda storage: (types.index(storage.type), storage.id))


def draft_of(
    ctx: Context, provider: Provider, given: Mapping[str, Any], direction: Direction = "import", *, user: User
) -> Storage:
    """The storage that a request describes, which is not stored. Raises `NotFoundError`, `InvalidInputError`.

    With an `id`, what is not given is taken from that storage, credentials also where they are empty.
    """
    number = given.get("id")
    if number in (None, ""):
        return connecting.new_draft(ctx, provider, given, direction, user=user)
    if direction != "dataset":
        connecting.project_of(ctx, connecting.project_number(given), user=user)
    if isinstance(number, bool) or not re.fullmatch(r"[0-9]{1,18}", str(number)):
        raise InvalidInputError.of("id", "A valid integer is required.")
    before = find(ctx, provider, int(str(number)), direction, user=user)
    return connecting.edited(ctx, before, given, partial=True, blank_keeps=True)


def validate(
    ctx: Context, provider: Provider, given: Mapping[str, Any], direction: Direction = "import", *, user: User
) -> None:
    """Checks fields and connection of `draft_of` as `create` would, and writes nothing."""
    connecting.check(ctx, draft_of(ctx, provider, given, direction, user=user))


def sync(
    ctx: Context,
    provider: Provider,
    number: int,
    direction: Direction = "import",
    *,
    reimport_deleted: bool = False,
    delete_gone: bool = False,
) -> Storage:
    """Starts a sync, or leaves the one under way alone. A bad connection is for the run to report.

    `reimport_deleted`, `delete_gone`: see `Run`. Raises `NotFoundError`, `NotSynchronizableError`, and
    `InvalidInputError` where the sync under way was not asked for what this one is.
    """
    storage = get(ctx, provider, number, direction)
    if not storage.config.get("synchronizable", True):
        raise NotSynchronizableError(f"Storage {number} is not synchronizable")
    runs.start_run(ctx, number, reimport_deleted=reimport_deleted, delete_gone=delete_gone)
    return load(ctx, provider, number, direction).value


def delete(ctx: Context, provider: Provider, number: int, direction: Direction = "import") -> None:
    """Removes a storage; its tasks, or the objects it wrote, stay. Raises `NotFoundError`."""
    tried = False
    for _ in range(RETRIES):
        try:
            stored = load(ctx, provider, number, direction)
        except NotFoundError:
            if tried:
                return  # by the commit whose answer was lost
            raise
        gates = [gate] if (gate := ctx.gates.get(number)) else []
        tried = True
        try:
            ctx.documents.commit(
                [stored.delete, *gone_writes(ctx, gates), trash_of_gates(ctx, [gate.value for gate in gates])]
            )
        except (CommitRefusedError, CommitUnknownError):
            continue
        logger.info("storage deleted", action="storage.delete", storage=number)
        return
    raise CommitRefusedError(f"storage {number} is being changed by others; try again")


def gone_writes(ctx: Context, gates: list[Stored[Gate]]) -> list[Write]:
    """The writes that delete gates and end their runs, beside those that delete the storages."""
    writes: list[Write] = [Delete(gate.ref, gate.revision) for gate in gates]
    active = ctx.runs.get_many([gate.value.run for gate in gates if gate.value.run])
    for run in active:
        if run is not None:
            ended = replace(run.value, active=False, outcome="cancelled", time_ended=ctx.clock())
            # Only who holds the gate ends a run, so a ping that comes between may be overwritten.
            changes = ctx.runs.update(run, ended).changes
            writes.append(Update(run.ref, changes, None))
    return writes


def load(ctx: Context, provider: Provider, number: int, direction: Direction) -> Stored[Storage]:
    """A storage with its revision. Raises `NotFoundError`, also for one of another type or direction."""
    stored = ctx.storages.get(number)
    if stored is None or (stored.value.type, stored.value.direction) != (provider.type, direction):
        raise unknown(provider, number, direction)
    return stored


def unknown(provider: Provider, number: int, direction: Direction) -> NotFoundError:
    """What is said of an id that no storage of this type and direction has."""
    kind = "storage" if direction == "import" else f"{direction} storage"
    return NotFoundError(f"No {provider.title} {kind} has the id {number}.")


def root_chunk(ctx: Context, gate: Gate) -> Chunk:
    """The one chunk of a new ledger: the whole key space."""
    return Chunk(id=ctx.new_id(), storage=gate.storage, map=gate.map, after="", until=None, start="")
