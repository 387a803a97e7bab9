"""Additions of a dataset's records to projects: asked for, found, listed. The work is done in `adding`."""

from collections.abc import Mapping
from typing import Any

from shared.errors import CommitRefusedError, CommitUnknownError, InvalidInputError, NotFoundError
from shared.log import logger
from shared.model.addition import Addition, Selection
from shared.model.storage import Storage
from shared.model.user import User
from shared.services.context import ADD_RECORDS, QUEUE_RUNS, Context
from shared.services.owed import Desk
from shared.services.storages import connecting

DESK = Desk("addition", QUEUE_RUNS, ADD_RECORDS, lambda ctx: ctx.additions)
RETRIES = 20


def start(ctx: Context, storage: Storage, given: Mapping[str, Any], *, user: User) -> Addition:
    """Keeps what is asked for, and wakes who does it. Raises `InvalidInputError` naming every field that is not good.

    A request that comes twice makes two additions, and the tasks once.
    """
    selection, project = _checked(ctx, storage, given, user=user)
    restore = given.get("reimport_deleted", False)
    for _ in range(RETRIES):
        found = connecting.project_of(ctx, project, user=user)
        gate = ctx.gates.get(storage.id)
        if gate is None:
            raise NotFoundError(f"There is no dataset storage {storage.id} any more.")
        now = ctx.clock()
        addition = Addition(
            id=ctx.new_id(),
            storage=storage.id,
            project=project,
            map=gate.value.map,
            asked=selection.asked,
            records=selection.records,
            prefix=storage.prefix,
            restore=restore,
            user=user.id,
            since=now,
            updated=now,
            due=now,
        )
        create = ctx.additions.create(addition.id, addition)
        try:
            ctx.documents.commit([create], [found.check, gate.check])
        except CommitRefusedError:
            continue
        except CommitUnknownError:
            if ctx.additions.get(addition.id) is None:
                continue
        DESK.send(ctx, [create])
        logger.info("addition asked for", action="addition.start", storage=storage.id, project=project)
        return addition
    raise CommitRefusedError(f"project {project} is being changed by others; try again")


def _checked(ctx: Context, storage: Storage, given: Mapping[str, Any], *, user: User) -> tuple[Selection, int]:
    problems: dict[str, list[str]] = {}
    selection, project = Selection(), 0
    try:
        selection = Selection.of(given, storage_prefix=storage.prefix)
    except InvalidInputError as error:
        problems |= error.fields
    try:
        project = connecting.project_number(given)
        connecting.project_of(ctx, project, user=user)
    except InvalidInputError as error:
        problems |= error.fields
    if not isinstance(given.get("reimport_deleted", False), bool):
        problems["reimport_deleted"] = ["Must be a valid boolean."]
    if problems:
        raise InvalidInputError(fields=problems)
    return selection, project


def find(ctx: Context, storage: Storage, number: str) -> Addition:
    """An addition of a dataset. Raises `NotFoundError`."""
    stored = ctx.additions.get(number) if number.isalnum() and len(number) <= 40 else None
    if stored is None or stored.value.storage != storage.id:
        raise NotFoundError(f"No addition of dataset storage {storage.id} has this id.")
    return stored.value


def newest(ctx: Context, storage: Storage, limit: int) -> list[Addition]:
    """Additions of a dataset, the newest first."""
    return [stored.value for stored in ctx.additions.of_storage(storage.id, limit)]
