"""What tests of targets share: annotated projects, targets on an S3 server, and a desk with a clock to move."""

import json
import threading

import pytest

from functions.runtime import deliver
from infra.bench.s3_process import gcs_server
from infra.counting import CountingDocuments
from infra.local import local_settings
from shared import app
from shared.adapters.queues.inprocess import InProcessQueue
from shared.model.providers import S3
from shared.services import projects, sweeping
from shared.services.accounts import users
from shared.services.context import QUEUES
from shared.services.labelling import adding, annotating
from shared.services.storages import editing, registration, views
from shared.services.sync import runs

RESULT = [{"from_name": "ch", "to_name": "img", "type": "choices", "value": {"choices": ["cat"]}}]
CONFIG = '<View><Image name="image" value="$image"/></View>'
KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "a-secret-of-tests"}


def rows(tasks, per_task=1, start=0):
    """Tasks to be imported, with annotations."""
    return [
        {
            "data": {"image": f"s3://x/{number}.jpg"},
            "annotations": [{"result": RESULT, "lead_time": float(place)} for place in range(per_task)],
        }
        for number in range(start, start + tasks)
    ]


def annotated(api, tasks, per_task=1):
    """A project with so many annotated tasks."""
    project = api.project()
    answer = api.http.post(f"/api/projects/{project}/import", json=rows(tasks, per_task))
    assert (201, tasks * per_task) == (answer.status_code, answer.json()["annotation_count"])
    return project


def target(api, project, s3, **settings):
    """A target on the S3 server, which starts its first sync."""
    fields = {"project": project, "bucket": "bucket", "s3_endpoint": s3.endpoint, **KEYS, **settings}
    answer = api.http.post("/api/storages/export/s3", json=fields)
    assert answer.status_code == 201, answer.text
    return {**answer.json(), "path": f"/api/storages/export/s3/{answer.json()['id']}"}


def ended(api, storage):
    """The target once its sync is over."""
    return api.wait({"type": storage["path"].split("/")[3] + "/" + storage["path"].split("/")[4], "id": storage["id"]})


def synced(api, storage):
    """Starts a sync, and waits for its end."""
    answer = api.http.post(f"{storage['path']}/sync")
    assert 200 == answer.status_code, answer.text
    return ended(api, storage)


def requests(s3):
    """Requests since the last reset, by kind, without those that only look for a bucket."""
    kinds = {"put", "delete", "get", "head", "list"}
    return {name: count for name, count in s3.stats()["ops"].items() if name in kinds}


def refusing(key="", *, op="put", status=403, code="AccessDenied"):
    """A rule of the server: requests for these keys are not allowed."""
    said = {"status": status, "code": code, "message": "Access Denied"}
    return {"action": "status", "op": op, "key": key, "count": -1, **said}


def until(condition, seconds=10):
    """Waits for what is true soon."""
    tick = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        tick.wait(0.02)
    raise AssertionError(f"not after {seconds} s")


class TargetDesk:
    """A context whose queue delivers only when it is told to, whose clock is moved, and a bucket on an S3 server."""

    def __init__(self, ctx, s3, moment):
        self.ctx, self.s3, self.moment = ctx, s3, moment
        self.admin = users.first(ctx)
        self.project = projects.create(ctx, {"title": "project", "label_config": CONFIG}, user=1).id

    def target(self, **settings):
        """A new target; its first sync waits in the queue."""
        given = {"bucket": "bucket", "s3_endpoint": self.s3.endpoint, "project": self.project, "prefix": "out"}
        return registration.create(self.ctx, S3, {**given, **KEYS, **settings}, "export", user=self.admin).id

    def edit(self, storage, **settings):
        editing.update(self.ctx, S3, storage, settings, partial=True, direction="export")

    def annotate(self, tasks, per_task=1, start=0):
        """New annotated tasks; their numbers."""
        return adding.add(self.ctx, self.project, rows(tasks, per_task, start), user=1).numbers

    def numbers(self):
        """Of all annotations of the project."""
        found = self.ctx.annotations.of_project(self.project, after=None, limit=10_000)
        return [stored.value.id for stored in found]

    def change(self, annotation, text="dog"):
        annotating.update(self.ctx, annotation, {"result": [{"said": text}]}, user=1)

    def work(self):
        """Delivers what is due; how many messages that were."""
        steps = 0
        while self.ctx.queue.step():
            steps += 1
        return steps

    def pass_time(self, seconds):
        self.moment[0] += seconds

    def sync(self, storage):
        """A full sync to its end; the storage's state then."""
        runs.start_run(self.ctx, storage)
        self.work()
        return self.state(storage)

    def sweep(self):
        sweeping.sweep(self.ctx)

    def state(self, storage):
        return views.storage_info(self.ctx, self.ctx.storages.get(storage).value)

    def names(self):
        return self.s3.keys("bucket")

    def body(self, key):
        body = self.s3.get("bucket", key)
        return None if body is None else json.loads(body)

    def dues(self):
        return [stored.value for stored in self.ctx.dues.find()]


@pytest.fixture
def bucket(s3):
    s3.reset(everything=True)
    s3.bucket("bucket")
    return s3


@pytest.fixture(scope="module")
def gcs():
    with gcs_server() as running:
        yield running


@pytest.fixture
def targets(tmp_path, store, bucket, request):
    moment = [1_800_000_000.0]
    gcs = request.getfixturevalue("gcs").address if "gcs" in request.fixturenames else ""
    settings = local_settings(tmp_path / "data", tmp_path, storage_emulator_host=gcs)
    queue = InProcessQueue(
        ":memory:", queues=QUEUES, deliver=lambda delivery: deliver(ctx, delivery), clock=lambda: moment[0]
    )
    ctx = app.build(settings, deliver, documents=CountingDocuments(store), queue=queue)
    ctx.clock = lambda: moment[0]
    yield TargetDesk(ctx, bucket, moment)
    app.close(ctx)
