"""Edits of a storage. One that changes what is meant ends a run under way in its own commit, and starts another."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.errors import CommitRefusedError, CommitUnknownError
from shared.log import logger
from shared.model.fields import Direction
from shared.model.provider import Provider
from shared.model.run import Ending, Gate
from shared.model.schedule import scheduled
from shared.model.storage import Storage
from shared.ports import Write
from shared.records.collection import Stored
from shared.services.context import Context
from shared.services.storages import connecting, registration
from shared.services.sync import runs
from shared.services.trash import trash

RETRIES = 20
EDITED = "The settings were changed while the sync was running; start it again."


def update(
    ctx: Context,
    provider: Provider,
    number: int,
    given: Mapping[str, Any],
    *,
    partial: bool,
    direction: Direction = "import",
) -> Storage:
    """Edits the settings. Raises `NotFoundError`, `InvalidInputError`.

    A run under way goes on with new labels, but is ended by a change of what is taken from where, and started anew.
    Another location is another ledger: nothing is known of it, and the tasks made so far stay.
    """
    checked: Storage | None = None
    restart = False
    for _ in range(RETRIES):
        stored, gate = registration.load(ctx, provider, number, direction), ctx.gates.get(number)
        if gate is None:
            raise registration.unknown(provider, number, direction)
        draft = connecting.edited(ctx, stored.value, given, partial=partial)
        changed = {name for name, value in draft.config.items() if stored.value.config.get(name) != value}
        if draft.secrets != stored.value.secrets:
            changed.add("secrets")
        labels_only = bool(changed) and changed <= connecting.LABELS
        same = checked and (checked.config, checked.secrets) == (draft.config, draft.secrets)
        if not labels_only and not same:
            checked = draft = connecting.check(ctx, draft)
        if not changed:
            break
        draft = _rescheduled(ctx, stored.value, draft)
        writes, ends = _edit(ctx, gate, stored, draft)
        restart = restart or ends
        try:
            ctx.documents.commit(writes)
        except (CommitRefusedError, CommitUnknownError):
            continue
        logger.info("storage edited", action="storage.edit", storage=number, fields=sorted(changed), ended_run=ends)
        break
    else:
        raise CommitRefusedError(f"storage {number} is being changed by others; try again")
    if restart:
        runs.start_run(ctx, number)
    return registration.get(ctx, provider, number, direction)


def _rescheduled(ctx: Context, before: Storage, draft: Storage) -> Storage:
    """Another interval counts from the start of the last sync; what failed before may be mended now."""
    run = ctx.runs.get(before.last_sync_job) if before.last_sync_job else None
    return scheduled(replace(draft, failures=0), started=run.value.time_queued if run else None)


def _edit(ctx: Context, gate: Stored[Gate], stored: Stored[Storage], draft: Storage) -> tuple[list[Write], bool]:
    """The writes of an edit, and whether they end a run."""
    moved = draft.location != stored.value.location
    if not moved and draft.shape == stored.value.shape:
        return [ctx.storages.update(stored, draft)], False
    changes = {"location": draft.location, "shape": draft.shape}
    writes: list[Write] = []
    if moved:
        changes["map"] = ctx.new_id()
        root = registration.root_chunk(ctx, replace(gate.value, **changes))  # type: ignore[arg-type]  # all of them text
        writes += [ctx.chunks.create(root.id, root), trash(ctx, maps=[gate.value.map])]
    run = ctx.runs.get(gate.value.run) if gate.value.run else None
    if run is None:
        if moved:  # whatever the last sync said, it said of another bucket
            attempts = {name: value for name, value in draft.meta.items() if name == "attempts"}
            draft = replace(draft, status="initialized", last_sync=None, last_sync_count=None, meta=attempts)
            draft = replace(draft, last_sync_job=None, traceback=None)
        new_gate = replace(gate.value, run="", **changes)  # type: ignore[arg-type]
        return [*writes, ctx.gates.update(gate, new_gate), ctx.storages.update(stored, draft)], False
    ending = Ending(outcome="cancelled", traceback=EDITED, counts=ctx.chunks.sums(gate.value.map, gate.value.run_seq))
    settings = {"config": draft.config, "secrets": draft.secrets}
    ends, _ = runs.ending_writes(ctx, gate, run, stored, ending, gate_changes=changes, storage_changes=settings)
    return writes + ends, True
