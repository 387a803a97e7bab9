"""What is owed: a document, made in the commit that causes it, says what is still to be done for others.

A message only wakes whoever does it. A message has the number of the document's ticket; one with another number does
nothing, so every attempt has a message, and a name, of its own.
"""

import hashlib
from typing import NamedTuple, Protocol

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 600.0


class Owed(Protocol):
    """The fields that all such documents have."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def ticket(self) -> int:
        """Of the message that wakes its worker."""

    @property
    def due(self) -> float:
        """When that message is to arrive. The sweep looks after one that is overdue."""


class Permit(NamedTuple):
    """What a message says: do what this document asks for, if the ticket is still its own."""

    item: str
    ticket: int


def message_name(kind: str, item: str, ticket: int) -> str:
    """Name of the message that carries a ticket."""
    return hashlib.blake2b(f"{kind}\0{item}\0{ticket}".encode(), digest_size=16).hexdigest()


def pause(failures: int) -> float:
    """Seconds until the next attempt: 1, doubling to ten minutes."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 32))
