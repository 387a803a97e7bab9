"""What a document may hold and how large it may be: one rule for every adapter, so that all refuse the same.

The limits are Firestore's or a little tighter. The checks run for every document written, hence the exact-type tests
first and the cache of field names.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isfinite

from shared.errors import InvalidDocumentError
from shared.ports import (
    MAX_COMMIT_BYTES,
    MAX_COMMIT_WRITES,
    MAX_DOCUMENT_BYTES,
    Check,
    Create,
    Ref,
    Update,
    Value,
    Write,
)

_NAME = re.compile(r"(?!__.*__\Z)[A-Za-z_][A-Za-z0-9_]{0,199}")
_COLLECTION = re.compile(r"(?!__.*__\Z)[A-Za-z_][A-Za-z0-9_-]{0,199}")
_ID = re.compile(r"(?!\.{1,2}\Z)(?!__.*__\Z)[^/]{1,1500}", re.DOTALL)
_MAX_ID_BYTES = 1500
MIN_INT, MAX_INT = -(2**63), 2**63 - 1


@lru_cache(4096)
def is_field_name(name: str) -> bool:
    """Whether a field may be called so: an identifier, and not `__reserved__`."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


@lru_cache(4096)
def is_collection_name(name: str) -> bool:
    """Whether a collection may be called so: an identifier that may hold hyphens, and not `__reserved__`."""
    return isinstance(name, str) and _COLLECTION.fullmatch(name) is not None


def is_ref(ref: Ref) -> bool:
    """Whether a document can have this name. No document is ever found under one that can't."""
    return is_collection_name(ref.collection) and _ID.fullmatch(ref.id) is not None and _fits(ref.id)


def check_ref(ref: Ref) -> None:
    """Raises `InvalidDocumentError` for a name that no document can have."""
    if not is_ref(ref):
        raise InvalidDocumentError(f"{ref.collection!a}/{ref.id!a} can't name a document.")


def check_commit(writes: Sequence[Write], checks: Sequence[Check]) -> None:
    """Checks all that can be known of a commit before it is tried.

    Raises `InvalidDocumentError` for what can't be stored, `ValueError` for two writes of one document.
    """
    if len(writes) > MAX_COMMIT_WRITES:
        raise InvalidDocumentError(f"A commit of {len(writes)} writes; at most {MAX_COMMIT_WRITES} are possible.")
    seen = set()
    total = 0
    for write in writes:
        check_ref(write.ref)
        seen.add(write.ref)
        if isinstance(write, Create):
            total += size_of(write.ref, write.data)
        elif isinstance(write, Update):
            total += size_of(write.ref, write.changes)
    for check in checks:
        check_ref(check.ref)
    if len(seen) != len(writes):
        raise ValueError("A commit writes a document twice.")
    if total > MAX_COMMIT_BYTES:
        raise InvalidDocumentError(f"A commit of {total} bytes; at most {MAX_COMMIT_BYTES} are possible.")


def size_of(ref: Ref, data: Mapping[str, Value]) -> int:
    """How many bytes the fields take, names included, by Firestore's way of counting.

    Raises `InvalidDocumentError` for a name or a value that can't be stored, and for more than `MAX_DOCUMENT_BYTES`.
    """
    size = _names_size(tuple(data)) or _refuse_name(ref, data)
    for name, value in data.items():
        kind = type(value)
        if kind is str:
            size += len(value) + 1 if value.isascii() else _text_size(ref, name, value)  # type: ignore[union-attr, arg-type]
        elif kind is int:
            if not MIN_INT <= value <= MAX_INT:  # type: ignore[operator]
                raise _refusal(ref, name, "holds an integer beyond 64 bits")
            size += 8
        elif kind is bytes:
            size += len(value)  # type: ignore[arg-type]
        elif kind is bool or value is None:
            size += 1
        else:
            size += _rare_size(ref, name, value)
    if size > MAX_DOCUMENT_BYTES:
        raise InvalidDocumentError(f"{_of(ref)} takes {size} bytes; at most {MAX_DOCUMENT_BYTES} are possible.")
    return size


def _rare_size(ref: Ref, name: str, value: Value) -> int:
    if type(value) is float:
        if not isfinite(value):
            raise _refusal(ref, name, "holds a float that is not finite")
        return 8
    if isinstance(value, list):
        texts = [item for item in value if isinstance(item, str)]
        numbers = [item for item in value if isinstance(item, int) and not isinstance(item, bool)]
        if len(value) not in (len(texts), len(numbers)):
            raise _refusal(ref, name, "holds a list that is neither of strings nor of integers")
        if not all(MIN_INT <= number <= MAX_INT for number in numbers):
            raise _refusal(ref, name, "holds an integer beyond 64 bits")
        return 8 * len(numbers) + sum(_text_size(ref, name, text) for text in texts)
    if isinstance(value, str):  # an enumeration's member, say
        return _text_size(ref, name, value)
    if isinstance(value, int) and MIN_INT <= value <= MAX_INT:
        return 8
    raise _refusal(ref, name, f"holds a value of type {type(value).__name__}")


def _text_size(ref: Ref, name: str, text: str) -> int:
    try:
        return len(text.encode()) + 1
    except UnicodeEncodeError:
        raise _refusal(ref, name, "holds a string with a lone surrogate") from None


@lru_cache(4096)
def _names_size(names: tuple[str, ...]) -> int:
    """Bytes of the names, 0 if one of them is not possible."""
    return sum(len(name) + 1 for name in names) + 1 if all(map(is_field_name, names)) else 0


def _refuse_name(ref: Ref, data: Mapping[str, Value]) -> int:
    name = next(name for name in data if not is_field_name(name))
    raise InvalidDocumentError(f"{_of(ref)} has a field called {name!a}; a field's name is an identifier.")


def _refusal(ref: Ref, name: str, problem: str) -> InvalidDocumentError:
    return InvalidDocumentError(f"{_of(ref)}: the field {name} {problem}.")


def _of(ref: Ref) -> str:
    return f"{ref.collection}/{ref.id}"


def _fits(text: str) -> bool:
    if text.isascii():
        return True
    try:
        return len(text.encode()) <= _MAX_ID_BYTES
    except UnicodeEncodeError:
        return False
