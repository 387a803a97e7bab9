"""What all tests share."""

import pytest
import structlog

from shared import log
from tests.emulators import firestore_emulator, new_firestore, pubsub_emulator

__all__ = ["firestore_emulator", "new_firestore", "pubsub_emulator"]


@pytest.fixture(autouse=True, scope="session")
def quiet_log():
    """Only errors are logged: a simulation starts thousands of runs."""
    log.configure(level="ERROR")
    yield
    structlog.reset_defaults()
