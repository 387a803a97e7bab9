"""The context of this process, built at the first request, and the way from a queue's message to its function."""

from collections.abc import Callable, Mapping
from importlib import import_module
from threading import Lock

from shared import app, log
from shared.adapters.queues.inprocess import Delivery
from shared.errors import SchemaTooNewError
from shared.log import logger
from shared.services.context import QUEUE_FUNCTIONS, Context
from shared.settings import Settings

Handle = Callable[[Context, Mapping[str, str], bytes], int]
"""Does what a message asks for, and returns the HTTP status: 2xx acknowledges, anything else repeats."""

_lock = Lock()
_context: list[Context] = []


def context() -> Context:
    """The one context of this process, from the environment's settings.

    Raises `SchemaTooNewError` where the documents are not for this release; the next request asks again.
    """
    with _lock:
        if not _context:
            log.configure()
            try:
                ctx = app.build(Settings.from_env(), deliver)
            except SchemaTooNewError as error:
                logger.error("this release is too old for the documents", action="schema.refused", reason=str(error))
                raise
            app.start(ctx)
            _context.append(ctx)
        return _context[0]


def deliver(ctx: Context, delivery: Delivery) -> int:
    """Calls the function that a message of the embedded queue is for; the HTTP status it answers with."""
    if delivery.target not in QUEUE_FUNCTIONS:
        logger.error("message for an unknown function", action="deliver", target=delivery.target)
        return 404
    # Each function is the module of its name. They import this one, so they are found when they are needed.
    handle: Handle = import_module(f"functions.{delivery.target}").handle
    return handle(ctx, delivery.headers, delivery.body)
