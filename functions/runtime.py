"""The context of this process, built at the first request, and the way from a queue's message to its function."""

from threading import Lock

from shared import app, log
from shared.adapters.queues.inprocess import Delivery
from shared.log import logger
from shared.services.context import Context
from shared.settings import Settings

_lock = Lock()
_context: list[Context] = []


def context() -> Context:
    """The one context of this process, from the environment's settings."""
    with _lock:
        if not _context:
            log.configure()
            ctx = app.build(Settings.from_env(), deliver)
            app.start(ctx)
            _context.append(ctx)
        return _context[0]


def deliver(ctx: Context, delivery: Delivery) -> int:
    """Calls the function that a message of the embedded queue is for; the HTTP status it answers with."""
    from functions import deliver_webhook, export_annotations, sweep, sync_chunk  # they import this module

    handlers = {
        "sync_chunk": sync_chunk.handle,
        "sweep": sweep.handle,
        "deliver_webhook": deliver_webhook.handle,
        "export_annotations": export_annotations.handle,
    }
    handler = handlers.get(delivery.target)
    if handler is None:
        logger.error("message for an unknown function", action="deliver", target=delivery.target)
        return 404
    return handler(ctx, delivery.headers, delivery.body)
