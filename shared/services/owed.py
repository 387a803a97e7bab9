"""Messages of what is owed: outbox items for webhooks, dues of targets, additions of records to projects.

Who dies between the commit and the message leaves a document that is overdue and that no message is known of; the sweep
takes its next ticket, as a used name may be refused for ever.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from shared.errors import CommitRefusedError, CommitUnknownError, SluiceError
from shared.log import logger
from shared.model.owed import Owed, message_name
from shared.ports import Create, Message
from shared.services.context import Context


@dataclass(frozen=True, slots=True)
class Desk:
    """One kind of what is owed: its documents, its queue, and the function that does it."""

    kind: str
    queue: str
    function: str
    items: Callable[[Context], Any]
    """The collection, which has `overdue`."""

    def enqueue(self, ctx: Context, item: str, ticket: int, *, delay: float = 0.0) -> None:
        """Makes sure that the message of a ticket was queued once. Raises `QueueUnavailableError`."""
        body = orjson.dumps({"item": item, "ticket": ticket})
        name = message_name(self.kind, item, ticket)
        ctx.queue.enqueue(Message(self.queue, name, self.function, body, delay))

    def wake(self, ctx: Context, owed: Owed) -> None:
        """For a message with an old ticket: who took the present one may have died before its message was queued."""
        self.enqueue(ctx, owed.id, owed.ticket, delay=max(0.0, owed.due - ctx.clock()))

    def send(self, ctx: Context, writes: Sequence[Create], *, delay: float = 0.0) -> None:
        """Queues the messages of what was committed. Harmless for what was not, or was sent already.

        Never fails: what has happened has happened, and the sweep sends what the queue does not take now.
        """
        for write in writes:
            try:
                self.enqueue(ctx, write.ref.id, int(write.data["ticket"] or 1), delay=delay)  # type: ignore[arg-type]
            except SluiceError as error:
                logger.warning("message waits for the sweep", action=f"{self.kind}.send", reason=str(error))

    def wake_overdue(self, ctx: Context, limit: int) -> int:
        """Sends anew what has been due for a while and what no message is known of; returns how many that were.

        What only waits in the queue takes its place behind the others, so that all are looked at in turn.
        """
        now, items = ctx.clock(), self.items(ctx)
        woken = 0
        for stored in items.overdue(now - ctx.settings.rewake_seconds, limit):
            item = stored.value
            lost = ctx.queue.state(self.queue, message_name(self.kind, item.id, item.ticket)).absent
            moved = replace(item, ticket=item.ticket + lost, due=now)
            try:
                ctx.documents.commit([items.update(stored, moved)])
            except (CommitRefusedError, CommitUnknownError):
                continue  # it was done, or somebody else woke it
            if lost:
                self.enqueue(ctx, item.id, moved.ticket)
                woken += 1
        return woken
