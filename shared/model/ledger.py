"""The ledger of a chunk: one entry per object that was ever handled, kept as one compressed, unindexed blob."""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import orjson

from shared.model.policies import APPLIED, Applied, Policies

State = Literal["imported", "failed", "partial", "gone"]
STATES: tuple[State, ...] = ("imported", "failed", "partial", "gone")

MAX_TEXTS = 64
MAX_TEXT = 200
MAX_ROW_ERRORS = 20
MAX_CHUNK_ROW_ERRORS = 2000
MAX_BLOB = 700 * 1024
BESIDE = "|"
"""In the version of an object with a sidecar: stands between the versions of the two."""
AND_MORE = "another reason (only the first 64 reasons of a range are kept)"


class Entry(NamedTuple):
    """One object. `tasks` made of it, `rows` and `offset` consumed (valid for `version` only)."""

    key: str
    version: str
    size: int = 0
    modified: float = 0.0
    state: State = "imported"
    tasks: int = 0
    rows: int = 0
    offset: int = 0
    bad_rows: int = 0
    reason: str = ""
    transient: bool = False
    """Failed for a reason that may pass: tried again by the next run."""
    shape: str = ""
    """A failed entry: the settings it failed under. Other settings, another try."""
    row_errors: tuple[tuple[int, int, str], ...] = ()
    """The first few bad rows: (row, line or 0 where unknown, reason)."""
    applied: Applied = ""
    """A gone entry: what was done about its tasks."""
    tombs: int = 0
    """Tasks that users deleted, as far as it is known: the entry is kept for them."""
    content_type: str = ""
    """A record: its type, where the store says another than its key does."""
    width: int | None = None
    """A record: pixels of an image, 0 if it does not tell; None: nobody looked yet. Both or neither."""
    height: int | None = None

    def with_bad_row(self, row: int, line: int, reason: str) -> "Entry":
        """The entry with one more bad row; reasons are kept for the first `MAX_ROW_ERRORS`."""
        errors = self.row_errors
        if len(errors) < MAX_ROW_ERRORS:
            errors = (*errors, (row, line, reason[:MAX_TEXT]))
        return self._replace(bad_rows=self.bad_rows + 1, row_errors=errors)

    def explain(self) -> list[str]:
        """What is wrong with the object and its rows, a sentence each."""
        lines = [f"{self.key}: {self.reason}"] if self.reason else []
        for row, line, reason in self.row_errors:
            lines.append(f"{self.key}, {f'line {line}' if line else f'row {row}'}: {reason}")
        if self.bad_rows > len(self.row_errors):
            lines.append(f"{self.key}: {self.bad_rows - len(self.row_errors)} more rows")
        return lines


class ObjectInfo(NamedTuple):
    """An object as listed.

    `version` changes whenever the content does (GCS generation, S3 ETag, Azure MD5 + size, a folder's mtime_ns +
    size). `modified` is seconds since the epoch. `problem` is set for what is listed but can never be read or stored
    (a file name that is no text): the reason, for people; key is then a printable stand-in. `content_type` is what the
    store says of it where it lists objects, "" where it says nothing.
    """

    key: str
    size: int
    version: str
    modified: float
    problem: str = ""
    content_type: str = ""


Ledger = dict[str, Entry]
"""Entries by key, in no particular order."""


def encode(ledger: Ledger) -> bytes:
    """The blob. Distinct texts are stored once and capped; if it is still too large, row details are dropped."""
    blob = _encode(ledger, MAX_CHUNK_ROW_ERRORS)
    return blob if len(blob) <= MAX_BLOB else _encode(ledger, 0)


def _encode(ledger: Ledger, row_errors_left: int) -> bytes:
    texts: dict[str, int] = {}

    def intern(text: str) -> int:
        if not text:
            return -1
        text = text[:MAX_TEXT]
        if text not in texts and len(texts) >= MAX_TEXTS:
            text = AND_MORE
        return texts.setdefault(text, len(texts))

    rows: list[list[object]] = []
    for e in ledger.values():
        row: list[object] = [e.key, e.version, e.size, e.modified, STATES.index(e.state), e.tasks]
        if e.rows or e.bad_rows or e.reason or e.shape or e.transient or e.applied or e.tombs:
            kept = e.row_errors[:row_errors_left]
            row_errors_left -= len(kept)
            errors = [[index, line, intern(text)] for index, line, text in kept]
            row += [e.rows, e.offset, e.bad_rows, intern(e.reason), int(e.transient), e.shape, errors]
            if e.applied or e.tombs:
                row += [APPLIED.index(e.applied), e.tombs]
        rows.append(row)
    document: dict[str, object] = {"texts": list(texts), "entries": rows}
    if any(e.content_type or e.width is not None for e in ledger.values()):
        # Beside the entries, which stay as short as they are where there is nothing of the kind.
        types: dict[str, int] = {"": 0}
        document["records"] = [
            [types.setdefault(e.content_type, len(types)), e.width, e.height] for e in ledger.values()
        ]
        document["types"] = list(types)
    return zlib.compress(orjson.dumps(document), 1)


def decode(blob: bytes) -> Ledger:
    """The ledger of a blob."""
    document = orjson.loads(zlib.decompress(blob))
    texts = document["texts"]

    def text(index: int) -> str:
        return texts[index] if index >= 0 else ""

    ledger: Ledger = {}
    for key, version, size, modified, state, tasks, *rest in document["entries"]:
        entry = Entry(key, version, size, modified, STATES[state], tasks)
        if rest:
            rows, offset, bad_rows, reason, transient, shape, errors, *about = rest
            applied, tombs = about or (0, 0)
            entry = entry._replace(
                rows=rows,
                offset=offset,
                bad_rows=bad_rows,
                reason=text(reason),
                transient=bool(transient),
                shape=shape,
                row_errors=tuple((row, line, text(index)) for row, line, index in errors),
                applied=APPLIED[applied],
                tombs=tombs,
            )
        ledger[key] = entry
    if "records" in document:
        types = document["types"]
        for entry, (type_, width, height) in zip(list(ledger.values()), document["records"], strict=True):
            ledger[entry.key] = entry._replace(content_type=types[type_], width=width, height=height)
    return ledger


def split(ledger: Ledger, upto: bytes, sort_key: Callable[[str], bytes]) -> tuple[Ledger, Ledger]:
    """Entries up to and including a sort key, and the others."""
    left: Ledger = {}
    right: Ledger = {}
    for key, entry in ledger.items():
        (left if sort_key(key) <= upto else right)[key] = entry
    return left, right


Kind = Literal["new", "changed", "resume", "retry", "back"]
"""`back`: it was gone, and its tasks were marked or deleted for it."""


class Todo(NamedTuple):
    """An object to handle. `entry` is what the ledger knows of it, None if new."""

    listed: ObjectInfo
    kind: Kind
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Diff:
    """What a listing means against a ledger."""

    todo: tuple[Todo, ...]
    gone: tuple[Entry, ...]
    """Were there, and are not listed any more."""
    back: tuple[Entry, ...]
    """Were gone and are listed again, with nothing to do but to say so."""
    owed: tuple[Entry, ...]
    """Are gone, now or since long, and the policy was not applied to their tasks yet."""


def diff(
    listing: Iterable[ObjectInfo],
    ledger: Ledger,
    *,
    shape: str,
    wants: Callable[[str], bool],
    policies: Policies = Policies(),  # noqa: B008  a tuple
) -> Diff:
    """Compares a clean listing of a chunk's range (wanted keys only) with its ledger.

    A failed entry is tried again if the reason may pass, the object changed, or the settings (`shape`) did. An entry
    that the settings no longer want (`wants`) is out of scope, which is never gone. Where changes are ignored, an
    imported object keeps the version it was imported at, so that another policy finds what differs.
    """
    todo: list[Todo] = []
    back: list[Entry] = []
    seen = set()
    for listed in listing:
        seen.add(listed.key)
        entry = ledger.get(listed.key)
        if entry is None:
            todo.append(Todo(listed, "new", None))
        elif entry.state == "gone" and entry.applied:
            todo.append(Todo(listed, "back", entry))
        elif entry.version != listed.version and (_counts(entry, policies) or _arrived(entry, listed)):
            todo.append(Todo(listed, "changed", entry))
        elif entry.state == "partial":
            todo.append(Todo(listed, "resume", entry))
        elif entry.state == "failed" and (entry.transient or entry.shape != shape):
            todo.append(Todo(listed, "retry", entry))
        elif entry.state == "gone":
            back.append(entry)
    absent = [entry for key, entry in ledger.items() if key not in seen and wants(key)]
    gone = [entry for entry in absent if entry.state != "gone"]
    due = [entry for entry in absent if _has_tasks(entry) and policies.owes(_applied(entry))]
    return Diff(tuple(todo), tuple(gone), tuple(back), tuple(due))


def owed(ledger: Ledger, *, wants: Callable[[str], bool], policies: Policies) -> list[Entry]:
    """What is known to be gone, and the policy was not applied to its tasks yet; nothing is listed for it."""
    gone = [entry for key, entry in ledger.items() if entry.state == "gone" and wants(key)]
    return [entry for entry in gone if _has_tasks(entry) and policies.owes(entry.applied)]


def _counts(entry: Entry, policies: Policies) -> bool:
    """Whether another version of an object is to be looked into. What was never imported whole always is."""
    return policies.updates or entry.version == "" or entry.state in ("partial", "failed")


def _arrived(entry: Entry, listed: ObjectInfo) -> bool:
    """Whether nothing happened but that a sidecar came: that is no change, whichever of the two was first."""
    return entry.state == "imported" and listed.version.startswith(f"{entry.version}{BESIDE}")


def _applied(entry: Entry) -> Applied:
    return entry.applied if entry.state == "gone" else ""


def _has_tasks(entry: Entry) -> bool:
    return bool(entry.tasks or entry.tombs)
