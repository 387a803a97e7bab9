"""A migration: in slices, by whoever sweeps, whatever dies or runs beside it. The real step, on both platforms."""

import io
import json

import orjson
import pytest

from shared.errors import CommitUnknownError, SchemaTooNewError
from shared.model.schema import CHANGES, FIRST, VERSION, Change, Schema
from shared.model.storage import Storage, bucket_id
from shared.ports import Create, Delete, Query, Ref, Update
from shared.records.schema import CURRENT, Schemas
from shared.records.storages import Storages
from shared.services import sweeping
from shared.services.context import Context
from shared.services.migrations import checking, migrating
from shared.services.migrations.steps import STEPS
from shared.settings import Settings

SETTLE = 3600.0
ALL = 1000
BROKEN = b"{no JSON"


class Killed(BaseException):
    """The process died."""


class Watched:
    """Documents; `before` and `after` are called around each commit, with its number from 1."""

    def __init__(self, inner):
        self._inner = inner
        self.commits = self.reads = 0
        self.before = self.after = lambda _number: None

    def commit(self, writes, checks=()):
        self.commits += 1
        number = self.commits
        self.before(number)
        revisions = self._inner.commit(writes, checks)
        self.after(number)
        return revisions

    def get(self, ref):
        self.reads += ref.collection == "schema"
        return self._inner.get(ref)

    def __getattr__(self, name):
        return getattr(self._inner, name)


class Clock:
    """Stands still until it is moved."""

    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def process(documents, clock):
    """Starts a process of this release on the documents, as `app.build` does."""

    def start(settle=SETTLE):
        watched = Watched(documents)
        ctx = Context(
            documents=watched,
            queue=None,
            settings=Settings(schema_settle_seconds=settle),
            open_store=None,
            receivers=None,
            clock=clock,
        )
        ctx.schema_version = checking.check(watched)
        return ctx

    return start


def storage(number, **config):
    return Storage(
        id=number, type="s3", project=1, created_at=0.0, config={"bucket": "b", **config}, secrets=b"sealed", meta={}
    )


def earlier(documents, *numbers, **config):
    """Storages as they were before they could honour notifications."""
    for number in numbers:
        data = dict(Storages(documents).create(number, storage(number, **config)).data)
        del data["listens_to"]
        documents.commit([Create(Ref("storages", str(number)), data)])


def listening(documents):
    """Whose notifications each storage honours; None where the field is missing."""
    found = documents.query(Query(collection="storages", limit=500))
    return {int(document.ref.id): document.data.get("listens_to") for document in found}


def schema(documents):
    stored = Schemas(documents).current()
    return stored.value if stored else None


def test_each_schema_has_its_change_and_its_step():
    numbers = list(range(FIRST + 1, VERSION + 1))

    assert numbers == [change.version for change in CHANGES] == sorted(STEPS)
    assert all(FIRST <= change.needs < change.version for change in CHANGES)


def test_what_a_step_needs_counts_from_its_begin_and_stays():
    """Before the first document is of the new schema, those are kept out who could not live with it."""
    first = Schema(version=4, needs=2).begun(Change(5, "", needs=4), 1.0)
    ended = first.gone_on("x", changed=1, failed=0).pass_ended(Change(5, "", needs=4), 2.0, 0.0)
    second = ended.begun(Change(6, "", needs=1), 3.0)

    assert [(4, 4), (5, 4), (5, 4)] == [(one.version, one.needs) for one in (first, ended, second)]


def test_documents_of_an_earlier_release_are_brought_to_this_one(documents, process, clock):
    """What it has is left alone, byte for byte; the number moves once nobody can be left who writes the old form."""
    earlier(documents, 1, 2)
    earlier(documents, 3, auto_sync=True)
    documents.commit([Storages(documents).create(4, storage(4, auto_sync=True))])
    before = {d.ref: d for d in documents.query(Query(collection="storages"))}
    bucket = bucket_id("s3", "b")

    migrating.migrate(process(), ALL)
    first = schema(documents)
    clock.now += SETTLE - 1
    migrating.migrate(process(), ALL)
    waiting = schema(documents)
    clock.now += 1
    migrating.migrate(process(), ALL)

    assert {1: "", 2: "", 3: bucket, 4: bucket} == listening(documents)
    for document in documents.query(Query(collection="storages")):
        old = before[document.ref]
        assert document.data == {**old.data, "listens_to": document.data["listens_to"]}
        assert (document.revision == old.revision) == (document.ref.id == "4")
    assert (FIRST, True) == (first.version, first.under_way)
    assert first == waiting
    assert Schema(version=VERSION) == schema(documents)


def test_a_slice_is_bounded_and_the_next_goes_on(documents, process):
    earlier(documents, *range(10, 20))

    steps = []
    for _ in range(4):
        migrating.migrate(process(settle=0.0), 3)
        steps.append(sum(value is not None for value in listening(documents).values()))

    assert [3, 6, 9, 10] == steps
    assert VERSION == schema(documents).version


def test_a_pass_over_many_pages(documents, process, monkeypatch):
    monkeypatch.setattr(migrating, "PAGE", 2)
    monkeypatch.setattr(migrating, "PAGE_BYTES", 1)  # a commit for each
    earlier(documents, 1, 2, 3, 4, 5)

    ctx = process(settle=0.0)
    migrating.migrate(ctx, ALL)

    assert dict.fromkeys(range(1, 6), "") == listening(documents)
    assert (VERSION, VERSION) == (schema(documents).version, ctx.schema_version)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_around_any_commit_is_harmless(documents, process, clock, when):
    def die(at):
        def maybe(number):
            if number == at:
                raise Killed

        return maybe

    kills = 0
    for at in range(1, 10):
        for document in documents.query(Query(collection="storages")):
            documents.commit([Delete(document.ref, None)])
        documents.commit([Delete(Ref("schema", CURRENT), None)])
        earlier(documents, 1, 2, 3)
        ctx = process(settle=0.0)
        setattr(ctx.documents, when, die(at))
        try:
            migrating.migrate(ctx, 2)
            migrating.migrate(ctx, 2)
        except Killed:
            kills += 1

        for _ in range(3):
            migrating.migrate(process(settle=0.0), 2)

        assert {1: "", 2: "", 3: ""} == listening(documents)
        assert Schema(version=VERSION) == schema(documents)
    assert 6 == kills  # the document, the begin, two pages with their documents


def test_a_second_sweep_at_any_moment_is_harmless(documents, process):
    """All of it happens between the first one's look and its commit."""
    for at in range(1, 8):
        for document in documents.query(Query(collection="storages")):
            documents.commit([Delete(document.ref, None)])
        documents.commit([Delete(Ref("schema", CURRENT), None)])
        earlier(documents, 1, 2, 3)
        ctx, other = process(settle=0.0), process(settle=0.0)

        def interfere(number, at=at, other=other):
            if number == at:
                migrating.migrate(other, 2)

        ctx.documents.before = interfere
        for _ in range(4):
            migrating.migrate(ctx, 2)
            migrating.migrate(other, 2)

        assert {1: "", 2: "", 3: ""} == listening(documents)
        assert Schema(version=VERSION) == schema(documents)


def test_a_lost_answer_is_no_reason_to_pass_a_document(documents, process):
    earlier(documents, 1, 2, 3)
    ctx = process(settle=0.0)

    def lose(number):
        raise CommitUnknownError

    ctx.documents.after = lose
    for _ in range(10):
        migrating.migrate(ctx, ALL)

    assert {1: "", 2: "", 3: ""} == listening(documents)
    assert Schema(version=VERSION) == schema(documents)


def test_a_commit_that_never_arrived_is_made_again(documents, process):
    """Nobody is told whether it did: the place stays where it was."""
    earlier(documents, 1, 2, 3)
    ctx = process(settle=0.0)

    def lose(number):
        if number == 3:  # the page's
            raise CommitUnknownError

    ctx.documents.before = lose
    migrating.migrate(ctx, ALL)
    lost, place = listening(documents), schema(documents).place
    migrating.migrate(ctx, ALL)

    assert ({1: None, 2: None, 3: None}, "") == (lost, place)
    assert {1: "", 2: "", 3: ""} == listening(documents)
    assert VERSION == schema(documents).version


def test_a_document_that_is_edited_all_the_time_waits_for_the_next_sweep(documents, process):
    earlier(documents, 1, 2)
    ctx = process(settle=0.0)
    edits = iter(range(1, 100))

    def edit(number):
        if number >= 3:
            documents.commit([Update(Ref("storages", "1"), {"failures": next(edits)}, None)])

    ctx.documents.before = edit
    migrating.migrate(ctx, ALL)
    busy, place = listening(documents), schema(documents).place
    ctx.documents.before = lambda _number: None
    migrating.migrate(ctx, ALL)

    assert ({1: None, 2: ""}, "") == (busy, place)
    assert {1: "", 2: ""} == listening(documents)
    assert VERSION == schema(documents).version


def test_who_edits_in_the_same_moment_wins(documents, process):
    """Their edit stays, and the document is migrated as it is then."""
    earlier(documents, 1, 2)
    ctx = process(settle=0.0)
    edited = orjson.dumps({"bucket": "b", "auto_sync": True})

    def edit(number):
        if number == 3:  # the page's
            documents.commit([Update(Ref("storages", "1"), {"config": edited}, None)])

    ctx.documents.before = edit
    migrating.migrate(ctx, ALL)

    assert {1: bucket_id("s3", "b"), 2: ""} == listening(documents)
    assert edited == documents.get(Ref("storages", "1")).data["config"]
    assert VERSION == schema(documents).version


def test_what_the_release_before_makes_meanwhile_is_found_by_the_second_look(documents, process, clock):
    earlier(documents, 5)
    migrating.migrate(process(), ALL)
    earlier(documents, 3, 7)

    clock.now += SETTLE
    migrating.migrate(process(), ALL)

    assert {3: "", 5: "", 7: ""} == listening(documents)
    assert VERSION == schema(documents).version


def test_a_document_that_can_not_be_read_is_named_and_stops_no_other(documents, process, clock, log_lines: io.StringIO):
    """The number waits for it, and moves by itself once it is mended."""
    earlier(documents, 1, 2, 3)
    good = documents.get(Ref("storages", "2")).data["config"]
    documents.commit([Update(Ref("storages", "2"), {"config": BROKEN}, None)])

    migrating.migrate(process(settle=0.0), ALL)
    stuck = schema(documents)
    documents.commit([Update(Ref("storages", "2"), {"config": good}, None)])
    migrating.migrate(process(settle=0.0), ALL)
    paused = listening(documents)
    clock.now += 3600
    migrating.migrate(process(settle=0.0), ALL)

    assert {1: "", 2: None, 3: ""} == paused
    assert (FIRST, True) == (stuck.version, stuck.under_way)
    assert {1: "", 2: "", 3: ""} == listening(documents)
    assert VERSION == schema(documents).version
    told = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    assert {"schema.migrate"} == {line["action"] for line in told}
    assert ["2"] == [line["id"] for line in told if "id" in line]
    assert BROKEN.decode() not in log_lines.getvalue()
    assert [(2, 1), (1, 0)] == [(line["changed"], line["failed"]) for line in told if "changed" in line]


def test_the_sweep_migrates_and_costs_nothing_afterwards(documents, process):
    earlier(documents, 1)
    ctx = process(settle=0.0)

    sweeping.sweep(ctx)
    done = schema(documents)
    commits, reads = ctx.documents.commits, ctx.documents.reads
    sweeping.sweep(ctx)

    assert Schema(version=VERSION) == done
    assert (commits, reads) == (ctx.documents.commits, ctx.documents.reads)


def test_a_sweep_of_a_release_that_is_too_old_leaves_documents_alone(documents, process):
    earlier(documents, 1)
    ctx = process(settle=0.0)
    documents.commit([Create(Ref("schema", CURRENT), {"version": FIRST, "needs": VERSION + 1})])

    with pytest.raises(SchemaTooNewError, match="written by a newer release"):
        migrating.migrate(ctx, ALL)

    assert {1: None} == listening(documents)
