"""Emulators of object stores for tests, see `tests.emulators`."""

from collections.abc import Iterator

import pytest

from infra.emulators import Running, azurite, gcs, redis, running
from tests.emulators import require


@pytest.fixture(scope="session")
def gcs_emulator() -> Iterator[Running]:
    with running(require(gcs.find())) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def azure_emulator() -> Iterator[Running]:
    with running(require(azurite.find())) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def redis_emulator() -> Iterator[Running]:
    with running(require(redis.find())) as emulator:
        yield emulator
