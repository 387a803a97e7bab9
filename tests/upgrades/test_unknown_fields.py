"""What a newer release added to a document stays there when this release, as an older one, updates the document."""

from dataclasses import replace

import orjson
import pytest

from functions import sync_chunk
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.model.addition import Addition
from shared.model.annotation import Annotation, Prediction
from shared.model.chunk import Chunk
from shared.model.event_work import EventWork
from shared.model.link import Due, Link
from shared.model.project import Project
from shared.model.run import Gate, Hint, Lane, Run
from shared.model.schema import Schema
from shared.model.snapshot import Freeze, Snapshot
from shared.model.storage import Storage
from shared.model.upload import Upload
from shared.model.user import Token, User
from shared.model.webhook import OutboxItem, Webhook
from shared.ports import Create, Ref
from shared.records.collection import Collection
from shared.services.context import Context
from shared.settings import Settings

NEW = {"of_a_newer_release": "kept"}

OBJECTS = {
    "additions": (Addition(id="1", storage=1, project=1, map="m", user=1, since=1.0, due=1.0), {"updated": 7.0}),
    "annotations": (Annotation(id=1, task=1, project=1, created_at=0.0, updated_at=0.0), {"updated_at": 7.0}),
    "chunks": (Chunk(id="1", storage=1, map="m", after="", until=None, start=""), {"epoch": 7}),
    "dues": (Due(id="1", storage=1, project=1, units=(), since=1.0, due=1.0), {"failures": 7}),
    "event_work": (EventWork(), {"events": 7}),
    "freezes": (Freeze(id="1", map="m", storage=1), {"turn": 7}),
    "gates": (Gate(id="1", storage=1, project=1, map="m", location="", shape=""), {"run_seq": 7}),
    "hints": (Hint(id="1", storage=1, map="m", dirty=True, ticket=1, after="", until=None, since=1.0), {"ticket": 7}),
    "lanes": (Lane(id="1", run="", storage=1, number=0, quiet_since=0.0), {"ticket": 7}),
    "links": (Link(id="1", map="m", storage=1, format="task", unit=1, order="", key="k", since=1.0), {"rev": 7}),
    "outbox": (OutboxItem(id="1", webhook=1, project=1, action="", ids=(), since=1.0, due=1.0), {"failures": 7}),
    "predictions": (Prediction(id=1, task=1, project=1, created_at=0.0, updated_at=0.0), {"updated_at": 7.0}),
    "projects": (Project(id=1, title="One", created_at=1.0), {"title": "Seven"}),
    "runs": (
        Run(id="1", storage=1, project=1, seq=1, trigger="api", lanes=1, attempts=1, time_queued=1.0),
        {"time_ended": 7.0},
    ),
    "schemas": (Schema(), {"place": "7"}),
    "snapshots": (
        Snapshot(id=1, storage=1, map="m", title="", begun_at=0.0, created_at=0.0, records=0, size=0, root="", parts=0),
        {"title": "Seven"},
    ),
    "storages": (
        Storage(id=1, type="s3", project=1, created_at=0, config={"title": "One"} | NEW, secrets=b"", meta={}),
        {"config": {"title": "Seven"} | NEW},
    ),
    "tokens": (Token(user=1, created_at=0.0), {"expires_at": 7.0}),
    "uploads": (Upload(id=1, project=1, digest="", round=1, state="open", since=1.0), {"task_count": 7}),
    "users": (User(id=1, email="a@example.org", username="a", created_at=0.0), {"username": "seven"}),
    "webhooks": (Webhook(id=1, project=None, sealed=b"", created_at=0.0, updated_at=0.0), {"updated_at": 7.0}),
}
"""Of each collection an object, and what an update changes of it."""
PACKED = {"additions", "annotations", "dues", "event_work", "links", "predictions"}


@pytest.fixture
def ctx():
    documents = SqliteDocuments(":memory:", indexes=())
    yield Context(documents=documents, queue=None, settings=Settings(), open_store=None, receivers=None)
    documents.close()


def test_there_is_an_object_of_every_collection(ctx):
    assert OBJECTS.keys() == {name for name, value in vars(ctx).items() if isinstance(value, Collection)}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_update_keeps_what_it_does_not_know(ctx, name):
    """Also by whoever goes on from their own commit."""
    collection, (value, changes) = getattr(ctx, name), OBJECTS[name]
    ref, fields = Ref(collection.name, "1"), collection.create("1", value).data
    ctx.documents.commit([Create(ref, fields | NEW)])

    stored, changed = collection.get("1"), replace(value, **changes)
    revision = ctx.documents.commit([collection.update(stored, changed)])[0]
    first = ctx.documents.get(ref).data
    ctx.documents.commit([collection.update(stored.written(changed, revision), value)])
    second = ctx.documents.get(ref).data

    assert first == collection.create("1", changed).data | NEW
    assert second == fields | NEW


@pytest.mark.parametrize("name", sorted(PACKED))
def test_an_update_keeps_what_it_does_not_know_among_what_no_query_looks_at(ctx, name):
    """Some documents keep that in one JSON object, which an update writes whole."""
    collection, (value, changes) = getattr(ctx, name), OBJECTS[name]
    ref, fields = Ref(collection.name, "1"), collection.create("1", value).data
    ctx.documents.commit([Create(ref, fields | {"about": orjson.dumps(orjson.loads(fields["about"]) | NEW)})])

    stored, changed = collection.get("1"), replace(value, **changes)
    revision = ctx.documents.commit([collection.update(stored, changed)])[0]
    ctx.documents.commit([collection.update(stored.written(changed, revision), value)])
    ctx.documents.commit([collection.update(collection.get("1"), changed)])

    about = orjson.loads(ctx.documents.get(ref).data["about"])
    assert about == orjson.loads(collection.create("1", changed).data["about"]) | NEW


def test_all_that_pack_fields_are_among_them(ctx):
    packing = {name for name, (value, _) in OBJECTS.items() if "about" in getattr(ctx, name).create("1", value).data}

    assert PACKED == packing


def test_a_message_of_a_newer_release_is_understood():
    body = orjson.dumps({"storage": 1, "ticket": 2, "run": "r", "lane": 3, "hint": "", **NEW})

    permit = sync_chunk.parse(body)

    assert (1, 2, "r", 3) == (permit.storage, permit.ticket, permit.run, permit.lane)
