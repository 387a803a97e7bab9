"""Structured logs: one JSON object a line, each with an `action`, so that a run can be followed with one filter.

Never logged: credentials, tokens, the content of objects.
"""

import logging
import sys
from typing import Any

import structlog

logger = structlog.stdlib.get_logger("sluice")


def configure(*, level: str = "INFO") -> None:
    """Sends the logs to standard error, in the shape Cloud Logging reads (`severity`, `message`)."""

    def severity(_logger: Any, method: str, event: Any) -> Any:
        event["severity"] = {"warn": "WARNING", "exception": "ERROR"}.get(method, method.upper())
        event["message"] = event.pop("event")
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            severity,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
