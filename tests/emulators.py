"""Emulators for tests: one of each per session, a skip with the remedy where one is missing, a failure in CI.

A test module that needs one says `from tests.emulators import firestore_emulator` and carries the marker `emulator`.
"""

import os
from collections.abc import Iterator

import pytest

from infra.emulators import Emulator, Missing, Running, firestore, pubsub, running


def require(found: Emulator | Missing) -> Emulator:
    """The emulator. A missing one skips the test on a user's machine, and fails it where CI is true."""
    if isinstance(found, Missing):
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"CI must have every emulator. {found}", pytrace=False)
        pytest.skip(str(found))
    return found


@pytest.fixture(scope="session")
def firestore_emulator() -> Iterator[Running]:
    with running(require(firestore.find())) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def pubsub_emulator() -> Iterator[Running]:
    with running(require(pubsub.find())) as emulator:
        yield emulator
