"""What Firestore's answers mean: by their status, and by their text only where the status leaves it open."""

from collections.abc import Iterable, Sequence

import grpc

from shared.adapters.documents.firestore_wire import Names
from shared.errors import (
    CommitRefusedError,
    CommitUnknownError,
    DocumentsUnavailableError,
    InvalidDocumentError,
    SluiceError,
)
from shared.ports import Ref, Update, Write

_Code = grpc.StatusCode
PASSING = frozenset(
    (_Code.UNAVAILABLE, _Code.DEADLINE_EXCEEDED, _Code.ABORTED, _Code.INTERNAL, _Code.UNKNOWN, _Code.RESOURCE_EXHAUSTED)
)
"""A read that ended so is tried again."""
_REFUSED = frozenset((_Code.ALREADY_EXISTS, _Code.NOT_FOUND, _Code.FAILED_PRECONDITION, _Code.ABORTED))
_NOT_TAKEN = frozenset(
    (_Code.UNAUTHENTICATED, _Code.PERMISSION_DENIED, _Code.RESOURCE_EXHAUSTED, _Code.UNIMPLEMENTED, _Code.OUT_OF_RANGE)
)
_TOO_LARGE = ("exceeds maximum size", "larger than max", "exceeds the maximum")


def is_contention(error: grpc.RpcError) -> bool:
    """Nothing was written, because another transaction held a lock for too long or this one grew too old."""
    if error.code() is _Code.ABORTED:
        return True
    text = _text(error).lower()
    return error.code() is _Code.INVALID_ARGUMENT and "transaction" in text and ("expired" in text or "invalid" in text)


def read_error(error: grpc.RpcError) -> SluiceError:
    """What a failed read means to the caller."""
    return DocumentsUnavailableError(detail=_said(error))


def commit_error(error: grpc.RpcError, names: Names, writes: Sequence[Write]) -> SluiceError:
    """What a failed commit means to the caller."""
    code, text = error.code(), _text(error)
    if code is _Code.INVALID_ARGUMENT or (code is _Code.RESOURCE_EXHAUSTED and any(it in text for it in _TOO_LARGE)):
        # What is created was measured before; an update may add to more than a document can hold.
        grown = ["/".join(write.ref) for write in writes if isinstance(write, Update)]
        which = f" (one of these: {', '.join(grown[:3])})" if grown else ""
        return InvalidDocumentError(f"Firestore can't store this{which}.", detail=text)
    if code in _REFUSED:
        known = _named(text, names, [write.ref for write in writes])
        return refused([known] if known else [])
    if code in _NOT_TAKEN:
        return DocumentsUnavailableError(detail=_said(error))
    return CommitUnknownError(detail=_said(error))


def refused(conflicts: Sequence[Ref]) -> CommitRefusedError:
    """A commit that was not applied, and what is known to be in its way."""
    which = f": {', '.join('/'.join(ref) for ref in conflicts[:3])}" if conflicts else ""
    return CommitRefusedError(f"An expectation of the commit does not hold{which}.", conflicts=conflicts)


def _named(text: str, names: Names, refs: Iterable[Ref]) -> Ref | None:
    """The document that the text names; of things/1 and things/10 the longer one, as both are found in its name."""
    return max((ref for ref in refs if names.of(ref) in text), key=lambda ref: len(ref.id), default=None)


def _said(error: grpc.RpcError) -> str:
    return f"{error.code().name}: {_text(error)}"


def _text(error: grpc.RpcError) -> str:
    return str(error.details() or "")
