"""A GCS upload becomes a task: the bucket publishes to Pub/Sub, which pushes to the stack. All of it really happens."""

import json
import uuid

import httpx
import pytest

from functions import callers
from infra import local
from infra.emulators import gcs, running
from infra.emulators.cloud_tasks.oidc import Issuer, serving_keys
from infra.emulators.push import push_to, push_topic
from tests.emulators import require
from tests.notices import pushed, until
from tests.stack import Api

ACCOUNT, OTHER = "push@project.iam.gserviceaccount.com", "queue@project.iam.gserviceaccount.com"
URL = "https://functions.example.org/bucket_event"


@pytest.fixture(scope="module")
def topic(pubsub_emulator):
    return push_topic(pubsub_emulator, f"t{uuid.uuid4().hex}")


@pytest.fixture(scope="module")
def server(pubsub_emulator, topic):
    found = require(gcs.find(pubsub=pubsub_emulator.host, topic=topic))
    with running(found) as one, httpx.Client(base_url=one.url) as client:
        yield client


@pytest.fixture
def bucket(server):
    """A bucket of its own."""
    name = f"b{uuid.uuid4().hex}"
    assert server.post("/storage/v1/b?project=demo", json={"name": name}).status_code == 200
    return name


def put(server, bucket, key):
    answer = server.post(f"/upload/storage/v1/b/{bucket}/o", params={"uploadType": "media", "name": key}, content=b"x")
    assert answer.status_code == 200


@pytest.mark.emulator
def test_an_upload_becomes_a_task_by_a_real_push(tmp_path, pubsub_emulator, topic, server, bucket):
    put(server, bucket, "img/0.jpg")
    settings = {"storage_emulator_host": str(server.base_url), "trust_callers": True, "event_window": 0.1}
    with local.running(tmp_path / "data", files_root=tmp_path, sweep_interval=3600, **settings) as stack:
        api = Api(stack.url, stack.token)
        given = {"bucket": bucket, "prefix": "img", "use_blob_urls": True, "auto_sync": True}
        storage = api.storage(api.project(), kind="gcs", **given)
        api.sync(storage)
        before = api.wait(storage)
        push_to(pubsub_emulator, topic, f"{stack.url}/bucket_event")

        key = "img/ä b+%.jpg"
        put(server, bucket, key)
        put(server, bucket, "elsewhere/1.jpg")

        until(lambda: api.total(storage["project"]) == 2)
        assert sorted(task["storage_filename"] for task in api.tasks(storage["project"])) == ["img/0.jpg", key]
        until(lambda: "last_event_sync" in api.read(storage)["meta"])
        after = api.read(storage)
        assert (after["status"], after["last_sync_count"]) == (before["status"], before["last_sync_count"])
        # It may be told several times, but what lies elsewhere never counts.
        counts = {name: after["meta"][name] for name in ("event_syncs", "event_tasks_created")}
        assert after["meta"]["events"] >= 1
        assert counts["event_tasks_created"] == 1
        api.close()


# ---- who may call


@pytest.fixture(scope="module")
def issuer():
    return Issuer()


@pytest.fixture
def stack(tmp_path, issuer):
    callers._callers.cache_clear()
    with serving_keys(issuer) as keys:
        settings = {"bucket_event_url": URL, "event_service_accounts": ACCOUNT, "caller_service_account": OTHER}
        settings |= {"caller_keys_url": keys, "allowed_callers": OTHER, "sweep_interval": 3600}
        with local.running(tmp_path / "data", files_root=tmp_path, **settings) as one:
            yield one


def send(stack, body, token=""):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{stack.url}/bucket_event", content=content, headers=headers)


def test_only_the_subscription_s_account_may_call(stack, issuer):
    body = pushed("b", "k")
    good = issuer.token(ACCOUNT, URL)
    assert (send(stack, body, good).status_code, send(stack, body, good).json()["ignored"]) == (200, 1)
    refused = {
        401: ["", Issuer().token(ACCOUNT, URL), issuer.token(ACCOUNT, "https://else.example"), f"{good}x", "x.y.z"],
        403: [issuer.token(OTHER, URL), issuer.token(ACCOUNT, URL, email_verified=False)],
    }
    for status, tokens in refused.items():
        for token in tokens:
            assert send(stack, body, token).status_code == status
    old = issuer.token(ACCOUNT, URL, iat=1, exp=2)
    assert send(stack, body, old).status_code == 401


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, b""), (400, b"{}"), (400, pushed("", "k")), (400, pushed("b", "")), (413, b" " * (1024 * 1024 + 1))],
    ids=range(5),
)
def test_bad_bodies(stack, issuer, status, body):
    answer = send(stack, body, issuer.token(ACCOUNT, URL))
    assert answer.status_code == status, answer.text
    assert send(stack, body).status_code == 401  # before anything is read
