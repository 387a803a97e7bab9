"""`infra/firestore.indexes.json` declares what the queries need, and nothing else."""

import json

import orjson
import pytest

from shared.adapters.documents.indexes import Index, load_indexes
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.app import INDEXES
from shared.model.addition import Addition
from shared.model.annotation import Annotation, Prediction
from shared.model.chunk import Chunk
from shared.model.event_work import EventWork
from shared.model.link import Due, Link
from shared.model.project import Project
from shared.model.run import Gate, Hint, Lane, Run
from shared.model.storage import Storage
from shared.model.webhook import OutboxItem, Webhook
from shared.ports import Filter, Query
from shared.records import (
    additions,
    annotations,
    chunks,
    event_work,
    links,
    runs,
    storages,
    tasks,
    uploads,
    users,
    webhooks,
)
from shared.services import idempotency, trash
from shared.services.accounts import tokens
from shared.services.context import Context
from shared.settings import Settings
from tests.indexes import CheckedIndexes, Declared, IndexMissingError

FOR_SQLITE = {Index("chunks", ("map", "run_seq"))}
"""It sums several fields at once."""


@pytest.fixture
def declared():
    return Declared.load(INDEXES)


@pytest.fixture
def documents(declared):
    store = SqliteDocuments(":memory:", indexes=())
    yield CheckedIndexes(store, declared)
    store.close()


def _context(documents):
    return Context(documents=documents, queue=None, settings=Settings(), open_store=None, receivers=None)


def every_query(documents):
    """Each query that the program makes, once. The flows make them too, but may miss one."""
    chunk, task = chunks.Chunks(documents), tasks.Tasks(documents)
    chunk.open("m", 1, after=None, limit=5)
    chunk.any_open("m", 1)
    chunk.any_open("m", 1, "seen_seq")
    chunk.any_leased("m", 1.0)
    chunk.leased("m", 1.0, 5)
    chunk.in_order("m", after=None, limit=5)
    chunk.unsettled(5)
    chunk.failing("m", 1, 5)
    chunk.sums("m", 1)
    chunk.find(("map", "==", "m"), ("start", "<=", "s"), order=("-start",))  # hints.covering
    runs.Runs(documents).active(("id",), 5)
    runs.Runs(documents).ended_before(1.0, 5)
    runs.Lanes(documents).of_run("r")
    runs.Hints(documents).dirty(1.0, 5)
    task.page(1, after=None, limit=5)
    task.count(1)
    task.of_key(1, 1, "m", "k")
    list(task.tombstones(1, 1, "m", {"k"}, until=1.0))
    counters = ("total_annotations", "cancelled_annotations", "total_predictions")
    task.totals(1, counters)
    task.count_above(1, counters[0], 1)
    annotations.annotations(documents).of_project(1, after="7", limit=5)
    annotations.predictions(documents).of_project(1, after=None, limit=5)
    annotations.annotators(documents, 1, 5)
    annotations.ground_truths(documents, 1)
    uploads.Uploads(documents).begun_before(1.0, 5)
    additions.Additions(documents).of_storage(1, 5)
    additions.Additions(documents).overdue(1.0, 5)
    additions.Additions(documents).ended_before(1.0, 5)
    links.Links(documents).in_order("m", "", after=None, limit=5)
    links.Links(documents).tombstones(1.0, 5)
    links.Dues(documents).overdue(1.0, 5)
    storages.Storages(documents).of_project(1)
    storages.Storages(documents).due(1.0, 5)
    storages.Storages(documents).listening_to("b")
    documents.query(storages.Projects(documents).listed(5))
    storages.Projects(documents).count()
    idempotency.forget(_context(documents), 5)
    webhooks.Webhooks(documents).of(1)
    webhooks.Webhooks(documents).all()
    webhooks.Outbox(documents).overdue(1.0, 5)
    tokens.admit_first(documents, "token", 1.0)
    people, given = users.Users(documents), users.Tokens(documents)
    people.active()
    people.count()
    given.of_user(1)
    given.named("jti")
    given.expired(1.0, 5)
    documents.query(Query(collection=trash.COLLECTION, order=("since",)))
    for query in trash._contents({"maps": ["m"], "storages": [1], "project": 1}):
        documents.query(query)


def test_every_query_has_its_index_and_every_index_its_query(documents, declared):
    every_query(documents)

    assert set(declared.composite) - declared.used == FOR_SQLITE


def test_fields_of_the_busy_collections_are_indexed_only_where_a_query_needs_them(documents, declared):
    """Each index costs a write, and one on a time or a position is a hot spot."""
    every_query(documents)
    busy = {
        "chunks": chunks._encode(Chunk(id="c", storage=1, map="m", after="", until=None, start="")),
        "ledgers": {"map", "blob"},
        "gates": runs._encode(Gate(id="1", storage=1, project=1, map="m", location="", shape="")),
        "lanes": runs._encode(Lane(id="1", run="", storage=1, number=0, quiet_since=0.0)),
        "hints": runs._encode(
            Hint(id="1", storage=1, map="m", dirty=True, ticket=1, after="", until=None, since=1.0),
        ),
        "outbox": webhooks._encode_item(
            OutboxItem(id="i", webhook=1, project=1, action="", ids=(), since=1.0, due=1.0)
        ),
        "runs": runs.Runs._to_fields(
            Run(id="r", storage=1, project=1, seq=1, trigger="api", lanes=1, attempts=1, time_queued=1.0)
        ),
        "tasks": {*_task(), *_LATER},
        "annotations": annotations.encode(Annotation(id=1, task=1, project=1, created_at=0.0, updated_at=0.0)),
        "predictions": annotations.encode(Prediction(id=1, task=1, project=1, created_at=0.0, updated_at=0.0)),
        "links": links.encode_link(
            Link(id="l", map="m", storage=1, format="task", unit=1, order="", key="k", since=1.0)
        ),
        "dues": links.encode_due(Due(id="d", storage=1, project=1, units=(), since=1.0, due=1.0)),
        "additions": additions.encode(Addition(id="a", storage=1, project=1, map="m", user=1, since=1.0, due=1.0)),
        "event_work": event_work.encode("m", EventWork()),
        "idempotency": idempotency.Once(_context(documents), user=1, route="", key="k", body={}).note(1).data,
    }
    for collection, names in busy.items():
        exempt = {field for (of, field), orders in declared.overrides.items() if of == collection and not orders}
        assert exempt == set(names) - {field for of, field in declared.used_fields if of == collection}


_LATER = {"mark", "mark_version", "mark_at", "edited", "edits", "record"}
"""What updates add to a task, and datasets."""


def _task():
    extra = {name: orjson.dumps([{}]) for name in ("predictions", "annotations")} | {"meta": b"{}"}
    origin = tasks.Origin("m", "k", None)
    return tasks.create(
        1, project=1, storage=1, origin=origin, version="v", now=0.0, data=b"", extra=extra, digest="", allow_skip=False
    ).create.data


def test_what_is_opaque_or_long_is_not_indexed(declared):
    """A string is indexed up to 1,500 bytes, bytes too: nobody looks for them."""
    storage = storages._encode_storage(
        Storage(id=1, type="s3", project=1, created_at=0, config={}, secrets=b"", meta={})
    )
    webhook = webhooks._encode_webhook(Webhook(id=1, project=None, sealed=b"", created_at=0.0, updated_at=0.0))
    opaque = {
        (collection, name)
        for collection, document in (("storages", storage), ("webhooks", webhook))
        for name, value in document.items()
        if isinstance(value, bytes)
    }
    long = {("storages", "traceback"), ("webhooks", "last_error"), ("runs", "traceback"), ("chunks", "errors")}
    long |= {("projects", name) for name in ("label_config", "description", "expert_instruction")}
    assert {name for of, name in long if of == "projects"} <= set(Project.__slots__)
    assert not [key for key in opaque | long if declared.overrides.get(key, {"?"})]


def test_no_more_exemptions_than_a_database_can_have(declared):
    assert len(declared.overrides) <= 200


@pytest.mark.parametrize(
    "query",
    [
        Query(collection="chunks", where=(Filter("map", "==", "m"),), order=("-done_seq",)),
        Query(collection="chunks", where=(Filter("storage", "==", 1),)),
        Query(collection="chunks", where=(Filter("map", "==", "m"), Filter("owner", "==", ""))),
        Query(collection="tasks", order=("position",)),
        Query(collection="tasks", where=(Filter("project", "==", 1),), order=("position",)),
        Query(collection="runs", order=("time_ended", "active")),
    ],
)
def test_a_query_without_its_index_is_refused(documents, query):
    """Not declared, exempt, in the other direction, by a part of an index's fields."""
    with pytest.raises(IndexMissingError, match=query.collection):
        documents.query(query)
    if not query.order:
        with pytest.raises(IndexMissingError):
            documents.count(query)


def test_a_sum_needs_its_field_in_the_index(documents):
    query = Query(collection="tasks", where=(Filter("project", "==", 1), Filter("deleted", "==", False)))
    assert documents.sum(query, ["total_annotations"]) == {"total_annotations": 0}
    with pytest.raises(IndexMissingError):
        documents.sum(query, ["total_annotations", "row"])


def test_exemptions_are_no_indexes_to_sqlite():
    exempt = {
        (entry["collectionGroup"], entry["fieldPath"])
        for entry in json.loads(INDEXES.read_text())["fieldOverrides"]
        if not entry["indexes"]
    }
    assert exempt
    assert not [index for index in load_indexes(INDEXES) if (index.collection, *index.fields) in exempt]
