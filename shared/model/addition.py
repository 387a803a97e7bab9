"""An addition: records of a dataset become tasks of a project; what was asked for, and how far it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.errors import InvalidInputError
from shared.model.dataset_record import FILTERS, RecordFilter, record_id
from shared.model.ledger import Entry

AdditionState = Literal["queued", "in_progress", "completed", "completed_with_errors", "failed"]
MAX_RECORDS = 1000
"""Ids of records in one request; for more there are filters."""
MAX_ERRORS = 20
MAX_ID = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """One document says what is to be done and how far it is: it changes in the commits that make the tasks."""

    id: str
    storage: int
    """The dataset."""
    project: int
    map: str
    """The dataset's ledger when it was asked; another bucket has another."""
    asked: Mapping[str, str] = field(default_factory=dict)
    """The filters, as they were given."""
    records: tuple[int, ...] = ()
    """Ids of records, where they were asked for by id."""
    prefix: str = ""
    """The dataset's when it was asked: a glob looks at what comes behind it."""
    restore: bool = False
    """Whether tasks are made anew that users deleted before it was asked."""
    user: int
    state: AdditionState = "queued"
    after: str = ""
    """Key up to which all is done."""
    selected: int = 0
    """Records found so far: those that were made tasks, that were tasks, that stay deleted, and that failed."""
    created: int = 0
    existed: int = 0
    deleted: int = 0
    failed: int = 0
    missing: int = 0
    """Ids that no record has."""
    errors: tuple[str, ...] = ()
    """A few failures, for people."""
    reason: str = ""
    """Why it failed."""
    since: float
    started: float = 0.0
    updated: float = 0.0
    ended: float = 0.0
    ticket: int = 1
    """Of the message that wakes its worker; one with another number does nothing."""
    due: float
    """When that message is to arrive, or its worker was last heard of."""

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self.ended > 0

    @property
    def left(self) -> int | None:
        """Ids whose records were not found yet; None where a filter was given."""
        return len(self.records) - self.selected if self.records else None

    def wanted(self) -> RecordFilter:
        """The records that are asked for."""
        if not self.records:
            return RecordFilter.of(self.asked, storage_prefix=self.prefix)
        ids = frozenset(self.records)

        def named(entry: Entry) -> bool:
            return record_id(self.map, entry.key) in ids

        return RecordFilter(tests=(named,))


def origin(storage_map: str, project: int) -> str:
    """What the tasks of a dataset carry as their map: the same record may be a task of many projects."""
    return f"{storage_map}/{project}"


@dataclass(frozen=True, slots=True)
class Selection:
    """What a request asks for: ids, or else filters."""

    records: tuple[int, ...] = ()
    asked: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Mapping[str, Any], *, storage_prefix: str) -> "Selection":
        """Exactly one of `records` and `filter`. Raises `InvalidInputError` naming the field that is not good."""
        if ("records" in given) == ("filter" in given):
            text = "Give either `records`, a list of ids, or `filter`; an empty filter takes all records."
            raise InvalidInputError.of("non_field_errors", text)
        if "records" in given:
            return cls(records=_ids(given["records"]))
        asked = _filter(given["filter"])
        RecordFilter.of(asked, storage_prefix=storage_prefix)
        return cls(asked=asked)


def _ids(given: Any) -> tuple[int, ...]:
    if not isinstance(given, list) or not given:
        raise InvalidInputError.of("records", "A list of the ids of records is needed.")
    if len(given) > MAX_RECORDS:
        text = f"There are {len(given)}; at most {MAX_RECORDS} are taken at once. A `filter` takes any number."
        raise InvalidInputError.of("records", text)
    for value in given:
        if type(value) is not int or not 0 < value < MAX_ID:
            raise InvalidInputError.of("records", f"Not the id of a record: {str(value)[:30]}")
    return tuple(dict.fromkeys(given))


def _filter(given: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        raise InvalidInputError.of("filter", "An object is needed; an empty one takes all records.")
    asked: dict[str, str] = {}
    problems: dict[str, list[str]] = {}
    for name, value in given.items():
        if name not in FILTERS:
            # What is not known must not widen the selection unseen.
            problems["filter"] = [f'There is no filter "{name[:30]}"; there are {", ".join(FILTERS)}.']
        elif value is None:
            continue
        elif type(value) not in (str, int):
            problems[name] = ["A text or a number is needed."]
        else:
            asked[name] = str(value)
    if problems:
        raise InvalidInputError(fields=problems)
    return asked
