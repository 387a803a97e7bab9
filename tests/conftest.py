"""What all tests share."""

import io
import os
from collections.abc import Iterator

import pytest
import structlog

from shared import log
from shared.log import logger
from tests.emulators import firestore_emulator, new_firestore, pubsub_emulator

__all__ = ["firestore_emulator", "new_firestore", "pubsub_emulator"]


def pytest_configure() -> None:
    """Nobody asks the machine for the identity of a cloud: it has none, and some ask again and again."""
    os.environ |= {"AWS_EC2_METADATA_DISABLED": "true", "NO_GCE_CHECK": "true"}


@pytest.fixture(autouse=True, scope="session")
def quiet_log():
    """Only errors are logged: a simulation starts thousands of runs."""
    log.configure(level="ERROR")
    yield
    structlog.reset_defaults()


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    """Everything that is logged, one JSON object a line, tracebacks included."""
    lines = io.StringIO()
    before = structlog.get_config()
    vars(logger).pop("bind", None)  # the configuration it has cached
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        logger_factory=structlog.PrintLoggerFactory(lines),
        cache_logger_on_first_use=False,
    )
    yield lines
    vars(logger).pop("bind", None)
    structlog.configure(**before)
