"""Emulators for tests: one of each per session, a skip with the remedy where one is missing, a failure in CI.

The fixtures are there for every test module (`tests/conftest.py` names them); what needs one has the marker `emulator`.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from infra.emulators import Missing, Running, firestore, pubsub, running

Found = TypeVar("Found")


def require(found: Found | Missing) -> Found:
    """What was looked for. A missing one skips the test on a user's machine, and fails it where CI is true."""
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


@pytest.fixture
def new_firestore(firestore_emulator: Running, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Opens an empty Firestore: each has a project of its own, which costs nothing."""
    from shared.adapters.documents.firestore import FirestoreDocuments

    for name, value in firestore_emulator.env.items():
        monkeypatch.setenv(name, value)

    def open_one(project: str = "", **options: Any) -> FirestoreDocuments:
        return FirestoreDocuments(project or f"test-{uuid.uuid4().hex[:12]}", **options)

    return open_one
