"""The smoke test of a deployment that is not well: it says what it expected, what it found, and where to look."""

import subprocess
import time

import pytest

from infra.bench.s3_process import GcsServer
from infra.local import Stack
from shared.adapters.queues.inprocess import InProcessQueue
from tests.e2e.door import door
from tests.e2e.smoking import LIMIT, MODULE, OBJECTS, SECRET, api, environment, failed, queue, server, smoke, stack
from tests.stack import Api

__all__ = ["api", "queue", "server", "stack"]


def test_a_missing_bucket(api: Api, stack: Stack):
    told = failed(smoke(stack, "--bucket", "nowhere", "--name", "second", code=1), "storage")

    assert "found: nowhere: The specified bucket does not exist." in told
    assert "storage.objects.list" in told
    assert 'resource.labels.service_name="second-api"' in told


@pytest.mark.parametrize(
    ("arguments", "step", "sentence"),
    [
        (["--objects", 7], "objects", f"expected: 7 objects, fewer than 1000 found: {OBJECTS} in gs://tiny/"),
        (["--prefix", "empty"], "storage", "empty"),
    ],
)
def test_other_objects_than_expected(api: Api, stack: Stack, arguments: list[object], step: str, sentence: str):
    assert sentence in failed(smoke(stack, "--bucket", "tiny", *arguments, code=1), step)


def test_a_bucket_that_is_not_tiny(api: Api, stack: Stack, server: GcsServer):
    server.fill("large", 1000)

    told = failed(smoke(stack, "--bucket", "large", code=1), "objects")

    assert "found: 1000 and perhaps more look: take a tiny bucket" in told


def test_a_wrong_token(api: Api, stack: Stack):
    told = failed(smoke(stack, "--bucket", "tiny", "--token-env", "OTHER", OTHER=SECRET, code=1), "project")

    assert "found: Invalid token." in told
    assert "--token-env names its variable" in told


def test_nobody_answers(api: Api, stack: Stack):
    with door(stack.url) as way:
        closed = way.url

    told = failed(smoke(stack, "--bucket", "tiny", "--url", closed, "--start-seconds", 0, code=1), "health")

    assert f"{closed} can't be reached" in told
    assert "roles/run.invoker" in told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--token-env", "UNSET"], "The variable UNSET is not set."),
        (["--set", "region_name"], "--set region_name: write name=value."),
        (["--secret-env", "sas_token=UNSET"], "The variable UNSET is not set."),
        (["--url", "somewhere"], "'somewhere' is no URL"),
    ],
)
def test_what_can_not_be_meant(api: Api, stack: Stack, arguments: list[str], sentence: str):
    assert sentence in smoke(stack, "--bucket", "tiny", *arguments, code=2)


def test_a_paused_queue_is_not_waited_for_without_end(api: Api, stack: Stack, queue: InProcessQueue):
    begun = time.monotonic()

    told = failed(smoke(stack, "--bucket", "tiny", "--sync-seconds", 1, code=1), "sync")

    assert time.monotonic() - begun < 30
    assert "expected: the end of the sync within 1 s found: it is still queued" in told
    assert "the queues sluice-runs-* may be paused" in told
    assert 'service_name="sluice-sync-chunk" jsonPayload.storage=' in told


def test_a_task_that_is_missing_is_noticed(api: Api, stack: Stack):
    with door(stack.url) as way:
        way.which = lambda method, path: method == "GET" and path.startswith("/api/tasks/")
        way.hold = "before"
        command = [*MODULE, "--bucket", "tiny", "--url", way.url]
        with subprocess.Popen(command, env=environment(stack), stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert way.held.wait(LIMIT)
            project = api.http.get("/api/projects/").json()["results"][0]["id"]
            task = api.tasks(project)[0]
            assert 204 == api.http.delete(f"/api/tasks/{task['id']}/").status_code
            way.let_go.set()
            out = process.stdout.read()
            assert 1 == process.wait(LIMIT)

    assert f"4 tasks for 5 objects; without a task: {task['storage_filename']}" in failed(out, "tasks")
