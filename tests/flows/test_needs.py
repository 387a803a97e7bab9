"""What each function does to the world is what `infra/functions.json` says that it needs: its identity gets just that.

Everything that Sluice does is done once, by the functions as they are called; the ports note who asks for what.
"""

from collections import defaultdict
from contextvars import ContextVar

import pytest
from starlette.requests import Request

from functions import runtime, sweep
from functions.app import create_app
from infra.bench.s3_process import gcs_server
from infra.functions import load
from infra.local import local_settings, notified, serving
from shared import app
from shared.services.accounts import tokens
from tests.flows.target_desk import annotated, refusing, target
from tests.flows.target_desk import ended as target_ended
from tests.notices import pushed, record, records, until
from tests.receiver import receiving
from tests.stack import Api

SECRET = "a-secret-of-senders"
WRITES = {"write": "write_buckets", "delete": "write_buckets", "presign": "sign_urls"}
SILENT = {"close", "sort_key", "uri"}
"""What a store answers without asking the bucket."""


class Noted:
    """Notes, under the function that is at work, the need behind each call of a port."""

    def __init__(self):
        self.function = ContextVar("function", default="start")
        self.needs = defaultdict(set)

    def port(self, inner, need):
        return _Port(inner, lambda name: self.needs[self.function.get()].add(need(name)))

    def open_store(self, opened):
        def opening(storage):
            function = self.function.get()  # bytes are read by other threads
            return _Port(opened(storage), lambda name: self.needs[function].add(WRITES.get(name, "read_buckets")))

        return opening

    def at_work(self, function, work, *args):
        token = self.function.set(function)
        try:
            return work(*args)
        finally:
            self.function.reset(token)

    def served(self, ctx):
        """The API at the root, the functions that buckets notify at their names."""
        api, others = create_app(lambda: ctx), notified()

        async def application(scope, receive, send):
            name = scope["path"].strip("/") if scope["path"] in others else "api"
            self.function.set(name)
            respond = await others[scope["path"]](Request(scope, receive), ctx) if name != "api" else api
            await respond(scope, receive, send)

        return application


class _Port:
    def __init__(self, inner, note):
        self._inner, self._note = inner, note

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if callable(found) and name not in SILENT:
            self._note(name)
        return found


@pytest.fixture
def gcs():
    with gcs_server() as running:
        yield running


@pytest.fixture
def receiver():
    with receiving() as one:
        yield one


@pytest.fixture
def noted():
    return Noted()


@pytest.fixture
def api(tmp_path, noted, gcs):
    """A client of a stack whose ports take notes."""
    (tmp_path / "data").mkdir()
    settings = local_settings(
        tmp_path / "data",
        tmp_path,
        storage_emulator_host=gcs.endpoint,
        notice_secrets=SECRET,
        trust_callers=True,
        event_window=0.1,
        slice_seconds=0.0,
        batch_writes=120,
    )
    documents = noted.port(app.open_documents(settings), lambda _: "documents")

    def deliver(ctx, delivery):
        return noted.at_work(delivery.target, runtime.deliver, ctx, delivery)

    ctx = app.build(settings, deliver, documents=documents)
    queue = ctx.queue
    app.start(ctx)
    ctx.queue = noted.port(queue, lambda _: "queue")
    ctx.open_store = noted.open_store(ctx.open_store)
    with serving(noted.served(ctx)) as url:
        one = Api(url, tokens.first_token(settings))
        one.ctx = ctx
        yield one
        one.close()
    ctx.queue = queue
    app.close(ctx)


def test_functions_need_what_they_are_given(api, s3, gcs, receiver, noted):
    project = api.project()
    imported(api, s3, project)
    listened(api, s3, gcs, project)
    exported(api, s3, receiver)
    added(api, s3, project)
    scheduled(api, s3, noted)

    declared = {name: set(function.needs) for name, function in load().functions.items()}
    assert declared == {name: noted.needs["start"] | noted.needs[name] for name in declared}


def imported(api, s3, project):
    s3.reset(everything=True)
    s3.fill("bucket", 5, prefix="images/")
    storage = api.s3_storage(project, s3.endpoint, prefix="images", presign=True, auto_sync=True)
    api.sync(storage)
    assert "completed" == api.wait(storage)["status"]
    assert 303 == api.http.get(api.tasks(project)[0]["data"]["image"]).status_code


def listened(api, s3, gcs, project):
    """What both functions are told of becomes a task."""
    gcs.bucket("pictures")
    storage = api.storage(project, kind="gcs", bucket="pictures", use_blob_urls=True, auto_sync=True)
    api.sync(storage)
    assert "completed" == api.wait(storage)["status"]
    before = api.total(project)
    s3.put("bucket", "images/new.jpg")
    gcs.put("pictures", "new.jpg")

    told = records(record("bucket", "images/new.jpg"))
    assert 200 == api.http.post("/bucket_webhook", json=told, headers={"X-Sluice-Secret": SECRET}).status_code
    assert 200 == api.http.post("/bucket_event", json=pushed("pictures", "new.jpg")).status_code

    until(lambda: api.total(project) == before + 2)


def exported(api, s3, receiver):
    """An annotation is changed whose object a stranger replaced; bucket and receiver refuse at first."""
    project = annotated(api, 3)
    s3.bucket("target")
    storage = target(api, project, s3, bucket="target", prefix="out")
    assert "completed" == target_ended(api, storage)["status"]
    answers = iter([500])
    receiver.answer = lambda _: next(answers, 200)
    webhook = {
        "project": project,
        "url": receiver.url,
        "actions": ["ANNOTATION_UPDATED"],
        "send_for_all_actions": False,
    }
    assert 201 == api.http.post("/api/webhooks/", json=webhook).status_code
    s3.faults(refusing("out/", op="put"))
    annotation = api.http.get("/api/tasks", params={"project": project, "fields": "all"}).json()["tasks"][0][
        "annotations"
    ][0]
    s3.put("target", f"out/{annotation['id']}", b"a stranger's")

    assert 200 == api.http.patch(f"/api/annotations/{annotation['id']}", json={"result": [{"said": 1}]}).status_code

    until(lambda: s3.stats()["statuses"].get("403", 0) > 0)
    s3.faults()
    until(lambda: b"said" in (s3.get("target", f"out/{annotation['id']}") or b""))
    until(lambda: receiver.arrived.qsize() > 1)


def added(api, s3, project):
    """More records than fit into one commit, so that one slice hands over to the next."""
    s3.fill("many", 200)
    dataset = api.s3_storage(0, s3.endpoint, bucket="many", direction="dataset")
    api.sync(dataset)
    assert "completed" == api.wait(dataset)["status"]
    before = api.total(project)

    asked = {"project": project, "filter": {}}
    assert 201 == api.http.post(f"{api.path(dataset)}/records/add-to-project", json=asked).status_code

    until(lambda: api.total(project) == before + 200)


def scheduled(api, s3, noted):
    """A sync that is due."""
    storage = api.s3_storage(api.project(), s3.endpoint, sync_interval=1)

    assert 200 == noted.at_work("sweep", sweep.handle, api.ctx, {}, b"")

    assert "completed" == api.wait(storage)["status"]
