"""What tests of annotations and predictions share: faults of commits, and what must be true whatever happened."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

from shared.errors import CommitRefusedError, CommitUnknownError, DocumentsUnavailableError
from shared.ports import Check, Document, Filter, Query, Write
from shared.services.context import Context

Fault = Literal["", "lost", "vanished", "refused", "down"]
"""Of a commit: none; its answer was lost; it never arrived, but nobody knows; it was refused; the store is away."""


@contextmanager
def faults(ctx: Context, *script: Fault) -> Iterator[list[Sequence[Write]]]:
    """The next commits meet these faults, one each; yields the writes of every commit that was tried."""
    tried: list[Sequence[Write]] = []
    rest = list(script)
    commit = ctx.documents.commit

    def faulty(writes: Sequence[Write], checks: Sequence[Check] = ()) -> list[str]:
        tried.append(writes)
        fault = rest.pop(0) if rest else ""
        if fault == "refused":
            raise CommitRefusedError
        if fault == "down":
            raise DocumentsUnavailableError
        if fault == "vanished":
            raise CommitUnknownError
        revisions = commit(writes, checks)
        if fault == "lost":
            raise CommitUnknownError
        return revisions

    ctx.documents.commit = faulty  # type: ignore[method-assign]
    try:
        yield tried
    finally:
        ctx.documents.commit = commit  # type: ignore[method-assign]


def all_of(ctx: Context, collection: str, project: int, *where: Filter, order: tuple[str, ...] = ()) -> list[Document]:
    """All documents of a project."""
    query = Query(collection=collection, where=(Filter("project", "==", project), *where), order=order, limit=1000)
    found: list[Document] = []
    while True:
        page = ctx.documents.query(query)
        found += page
        if len(page) < 1000:
            return found
        query = replace(query, after=query.cursor(page[-1]))


def assert_consistent(ctx: Context, project: int) -> dict[str, int]:
    """Tasks name exactly the annotations and predictions that are there, and count them. Returns the totals."""
    live = all_of(ctx, "tasks", project, Filter("deleted", "==", False), order=("position",))
    gone = all_of(ctx, "tasks", project, Filter("deleted", "==", True), order=("position",))
    annotations: dict[int, dict[int, Any]] = defaultdict(dict)
    for document in all_of(ctx, "annotations", project):
        one = ctx.annotations.stored(document).value
        annotations[one.task][one.id] = one
    predictions: dict[int, set[int]] = defaultdict(set)
    for document in all_of(ctx, "predictions", project):
        predictions[document.data["task"]].add(int(document.ref.id))
    sums = dict.fromkeys(("total_annotations", "cancelled_annotations", "total_predictions"), 0)
    for task in live:
        number, data = int(task.ref.id), task.data
        said, predicted = data.get("annotation_ids") or [], data.get("prediction_ids") or []
        mine = annotations.pop(number, {})
        assert sorted(said) == sorted(mine), f"task {number} names {said}; there are {sorted(mine)}"
        assert sorted(predicted) == sorted(predictions.pop(number, set())), f"task {number} names {predicted}"
        cancelled = sum(one.was_cancelled for one in mine.values())
        counted = {name: data.get(name) or 0 for name in sums}
        expected = (len(mine) - cancelled, cancelled, len(predicted))
        assert tuple(counted.values()) == expected, f"task {number} counts {counted}, not {expected}"
        for name, count in counted.items():
            sums[name] += count
    assert not annotations, f"annotations of no task: {annotations}"
    assert not predictions, f"predictions of no task: {predictions}"
    for task in gone:
        left = [name for name in (*sums, "annotation_ids", "prediction_ids") if task.data.get(name)]
        assert not left, f"deleted task {task.ref.id} still has {left}"
        assert (b"{}", b"") == (task.data["data"], task.data.get("meta", b""))
    assert sums == ctx.tasks.totals(project, tuple(sums))
    return sums
