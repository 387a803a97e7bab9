"""Every query has an index that yields its page without sorting or skipping."""

from collections.abc import Sequence
from typing import Any

import pytest

from shared.adapters.documents.indexes import fitting, load_indexes
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.app import INDEXES
from shared.model.project import Project
from shared.ports import Document, Query
from shared.records.chunks import Chunks
from shared.records.runs import Hints, Lanes, Runs
from shared.records.storages import Projects, Storages
from shared.records.tasks import Tasks
from shared.services import projects, trash
from shared.services.accounts import tokens
from shared.services.context import Context
from shared.settings import Settings

DECLARED = load_indexes(INDEXES)


class Recorder:
    """Keeps what is asked."""

    def __init__(self, documents: SqliteDocuments) -> None:
        self._documents = documents
        self.asked: list[Query] = []

    def query(self, query: Query) -> list[Document]:
        self.asked.append(query)
        return self._documents.query(query)

    def count(self, query: Query) -> int:
        self.asked.append(Query(collection=query.collection, where=query.where, order=_ranges(query)))
        return self._documents.count(query)

    def sum(self, query: Query, fields: Sequence[str]) -> dict[str, int]:
        self.asked.append(Query(collection=query.collection, where=query.where, order=_ranges(query)))
        return self._documents.sum(query, fields)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)


def _ranges(query: Query) -> tuple[str, ...]:
    """What an aggregate needs of an order: the field that is bounded."""
    return tuple(dict.fromkeys(item.field for item in query.where if item.op != "=="))


@pytest.fixture
def recorder():
    documents = SqliteDocuments(":memory:", indexes=DECLARED)
    recorder = Recorder(documents)
    yield recorder
    for query in recorder.asked:
        equal = frozenset(item.field for item in query.where if item.op == "==")
        order = [field for field in query.order if field.removeprefix("-") not in equal]
        descends = bool(query.order) and query.order[-1].startswith("-")
        found = fitting(DECLARED, query.collection, equal, order, id_descends=descends)
        assert found or not (query.where or query.order), f"no index for {query}"
    assert recorder.asked
    documents.close()


def test_records(recorder: Recorder):
    chunks, runs, lanes, hints = Chunks(recorder), Runs(recorder), Lanes(recorder), Hints(recorder)
    chunks.open("m", 1, after=None, limit=5)
    chunks.any_open("m", 1)
    chunks.any_leased("m", 1.0)
    chunks.in_order("m", after=None, limit=5)
    chunks.find(("map", "==", "m"), ("start", "<", "a"), order=("-start",), limit=5)
    chunks.unsettled(5)
    chunks.failing("m", 1, 5)
    chunks.sums("m", 1)
    runs.active(None, 5)
    lanes.of_run("r")
    hints.dirty(1.0, 5)
    Storages(recorder).of_project(1)
    recorder.query(Projects(recorder).listed(5))
    tasks = Tasks(recorder)
    tasks.page(1, after=None, limit=5)
    tasks.count(1)
    tasks.totals(1, ("total_annotations", "cancelled_annotations", "total_predictions"))
    tasks.count_above(1, "total_annotations", 1)
    tasks.of_key(1, 1, "m", "k")


def test_services(recorder: Recorder):
    settings = Settings(token="t")
    ctx = Context(documents=recorder, queue=None, settings=settings, open_store=None, receivers=None)  # type: ignore[arg-type]
    tokens.admit_first(recorder, "t", 1.0)
    project = Project(id=1, title="One", created_at=1.0)
    projects.counters(ctx, project)
    recorder.commit([trash.trash(ctx, maps=["m"], storages=[1], project=1)])
    assert trash.collect_trash(ctx, 10) == 1
