"""Every error Sluice raises on purpose. Callers act on the class, never on the text.

The docstring of a class is its default message. A message is for a person: what is wrong, where, what to do. It never
holds a secret; what a provider said is kept in `detail`, already stripped of credentials by the adapter that caught it.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar


class SluiceError(Exception):
    """Something went wrong."""

    def __init__(self, message: str = "", *, detail: str = "") -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.detail = detail
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} ({self.detail})" if self.detail else self.message


# What a caller of the API did.


class InvalidInputError(SluiceError):
    """The request is not valid."""

    def __init__(self, message: str = "", *, fields: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message or "Validation error")
        self.fields = {name: list(texts) for name, texts in (fields or {}).items()}

    @classmethod
    def of(cls, field: str, message: str) -> "InvalidInputError":
        """One field, one sentence."""
        return cls(fields={field: [message]})


class NotFoundError(SluiceError):
    """Not found."""


class NotSynchronizableError(SluiceError):
    """The storage is not synchronizable."""


class TryAgainError(SluiceError):
    """There is more to do than one request can: send it again."""


class AuthenticationError(SluiceError):
    """Authentication credentials were not provided."""


class ForbiddenError(SluiceError):
    """You do not have permission to perform this action."""


# What an object store says.


class StoreError(SluiceError):
    """The object store refused."""

    permanent: ClassVar[bool] = True
    """False: worth another try later. True: only a person can mend it."""


class IncompleteError(StoreError):
    """The storage lacks settings without which its bucket can't be opened."""

    def __init__(self, names: Sequence[str]) -> None:
        them = "it" if len(names) == 1 else "them"
        super().__init__(f"The storage has no {', '.join(names)} yet: set {them} first.")
        self.names = tuple(names)


class StoreUnavailableError(StoreError):
    """The object store can't be reached or asks to slow down."""

    permanent = False


class StoreUnreachableError(StoreUnavailableError):
    """Nothing answers at the object store's address."""


class WriteUnknownError(StoreUnavailableError):
    """The object may or may not have been written: look at it to know."""


class BucketNotFoundError(StoreError):
    """The bucket, container or folder does not exist."""


class CredentialsError(StoreError):
    """The credentials are missing or not valid."""


class AccessDeniedError(StoreError):
    """The credentials are valid but lack a permission."""


class ListingOrderError(StoreError):
    """The listing stepped back: this store does not list in the order it declares."""


class PrefixEmptyError(StoreError):
    """No object lies under the prefix."""


class ObjectError(StoreError):
    """One object can't be had; the rest of the store is fine."""


class ObjectNotFoundError(ObjectError):
    """The object does not exist (any more)."""


class VersionMismatchError(ObjectError):
    """The object is not the version that was asked for."""


class UnusableObjectError(ObjectError):
    """The object can be read, but what is in it is of no use."""


class InvalidKeyError(ObjectError):
    """This store can't hold an object of that name."""


# What the receiver of a webhook says.


class ReceiverError(SluiceError):
    """The receiver of the webhook can't be reached, or did not take what it was sent."""


class AddressRefusedError(ReceiverError):
    """Webhooks may not be sent to this address."""


# What the document store and the queue say.


class CommitRefusedError(SluiceError):
    """An expectation of the commit does not hold; nothing was written."""

    def __init__(self, message: str = "", *, conflicts: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.conflicts = tuple(conflicts)
        """(collection, id) of the documents known to be in the way; an adapter may know only one, or none."""


class CommitUnknownError(SluiceError):
    """The commit may or may not have been applied: read again to know."""


class InvalidDocumentError(SluiceError):
    """A document can't be stored (too large, or a value of no storable type); nothing was written."""


class SchemaTooNewError(SluiceError):
    """The documents were written by a newer release of Sluice."""


class DocumentsUnavailableError(SluiceError):
    """The document store can't be reached; nothing is known to be written."""


class QueueUnavailableError(SluiceError):
    """The task queue can't be reached; the message may or may not be queued."""
