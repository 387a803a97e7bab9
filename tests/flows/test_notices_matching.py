"""Which storages a notice concerns, of both kinds, and what a burst of notices costs. No notice opens a bucket."""

import math

import orjson
import pytest

from functions.runtime import deliver
from infra.counting import CountingDocuments
from infra.local import local_settings
from shared import app
from shared.adapters.documents.indexes import load_indexes
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.adapters.queues.inprocess import InProcessQueue
from shared.app import INDEXES
from shared.errors import DocumentsUnavailableError
from shared.model.notices import AMAZON, Notice
from shared.model.providers import PROVIDERS, S3
from shared.model.run import Gate
from shared.model.storage import Storage, clean, identity_of
from shared.ports import Create, Delete, Query, Ref, Update
from shared.services import projects, sweeping
from shared.services.accounts import users
from shared.services.context import QUEUES
from shared.services.storages import editing, registration, views
from shared.services.sync import event_notes, notices, runs
from tests.indexes import CheckedIndexes

WINDOW = 2.0


@pytest.fixture
def moment():
    """A clock to move."""
    return [1_800_000_000.0]


@pytest.fixture
def ctx(tmp_path, moment):
    documents = SqliteDocuments(":memory:", indexes=load_indexes(INDEXES))
    delivered = InProcessQueue(
        ":memory:", queues=QUEUES, deliver=lambda delivery: deliver(ctx, delivery), clock=lambda: moment[0]
    )
    settings = local_settings(tmp_path, tmp_path, chunk_target=100, event_window=WINDOW, azure_blob_account_name="ours")
    ctx = app.build(settings, deliver, documents=CountingDocuments(CheckedIndexes(documents)), queue=delivered)
    ctx.clock = lambda: moment[0]
    yield ctx
    app.close(ctx)


@pytest.fixture(params=["import", "dataset"])
def direction(request):
    return request.param


@pytest.fixture
def add(ctx, direction):
    """Adds a storage that was synced before, without a look into its bucket, and returns its id."""

    def added(kind, project=1, *, status="completed", **given):
        provider = PROVIDERS[kind]
        values = clean(
            provider, {"auto_sync": True, "recursive_scan": True, **given}, partial=False, direction=direction
        )
        secrets = {name: values.pop(name) or "" for name in provider.secrets}
        number = ctx.documents.count(Query(collection="storages")) + 1
        storage = Storage(
            id=number,
            type=kind,
            direction=direction,
            project=project if direction == "import" else 0,
            created_at=0.0,
            config={**values, **identity_of(provider, secrets)},
            secrets=ctx.vault.seal(secrets),
            status=status,
            meta={},
        )
        gate = Gate(
            id=str(number),
            storage=number,
            project=storage.project,
            map=f"m{number}",
            run_seq=1,
            location=storage.location,
            shape=storage.shape,
        )
        root = registration.root_chunk(ctx, gate)
        ctx.documents.commit(
            [
                ctx.storages.create(number, storage),
                ctx.gates.create(number, gate),
                ctx.chunks.create(root.id, root),
            ]
        )
        return number

    return added


def marked(ctx, *given):
    """Honours notices; the storages with a hint."""
    ctx.documents.commit([Delete(hint.ref, None) for hint in ctx.hints.find(limit=1000)])
    count = notices.honour(ctx, given)
    found = sorted(hint.value.storage for hint in ctx.hints.find(limit=1000) if hint.value.dirty)
    assert bool(found) == bool(count)
    return found


def of(store, key="img/1.jpg", bucket="b", **more):
    return Notice(store=store, bucket=bucket, key=key, **more)


def test_every_storage_that_takes_the_key_gets_its_mark(ctx, add):
    first, second = add("gcs", bucket="b"), add("gcs_sa", project=2, bucket="b", prefix="img")
    third = add("gcswif", bucket="b", regex_filter=r".*\.png")
    add("gcs", bucket="another")
    add("s3", bucket="b")
    add("gcs", bucket="b", auto_sync=False)
    add("gcs", bucket="b", synchronizable=False)
    flat = add("gcs", bucket="b", prefix="img", recursive_scan=False)
    assert marked(ctx, of("gcs")) == [first, second, flat]
    assert marked(ctx, of("gcs", "img/deep/1.png")) == [first, second, third]
    assert marked(ctx, of("gcs", "1.jpg")) == [first]
    assert marked(ctx, of("gcs", "img/.sluice/x"), of("gcs", "img/")) == []
    assert marked(ctx, of("gcs", "1.jpg"), of("gcs", "x", "another")) == [first, 4]


def test_s3_by_what_is_known_of_the_place(ctx, add):
    aws, role = add("s3", bucket="b"), add("s3s", bucket="b", role_arn="arn:aws:iam::123456789012:role/r")
    region = add("s3", bucket="b", s3_endpoint="https://s3.eu-west-1.amazonaws.com")
    minio = add("s3", bucket="b", s3_endpoint="https://minio.example.org/")
    ceph = add("s3", bucket="b", s3_endpoint="http://ceph.example.org:7480")
    fake = add("s3", bucket="b", s3_endpoint="https://amazonaws.com.example.org")
    everywhere = [aws, role, region, minio, ceph, fake]
    assert marked(ctx, of("s3")) == everywhere
    assert marked(ctx, of("s3", place=AMAZON)) == [aws, role, region]
    assert marked(ctx, of("s3", place="https://MINIO.example.org")) == [minio]
    assert marked(ctx, of("s3", place="http://10.0.0.7:9000")) == [minio, ceph, fake]


def test_azure_by_its_account_in_every_spelling(ctx, add):
    public = "https://acct.blob.core.windows.net"
    key = {"account_key": "YS1rZXk=", "container": "b"}
    connection = "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=YS1rZXk=;EndpointSuffix=core.windows.net"
    mine = [
        add("azure", account_name="Acct", **key),
        add("azure", connection_string=connection, container="b"),
        add("azure", connection_string=f"BlobEndpoint={public}/;SharedAccessSignature=sv=1", container="b"),
        add("azure", connection_string=f"AccountName=acct;BlobEndpoint={public};AccountKey=YS1rZXk=", container="b"),
        add("azure", account_name="acct", azure_endpoint="https://private.example.org", **key),
        add("azure", azure_endpoint=f"{public}/", sas_token="sv=1", container="b"),
        add("azure_spi", account_name="acct", container="b"),
    ]
    others = [
        add("azure", account_name="acct2", **key),
        add("azure", connection_string="BlobEndpoint=https://acct2.blob.core.windows.net", container="b"),
        add("azure_spi", account_name="acct2", container="b"),
        add("azure", azure_endpoint="https://acct2.blob.core.windows.net", sas_token="sv=1", container="b"),
    ]
    environment = add("azure", container="b")
    assert marked(ctx, of("azure", place=public, account="acct")) == mine
    assert marked(ctx, of("azure", place="https://acct2.blob.core.windows.net", account="acct2")) == others
    assert marked(ctx, of("azure", account="ours")) == [environment]
    assert marked(ctx, of("azure")) == sorted([*mine, *others, environment])


def test_keys_are_ordered_as_the_provider_does(ctx, add):
    """In UTF-16 an emoji comes before a full-width letter; the chunk behind the first must not get the mark."""
    number = add("azure", container="b", account_name="acct")
    gate = ctx.gates.get(number)
    [root] = ctx.chunks.find(("map", "==", gate.value.map))
    sort_key = PROVIDERS["azure"].sort_key
    page = root.value.cut_off("page", "\U0001f600")
    moved = {"after": "\U0001f600", "start": sort_key("\U0001f600").hex()}
    ctx.documents.commit([ctx.chunks.create(page.id, page), Update(root.ref, moved, root.revision)])
    for key, chunk in (("\U0001f600", "page"), ("\uff5e", root.value.id)):
        assert marked(ctx, of("azure", key, account="acct")) == [number]
        assert [hint.value.id for hint in ctx.hints.find()] == [chunk]


def test_a_storage_of_an_earlier_release_listens_once_it_is_told_to(ctx, add, direction):
    number = add("gcs", bucket="b", auto_sync=False)
    stored = ctx.documents.get(Ref("storages", str(number)))
    config = orjson.loads(stored.data["config"])
    del config["auto_sync"]
    old = {name: value for name, value in stored.data.items() if name != "listens_to"}
    ctx.documents.commit([Delete(stored.ref, None)])
    ctx.documents.commit([Create(stored.ref, {**old, "config": orjson.dumps(config)})])
    assert marked(ctx, of("gcs")) == []
    for on in (True, False, True):
        editing.update(ctx, PROVIDERS["gcs"], number, {"auto_sync": on}, partial=True, direction=direction)
        assert marked(ctx, of("gcs")) == ([number] if on else [])


def test_what_fails_for_one_storage_keeps_no_other_from_its_mark(ctx, add, monkeypatch):
    first, second = add("gcs", bucket="b"), add("gcs", bucket="b")
    real = ctx.gates.get

    def down(number):
        if number == first:
            raise DocumentsUnavailableError("down")
        return real(number)

    with monkeypatch.context() as patch:
        patch.setattr(ctx.gates, "get", down)
        with pytest.raises(DocumentsUnavailableError):
            notices.honour(ctx, [of("gcs")])
    assert [hint.value.storage for hint in ctx.hints.find()] == [second]


def test_another_bucket_begins_anew_and_what_was_noted_goes_with_its_map(ctx, add, moment, direction):
    number = add("gcs", bucket="b")
    notices.honour(ctx, [of("gcs")])
    gate = ctx.gates.get(number).value
    assert event_notes.seen(ctx, gate).events == 1
    assert ctx.event_work.get(gate.map) is not None
    notices.honour(ctx, [of("gcs"), of("gcs", "img/2.jpg")])
    assert (event_notes.seen(ctx, gate).events, ctx.event_work.get(gate.map).value.events) == (3, 1)
    moment[0] += WINDOW
    event_notes.write_down(ctx)
    assert ctx.event_work.get(gate.map).value.events == 3
    registration.delete(ctx, PROVIDERS["gcs"], number, direction)
    sweeping.sweep(ctx)
    assert ctx.documents.count(Query(collection="event_work")) == 0
    notices.honour(ctx, [of("gcs")])
    assert ctx.documents.count(Query(collection="event_work")) == 0


# ---- a burst

UPLOADS, SECONDS, PER_TICK = 10_000, 10, 0.25


@pytest.mark.parametrize("order", ["appended", "random"])
def test_a_burst_costs_chunks_and_windows_not_objects(ctx, s3, moment, order, direction):
    """Ten thousand uploads in ten seconds, each told by a request of its own. All arrive, at a bounded cost."""
    s3.drop("bucket")
    s3.fill("bucket", 1_000, prefix="img/")
    project = projects.create(ctx, {"title": "project"}, user=1)
    given = {"bucket": "bucket", "s3_endpoint": s3.endpoint, "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    given |= {"recursive_scan": True, "auto_sync": True}
    given |= {"project": project.id, "use_blob_urls": True} if direction == "import" else {}
    number = registration.create(ctx, S3, given, direction, user=users.first(ctx)).id
    runs.start_run(ctx, number)
    work(ctx)
    before = views.storage_info(ctx, ctx.storages.get(number).value)
    assert (before.status, before.last_sync_count) == ("completed", 1_000)
    ctx.documents.reset()
    s3.reset()

    ticks = int(SECONDS / PER_TICK)
    for tick in range(ticks):
        keys = [new_key(order, number) for number in range(tick * UPLOADS // ticks, (tick + 1) * UPLOADS // ticks)]
        s3.put_many("bucket", dict.fromkeys(keys, b"x"))
        for key in keys:
            assert notices.honour(ctx, [of("s3", key, "bucket")]) == 1
        moment[0] += PER_TICK
        work(ctx)
    for _ in range(100):
        moment[0] += 1.0
        work(ctx)
        sweeping.sweep(ctx)
    at_rest(ctx, number)

    info = views.storage_info(ctx, ctx.storages.get(number).value)
    assert (info.status, info.last_sync_count) == ("completed", 1_000)
    gate = ctx.gates.get(number).value
    chunks = ctx.documents.count(ctx.chunks.query(("map", "==", gate.map)))
    windows = math.ceil(SECONDS / WINDOW)
    rounds = chunks * (windows + 2)  # one more for what came last, one for what was under way
    writes, listings = ctx.documents.writes, s3.stats()["ops"]["list"]
    assert writes["hints"] <= 3 * rounds
    assert listings <= 2 * rounds
    assert writes["ledgers"] <= 2 * rounds
    tasks = UPLOADS if direction == "import" else 0
    assert writes["tasks"] == tasks == max(0, ctx.tasks.count(project.id) - 1_000)
    assert writes["event_work"] <= (SECONDS + 100) / WINDOW + 1
    assert writes["storages"] == writes["runs"] == writes["gates"] == 0
    made = "event_tasks_created" if direction == "import" else "event_records_created"
    assert (info.meta["events"], info.meta[made]) == (UPLOADS, UPLOADS)
    assert 0 < info.meta["event_syncs"] <= 2 * rounds
    print(f"{order}: {chunks} chunks, {listings} listings, {dict(writes)}")


def new_key(order, number):
    """Behind all others, or anywhere among them."""
    return f"img/new/{number:06d}.jpg" if order == "appended" else f"img/{number * 7919 % UPLOADS:08d}x.jpg"


def work(ctx):
    """Delivers what is due."""
    while ctx.queue.step():
        pass


def at_rest(ctx, number):
    assert not [hint for hint in ctx.hints.find(limit=1000) if hint.value.dirty]
    assert not ctx.chunks.unsettled(10)
    assert ctx.gates.get(number).value.run == ""
