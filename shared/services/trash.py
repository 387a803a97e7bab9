"""What deletions leave behind: one document says what is to go, and the sweep removes it in slices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.errors import CommitRefusedError
from shared.log import logger
from shared.model.run import Gate
from shared.ports import Create, Delete, Filter, Query, Ref, Value
from shared.services.context import Context
from shared.services.datasets.thawing import thaw

COLLECTION = "trash"
SNAPSHOTS = ("snapshots", "manifests", "frozen", "freezes")
"""What a dataset's snapshots are kept in."""
SLICE = 400
"""Documents removed in one commit."""


def trash(
    ctx: Context,
    *,
    maps: Sequence[str] = (),
    storages: Sequence[int] = (),
    project: int | None = None,
    snapshot: tuple[str, int, int] | None = None,
) -> Create:
    """Part of the commit that deletes something: its ledgers, its runs, its tasks will be collected.

    Nothing can be added to any of them afterwards, since that commit deletes or changes the gates as well.
    `snapshot`: its map, its id, and how many parts its list has.
    """
    data: dict[str, Value] = {"maps": list(maps), "storages": list(storages), "project": project, "since": ctx.clock()}
    if snapshot:
        data |= {"map": snapshot[0], "snapshot": snapshot[1], "parts": snapshot[2]}
    return Create(Ref(COLLECTION, ctx.new_id()), data)


def trash_of_gates(ctx: Context, gates: Sequence[Gate], project: int | None = None) -> Create:
    """The trash of whole storages."""
    return trash(ctx, maps=[g.map for g in gates], storages=[g.storage for g in gates], project=project)


def collect_trash(ctx: Context, limit: int) -> int:
    """Removes at most `limit` documents of what was deleted, oldest first, and returns how many they were.

    May be stopped at any point and run twice at once: what is left is found again.
    """
    removed = 0
    for item in ctx.documents.query(Query(collection=COLLECTION, order=("since",), limit=20)):
        for query in _contents(item.data):
            removed += _remove_all(ctx, query, limit - removed)
        try:
            removed += _thawed(ctx, item.data, limit - removed)
        except CommitRefusedError:
            continue  # a snapshot is being taken: what it needs is found out again
        if removed >= limit:
            break  # perhaps all of it is gone; the next call finds out
        try:
            ctx.documents.commit([Delete(item.ref, item.revision)])
        except CommitRefusedError:
            continue  # another sweep removed it
        removed += 1
    if removed:
        logger.info("trash collected", action="trash.collect", documents=removed)
    return removed


def _contents(item: Mapping[str, Any]) -> Iterator[Query]:
    """Queries for everything that goes with a piece of trash."""
    for storage_map in item["maps"]:
        for collection in ("ledgers", "chunks", "hints", "links", "event_work", *SNAPSHOTS):
            yield Query(collection=collection, where=(Filter("map", "==", storage_map),), select=())
    for storage in item["storages"]:
        for collection in ("lanes", "runs", "dues", "additions"):
            yield Query(collection=collection, where=(Filter("storage", "==", storage),), select=())
    if item["project"] is not None:
        for deleted in (False, True):
            where = (Filter("project", "==", item["project"]), Filter("deleted", "==", deleted))
            # In the order of an index that is there anyway.
            yield Query(collection="tasks", where=where, order=("position",), select=())
        # Only now: what is said of a task is committed with it, so that nothing can be added once all tasks are gone.
        for collection in ("annotations", "predictions"):
            yield Query(collection=collection, where=(Filter("project", "==", item["project"]),), select=())


def _thawed(ctx: Context, item: Mapping[str, Any], limit: int) -> int:
    return thaw(ctx, item["map"], item["snapshot"], item["parts"], limit) if "snapshot" in item and limit else 0


def _remove_all(ctx: Context, query: Query, limit: int) -> int:
    removed = 0
    while removed < limit:
        wanted = min(SLICE, limit - removed)
        found = ctx.documents.query(replace(query, limit=wanted))
        if found:
            ctx.documents.commit([Delete(document.ref, None) for document in found])
            removed += len(found)
        if len(found) < wanted:
            break
    return removed
