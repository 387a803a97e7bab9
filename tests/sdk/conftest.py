"""The real SDK against a running stack, embedded or cloud, and a bucket of each type to connect."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import local
from infra.bench.s3_process import GcsServer, S3Server, gcs_server, s3_server
from infra.local import Stack
from tests.emulators import require
from tests.emulators_buckets import azure_emulator, redis_emulator
from tests.flows.conftest import TIMER, called, platform, queue, store
from tests.sdk import buckets
from tests.sdk.buckets import Bucket
from tests.sdk.client import Sdk, Worker, find

__all__ = ["azure_emulator", "called", "platform", "queue", "redis_emulator", "store"]


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    """The process with the SDK; where that is not installed, tests skip, or fail in CI."""
    one = Worker(require(find()))
    yield one
    one.close()


@pytest.fixture(scope="session")
def s3_process() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture(scope="session")
def gcs_process() -> Iterator[GcsServer]:
    with gcs_server() as running:
        yield running


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Settings of the stack that a module's tests need."""
    return {}


@pytest.fixture
def stack(
    tmp_path: Path, store: Any, queue: Any, called: list[Any], gcs_process: GcsServer, overrides: dict[str, Any]
) -> Iterator[Stack]:
    """The running stack."""
    with local.running(
        tmp_path / "data",
        files_root=tmp_path,
        storage_in_progress_timer=TIMER,
        sweep_interval=3600,
        storage_emulator_host=gcs_process.address,
        store=store,
        queue=queue,
        **overrides,
    ) as running:
        called.append(running.ctx)
        yield running


@pytest.fixture
def sdk(worker: Worker, stack: Stack) -> Sdk:
    """`LabelStudio(base_url=..., api_key=...)` as a user makes it."""
    return Sdk(worker, stack.url, stack.token)


@pytest.fixture
def bucket_of(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Bucket]]:
    """Makes the bucket of a type, by the SDK's name of it; servers start when a test needs them."""
    entered = []

    def make(kind: str) -> Bucket:
        match kind:
            case "s3":
                return buckets.s3(request.getfixturevalue("s3_process"))
            case "gcs":
                return buckets.gcs(request.getfixturevalue("gcs_process"))
            case "local":
                return buckets.local(tmp_path)
            case "azure":
                manager = buckets.azure(request.getfixturevalue("azure_emulator"), "pictures")
            case _:
                manager = buckets.redis_server(request.getfixturevalue("redis_emulator"))
        entered.append(manager)
        return manager.__enter__()

    yield make
    for manager in entered:
        manager.__exit__(None, None, None)
