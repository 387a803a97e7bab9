"""The smoke test as people run it: a process of its own, against a stack over HTTP that looks what is left behind."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from infra.bench.s3_process import GcsServer, gcs_server
from infra.local import Stack
from infra.local import running as stack_running
from shared.adapters.queues.inprocess import InProcessQueue
from shared.services.context import QUEUE_RUNS
from tests.stack import Api

LIMIT = 120
OBJECTS = 5
SECRET = "a-secret-that-nobody-prints"
MODULE = [sys.executable, "-W", "error", "-m", "infra.smoke"]


@pytest.fixture(scope="module")
def server() -> Iterator[GcsServer]:
    with gcs_server() as one:
        one.fill("tiny", OBJECTS, prefix="img/")
        yield one


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, server: GcsServer) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("stack")
    with stack_running(root / "data", files_root=root, storage_emulator_host=server.endpoint) as one:
        yield one


@pytest.fixture
def api(stack: Stack) -> Iterator[Api]:
    """At the end of every test there are the projects and storages that there were before."""
    api = Api(stack.url, stack.token)
    before = everything(api)
    yield api
    assert before == everything(api)
    api.close()


@pytest.fixture
def queue(stack: Stack) -> Iterator[InProcessQueue]:
    """The stack's queue, paused."""
    queue = stack.ctx.queue
    assert isinstance(queue, InProcessQueue)
    queue.pause(QUEUE_RUNS)
    yield queue
    queue.resume(QUEUE_RUNS)


def everything(api: Api) -> list[dict[str, object]]:
    """Projects, and what is in them."""
    projects = api.http.get("/api/projects/", params={"page_size": 1000}).json()["results"]
    return [
        {
            "project": it["id"],
            "tasks": it["task_number"],
            "storages": api.http.get("/api/storages/", params={"project": it["id"]}).json(),
        }
        for it in projects
    ]


def environment(stack: Stack | None, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SLUICE_", "GOOGLE_"))}
    served = {"SLUICE_URL": stack.url, "SLUICE_TOKEN": stack.token} if stack else {}
    return {**kept, **served, **more}


def smoke(stack: Stack | None, *arguments: object, code: int = 0, **env: str) -> str:
    done = subprocess.run(
        [*MODULE, *map(str, arguments)],
        env=environment(stack, **env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == code, done.stdout
    assert "Traceback" not in done.stdout
    for secret in (*([stack.token] if stack else []), SECRET, "X-Goog-Signature", "X-Amz-Signature"):
        assert secret not in done.stdout
    return done.stdout


def failed(out: str, step: str) -> str:
    """What is said of the step that failed, which is the last."""
    steps = [line.split() for line in out.splitlines() if line.startswith(("ok ", "FAILED "))]
    assert {"ok"} >= {words[0] for words in steps[:-1]}
    assert ["FAILED", "s", *step.split()] == [steps[-1][0], *steps[-1][2:]]
    assert "Everything that was made is removed." in out
    text = " ".join(out.partition("FAILED")[2].split())
    assert "expected: " in text
    return text
