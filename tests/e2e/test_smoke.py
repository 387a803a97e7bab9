"""The smoke test of a deployment: passes where all is well, and leaves nothing behind however it ends."""

import shutil
import signal
import subprocess
import uuid
from pathlib import Path

import httpx
import pytest

from infra.bench.s3_process import GcsServer, S3Server
from infra.emulators import Missing, gcs, running
from infra.emulators.push import push_to, push_topic
from infra.local import Stack
from infra.local import running as stack_running
from shared.adapters.queues.inprocess import InProcessQueue
from tests.e2e.deployment import TOKEN, deployed
from tests.e2e.door import door
from tests.e2e.smoking import (
    LIMIT,
    MODULE,
    OBJECTS,
    SECRET,
    api,
    environment,
    everything,
    failed,
    queue,
    server,
    smoke,
    stack,
)
from tests.emulators import require
from tests.identities import own_key, public, service_account
from tests.notices import until
from tests.stack import Api

__all__ = ["api", "own_key", "queue", "server", "stack"]


def test_a_stack_that_works(api: Api, stack: Stack):
    out = smoke(stack, "--bucket", "tiny", "--prefix", "img", "--objects", OBJECTS)

    lines = out.splitlines()
    steps = ["health", "version", "project", "storage", "validation", "objects", "sync", "tasks"]
    assert [*steps, "second sync", "medium"] == [line[18:33].strip() for line in lines[:-1]]
    assert all(line.startswith("ok ") and line[15] == "s" for line in lines[:-1])
    assert f"{OBJECTS} tasks created" in out
    assert "no task created" in lines[8]
    assert "200 bytes of img/00000000.jpg from 127.0.0.1" in lines[9]
    assert "Everything that was made is removed." == lines[-1]


def test_media_that_stream(api: Api, stack: Stack):
    out = smoke(stack, "--bucket", "tiny", "--set", "presign=false")

    assert "200 bytes of img/00000000.jpg from Sluice" in out


def test_s3_with_keys_from_variables(api: Api, stack: Stack, s3: S3Server):
    s3.fill("tiny", 2)
    s3.access("AKIDFORTESTS")
    secrets = ("--secret-env", "aws_access_key_id=KEY", "--secret-env", "aws_secret_access_key=SECRET")
    given = ("--type", "s3", "--bucket", "tiny", "--set", f"s3_endpoint={s3.endpoint}")

    smoke(stack, *given, *secrets, KEY="AKIDFORTESTS", SECRET=SECRET)
    told = failed(smoke(stack, *given, *secrets, KEY="ANOTHERKEY", SECRET=SECRET, code=1), "storage")

    assert "s3:ListBucket on the bucket" in told


def test_a_server_that_is_not_ready_yet_is_waited_for(api: Api, stack: Stack):
    with door(stack.url) as way:
        way.which = lambda _method, path: path == "/health"
        way.instead = [503, 403]

        smoke(stack, "--bucket", "tiny", "--url", way.url)

        assert [] == way.instead


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_cleans_up(api: Api, stack: Stack, queue: InProcessQueue, number: signal.Signals):
    """Also if it is interrupted again and again."""
    before = len(everything(api))
    command = [*MODULE, "--bucket", "tiny"]
    with subprocess.Popen(command, env=environment(stack), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        until(lambda: len(everything(api)) > before and bool(everything(api)[0]["storages"]))
        for _ in range(3):
            process.send_signal(number)
        out = process.stdout.read()
        assert 130 == process.wait(LIMIT)

    assert "Interrupted." in out
    assert "Everything that was made is removed." in out


def test_interrupted_while_the_project_is_made(api: Api, stack: Stack):
    """The answer is waited for, since it says what there is to remove."""
    before = len(everything(api))
    with door(stack.url) as way:
        way.which = lambda method, path: method == "POST" and path == "/api/projects/"
        way.hold = "after"
        command = [*MODULE, "--bucket", "tiny", "--url", way.url]
        with subprocess.Popen(command, env=environment(stack), stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert way.held.wait(LIMIT)
            assert before + 1 == len(everything(api))
            process.send_signal(signal.SIGINT)
            way.let_go.set()
            out = process.stdout.read()
            assert 130 == process.wait(LIMIT)

    assert "Everything that was made is removed." in out


def test_what_can_not_be_removed_is_named(api: Api, stack: Stack):
    with door(stack.url) as way:
        way.refused.add("DELETE")
        out = smoke(stack, "--bucket", "tiny", "--url", way.url, code=1)

    [left] = api.http.get("/api/projects/").json()["results"][:1]
    assert f'LEFT BEHIND  project {left["id"]} "{left["title"]}": ' in out
    assert "Remove by hand what is left behind." in out
    assert 204 == api.http.delete(f"/api/projects/{left['id']}/").status_code


def test_signed_urls(api: Api, stack: Stack, server: GcsServer, own_key: str):
    """The bucket gives nothing without a signature by the key, or a token; then nothing at all."""
    server.signers(public_key=public(own_key))
    server.access("a-token-of-google")
    key = service_account(own_key, f"{server.endpoint}/token")
    given = ("--bucket", "tiny", "--secret-env", "google_application_credentials=KEY")
    try:
        smoke(stack, *given, KEY=key)
        server.faults({"action": "status", "op": "fetch", "skip": 0, "status": 403})
        told = failed(smoke(stack, *given, code=1, KEY=key), "medium")
    finally:
        server.faults()
        server.access("")
        server.signers()

    assert "expected: 200 and the 200 bytes of img/00000000.jpg found: 403" in told
    assert "roles/iam.serviceAccountTokenCreator" in told


def test_without_a_program_that_writes_notifications_are_skipped(api: Api, stack: Stack, tmp_path: Path):
    out = smoke(stack, "--bucket", "tiny", "--notifications", PATH=str(tmp_path))

    assert "notification   gcloud is not installed" in out.splitlines()[-2]


@pytest.mark.emulator
def test_an_upload_by_gcloud_becomes_a_task_by_a_real_push(tmp_path: Path, pubsub_emulator):
    """Nobody is told at first, which is noticed; then it is pushed to the stack. The object is removed either way."""
    if shutil.which("gcloud") is None:
        require(Missing("gcloud", "gcloud is not installed.", "See cloud.google.com/sdk/docs/install."))
    topic = push_topic(pubsub_emulator, f"t{uuid.uuid4().hex}")
    found = require(gcs.find(pubsub=pubsub_emulator.host, topic=topic))
    with running(found) as google, door(google.url) as way, httpx.Client(base_url=google.url) as client:
        way.statuses["DELETE"] = 204  # as Google says it: gcloud stumbles over fake-gcs-server's 200
        assert 200 == client.post("/storage/v1/b?project=demo", json={"name": "tiny"}).status_code
        put = {"uploadType": "media", "name": "img/0.jpg"}
        assert 200 == client.post("/upload/storage/v1/b/tiny/o", params=put, content=b"x").status_code
        sdk = {
            "CLOUDSDK_CONFIG": str(tmp_path / "gcloud"),
            "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{way.url}/",
            "CLOUDSDK_CORE_PROJECT": "demo",
        }
        settings = {"storage_emulator_host": google.url, "trust_callers": True, "event_window": 0.1}
        given = ("--bucket", "tiny", "--prefix", "img", "--set", "presign=false", "--notifications")
        with stack_running(tmp_path / "data", files_root=tmp_path, sweep_interval=3600, **settings) as stack:
            told = failed(smoke(stack, *given, "--notification-seconds", 1, code=1, **sdk), "notification")
            push_to(pubsub_emulator, topic, f"{stack.url}/bucket_event")
            out = smoke(stack, *given, **sdk)
            left = client.get("/storage/v1/b/tiny/o").json()["items"]

    assert "within 1 s found: none look: the bucket must notify bucket_event" in told
    assert "s after the upload" in out
    assert ["img/0.jpg"] == [it["name"] for it in left]


@pytest.mark.emulator
def test_a_deployment_of_functions(tmp_path: Path, firestore_emulator, server: GcsServer):
    """A process per function, with Firestore and Cloud Tasks between them."""
    where = {"STORAGE_EMULATOR_HOST": server.endpoint}
    with deployed(tmp_path, firestore_emulator, only=("api", "sync_chunk"), **where) as (_cloud, api):
        before = api.http.get("/api/projects/").json()["count"]
        out = smoke(None, "--url", api.http.base_url, "--bucket", "tiny", "--objects", OBJECTS, SLUICE_TOKEN=TOKEN)
        after = api.http.get("/api/projects/").json()["count"]

    assert "Everything that was made is removed." in out
    assert TOKEN not in out
    assert before == after
