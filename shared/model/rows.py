"""Rows of an object in file mode: what makes one JSON value a task, and what is wrong with it if it does not."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from shared.model.annotation import MAX_PER_TASK

MAX_REASON = 200
MAX_DEPTH = 250
"""Levels of nesting that can be written again; the parser alone would take about a thousand."""

_EXTENSIONS = frozenset({"", "json", "jsonl", "ndjson", "parquet"})
_SPECIAL = frozenset({"predictions", "annotations", "meta", "allow_skip"})
_NOTHING: Mapping[str, bytes] = MappingProxyType({})


class Checkpoint(NamedTuple):
    """Where to go on in a file; means something only for the same version of the object.

    `row`: rows consumed, good and bad. `offset`: JSONL and arrays: the byte behind the last consumed row; Parquet: row
    groups consumed. An offset beyond the object's size: nothing more, and reading from there reads nothing.
    """

    row: int = 0
    offset: int = 0


class TaskRow(NamedTuple):
    """A row that makes a task; `data` and the values of `extra` are compact JSON.

    `index` is None if the file is one JSON object. `extra` holds those of "predictions", "annotations" and "meta" that
    are there and not empty. `annotations` counts all of them, `cancelled` those of them that were cancelled. `digest`
    is equal for equal content, whatever the order of keys and the spacing in the file.
    """

    index: int | None  # type: ignore[assignment]  # tuple.index, which nobody calls on a row
    data: bytes
    extra: Mapping[str, bytes]
    allow_skip: bool
    predictions: int
    annotations: int
    cancelled: int
    digest: str
    after: Checkpoint


class BadRow(NamedTuple):
    """A row (`index` None: the file as a whole) that makes no task, with the reason for people.

    `line` counts from 1 and is known for JSONL read from its start. `fatal`: nothing behind it can be read; `index` is
    then the row that would have been next, or None if no row can be read at all.
    """

    index: int | None  # type: ignore[assignment]  # tuple.index, which nobody calls on a row
    line: int | None
    reason: str
    after: Checkpoint
    fatal: bool


def readable_extension(key: str) -> bool:
    """Whether the name of an object lets it hold tasks; what it does hold is told by its content."""
    return extension(key) in _EXTENSIONS


def extension(key: str) -> str:
    """The extension of a key in lower case, without the dot; "" if there is none (".json" has none)."""
    name = key.rpartition("/")[2].lstrip(".")
    return name.rpartition(".")[2].lower() if "." in name else ""


def bad_row(
    index: int | None, reason: str, after: Checkpoint, *, line: int | None = None, fatal: bool = False
) -> BadRow:
    """A bad row whose reason is fit to be stored and shown: printable and short."""
    if not reason.isprintable():
        reason = "".join(char if char.isprintable() else "�" for char in reason)
    if len(reason) > MAX_REASON:
        reason = reason[: MAX_REASON - 3] + "..."
    return BadRow(index, line, reason, after, fatal)


def too_large(index: int | None, size: int, limit: int, after: Checkpoint, line: int | None = None) -> BadRow:
    """The bad row for one beyond the limit; the rows behind it are not affected."""
    return bad_row(index, f"row of {size} bytes; the limit is {limit}", after, line=line)


def build_row(value: object, index: int | None, after: Checkpoint, max_bytes: int) -> TaskRow | BadRow:
    """The task that one JSON value describes.

    An object with an object under "data" describes a task by its keys, and only those known here are kept; any other
    object is itself the data. Besides JSON's types, those of Parquet are understood: dates and times become ISO 8601,
    durations seconds, decimals strings, binary must be UTF-8 text, NaN and infinities become null.
    """
    if not isinstance(value, dict):
        return bad_row(index, f"a row must be an object, not {_kind(value)}", after)
    data = value.get("data")
    wrapped = isinstance(data, dict)
    if not wrapped:
        data = value
    predictions = annotations = meta = None
    allow_skip, extra, cancelled = True, _NOTHING, 0
    try:
        if not _SPECIAL.isdisjoint(value):
            predictions, annotations, meta, allow_skip = _special(value, wrapped)
            parts = {"predictions": predictions, "annotations": annotations, "meta": meta}
            extra = {name: orjson.dumps(part, _plain) for name, part in parts.items() if part}
            cancelled = sum(1 for annotation in annotations or () if annotation.get("was_cancelled"))
        body = orjson.dumps(data, _plain)
        size = len(body) + sum(map(len, extra.values())) if extra else len(body)
        if size > max_bytes:
            return too_large(index, size, max_bytes, after)
        # Keys sorted, parts at fixed places: equal bytes mean equal content, and the reverse.
        content = orjson.dumps((data, predictions, annotations, meta, allow_skip), _plain, orjson.OPT_SORT_KEYS)
    except _RowError as error:
        return bad_row(index, str(error), after)
    except (orjson.JSONEncodeError, RecursionError) as error:
        return bad_row(index, _unwritable(error), after)
    return TaskRow(
        index,
        body,
        extra,
        allow_skip,
        len(predictions) if predictions else 0,
        len(annotations) if annotations else 0,
        cancelled,
        blake2b(content, digest_size=8).hexdigest(),
        after,
    )


class _RowError(Exception):
    """The row is not what it must be; the text is for people."""


_Special = tuple[list[Any] | None, list[Any] | None, dict[str, Any] | None, bool]


def _special(value: dict[str, Any], wrapped: bool) -> _Special:
    """Predictions, annotations, meta and allow_skip, checked. Without "data", the last two may be anything's names."""
    predictions = _results("predictions", value.get("predictions") or None)
    annotations = _results("annotations", value.get("annotations") or None)
    if (predictions or annotations) and "data" not in value:
        raise _RowError("'predictions' and 'annotations' need the task under 'data'")
    meta = (value.get("meta") or None) if wrapped else None
    if meta is not None and not isinstance(meta, dict):
        raise _RowError(f"'meta' must be an object, not {_kind(meta)}")
    allow_skip = value.get("allow_skip")
    if not isinstance(allow_skip, bool):
        if allow_skip is not None and wrapped:
            raise _RowError(f"'allow_skip' must be true or false, not {_kind(allow_skip)}")
        allow_skip = True
    return predictions, annotations, meta, allow_skip


def _results(name: str, items: object) -> list[Any] | None:
    """Predictions or annotations, checked; an annotation's result that is written as a string is decoded."""
    if items is None:
        return None
    if not isinstance(items, list):
        raise _RowError(f"'{name}' must be a list, not {_kind(items)}")
    if len(items) > MAX_PER_TASK:
        raise _RowError(f"{len(items)} {name}; a task can have {MAX_PER_TASK}")
    checked = []
    for place, item in enumerate(items):
        if name == "predictions" and isinstance(item, int):
            continue  # a target's file only says which there were
        if not isinstance(item, dict):
            raise _RowError(f"{name}[{place}] must be an object, not {_kind(item)}")
        result = item.get("result")
        if isinstance(result, str) and name == "annotations":
            try:
                result = orjson.loads(result)
            except orjson.JSONDecodeError as error:
                raise _RowError(f"{name}[{place}]: 'result' is a string that is no JSON ({error.msg})") from None
            item = {**item, "result": result}
        if not isinstance(result, list):
            missing = "is missing" if "result" not in item else f"must be a list, not {_kind(result)}"
            raise _RowError(f"{name}[{place}]: 'result' {missing}")
        checked.append(item)
    return checked


_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number"}


def _kind(value: object) -> str:
    return "null" if value is None else _KINDS.get(type(value), type(value).__name__)


def _plain(value: object) -> object:
    """For the encoder: what JSON has no type for."""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError


def _unwritable(error: BaseException) -> str:
    text = str(error)
    if "ecursion" in text or "nested" in text:
        return f"nested deeper than {MAX_DEPTH} levels"
    if isinstance(error.__cause__, UnicodeDecodeError):
        return "binary that is not UTF-8 text can't be part of a task"
    if "surrogates" in text:
        return "text that is not valid Unicode (a lone surrogate)"
    return f"can't be written as JSON: {text}"
