"""Annotations and predictions: what people and models said of a task. Results are opaque JSON."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from shared.errors import InvalidInputError
from shared.model.times import seconds

MAX_PER_TASK = 200
"""Annotations of a task, and predictions of it: one commit deletes or rewrites a task with all of them."""
MAX_RESULT_BYTES = 900_000
UNWRITABLE = "It can't be stored as JSON: nested too deep, or text that is not Unicode."
EPOCH_MS = 1_577_836_800_000
"""2020: numbers by time stay below 2**53 until 2089."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One person's answer to a task. Its task is written in every commit that writes it."""

    id: int
    task: int
    project: int
    result: bytes = b"[]"
    completed_by: int | None = None
    updated_by: int | None = None
    last_created_by: int | None = None
    was_cancelled: bool = False
    ground_truth: bool = False
    bulk_created: bool = False
    lead_time: float | None = None
    unique_id: str | None = None
    import_id: int | None = None
    last_action: str | None = None
    parent_prediction: int | None = None
    parent_annotation: int | None = None
    draft_created_at: float | None = None
    created_at: float
    updated_at: float
    version: int = 1
    """Counts its edits: who holds a smaller number holds an older state."""
    request: str = ""
    """Fingerprint of the request that made it; a repeated request finds it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One model's answer to a task."""

    id: int
    task: int
    project: int
    result: bytes = b"[]"
    model_version: str | None = None
    score: float | None = None
    cluster: int | None = None
    neighbors: Any = None
    mislabeling: float = 0.0
    model: int | None = None
    model_run: int | None = None
    created_at: float
    updated_at: float
    request: str = ""
    """Fingerprint of the request that made it, as of an annotation's."""


def number_by_time(now: float, random_bits: int) -> int:
    """A number below 2**53 that sorts by time; two of one millisecond differ in 12 random bits."""
    return ((int(now * 1000) - EPOCH_MS) << 12 | (random_bits & 0xFFF)) & (2**53 - 1) or 1


def numbered_near(number: int, now: float, seconds: float) -> bool:
    """Whether `number_by_time` may have given a number within so many seconds of `now`. Few imported ones pass too."""
    return abs((number >> 12) + EPOCH_MS - now * 1000) <= (seconds + 1) * 1000


def part_number(task: int, kind: str, place: int, digest: str, salt: int = 0) -> int:
    """Number of an imported annotation or prediction: the same whenever the same row is imported again."""
    name = f"{task}\0{kind}\0{place}\0{digest}\0{salt}"
    return (int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) >> 11) or 1


def fingerprint(*parts: object) -> str:
    """Tells requests apart; a short hash."""
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def imported_annotation(number: int, task: int, project: int, item: Mapping[str, Any], now: float) -> Annotation:
    """The annotation in a file of tasks. What it says of ids and times is another system's; what is odd is left out."""
    by = item.get("completed_by")
    person = _whole(by.get("id") if isinstance(by, Mapping) else by)
    return Annotation(
        id=number,
        task=task,
        project=project,
        result=orjson.dumps(item.get("result", [])),
        completed_by=person,
        updated_by=person,
        was_cancelled=bool(item.get("was_cancelled")),
        ground_truth=bool(item.get("ground_truth")),
        lead_time=_real(item.get("lead_time")),
        unique_id=item["unique_id"][:200] if isinstance(item.get("unique_id"), str) else None,
        created_at=now,
        updated_at=now,
    )


def imported_prediction(number: int, task: int, project: int, item: Mapping[str, Any], now: float) -> Prediction:
    """The prediction in a file of tasks."""
    version = item.get("model_version")
    return Prediction(
        id=number,
        task=task,
        project=project,
        result=orjson.dumps(item.get("result", [])),
        model_version=None if version is None else str(version)[:500],
        score=_real(item.get("score")),
        cluster=_whole(item.get("cluster")),
        neighbors=item.get("neighbors"),
        created_at=now,
        updated_at=now,
    )


_PEOPLE = ("completed_by", "updated_by", "last_created_by")
_NUMBERS = ("import_id", "parent_prediction", "parent_annotation")
_FLAGS = ("was_cancelled", "ground_truth", "bulk_created")


def clean_annotation(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request that it holds, checked. Raises `InvalidInputError` naming every bad field."""
    checked = _Checked(given)
    checked.result()
    for name in (*_PEOPLE, *_NUMBERS):
        checked.whole(name)
    for name in _FLAGS:
        checked.flag(name)
    checked.real("lead_time")
    checked.text("unique_id", 200)
    checked.text("last_action", 128)
    checked.moment("draft_created_at")
    return checked.done()


def clean_prediction(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request that it holds, checked. Raises `InvalidInputError` naming every bad field."""
    checked = _Checked(given)
    checked.result()
    for name in ("cluster", "model", "model_run"):
        checked.whole(name)
    checked.real("score")
    checked.real("mislabeling")
    checked.text("model_version", 500)
    checked.opaque("neighbors")
    if checked.values.get("mislabeling", 0.0) is None:
        checked.values["mislabeling"] = 0.0
    return checked.done()


class _Checked:
    """Collects good values and problems, field by field."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self.values: dict[str, Any] = {}
        self._problems: dict[str, list[str]] = {}

    def done(self) -> dict[str, Any]:
        if self._problems:
            raise InvalidInputError(fields=self._problems)
        return self.values

    def result(self) -> None:
        if "result" not in self._given:
            return
        value = self._given["result"]
        if not isinstance(value, list):
            self._problems["result"] = ["The result must be a list of regions."]
            return
        try:
            body = orjson.dumps(value)
        except orjson.JSONEncodeError:
            self._problems["result"] = [UNWRITABLE]
            return
        if len(body) > MAX_RESULT_BYTES:
            self._problems["result"] = [f"A result of {len(body)} bytes; the limit is {MAX_RESULT_BYTES}."]
            return
        self.values["result"] = body

    def opaque(self, name: str) -> None:
        if name in self._given:
            value = self._given[name]
            try:
                orjson.dumps([value])  # one level in, as it is stored
            except orjson.JSONEncodeError:
                self._problems[name] = [UNWRITABLE]
            self.values[name] = value

    def whole(self, name: str) -> None:
        if name in self._given:
            value = self._given[name]
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**53):
                self._problems[name] = ["A valid integer is required."]
            self.values[name] = value

    def real(self, name: str) -> None:
        if name in self._given:
            value = self._given[name]
            if value is not None and _real(value) is None:
                self._problems[name] = ["A valid number is required."]
            self.values[name] = _real(value)

    def flag(self, name: str) -> None:
        if name in self._given:
            value = self._given[name]
            if not isinstance(value, bool | None):
                self._problems[name] = ["Must be a valid boolean."]
            self.values[name] = bool(value)

    def text(self, name: str, limit: int) -> None:
        if name in self._given:
            value = self._given[name]
            if value is not None and (not isinstance(value, str) or "\0" in value or not _encodable(value)):
                self._problems[name] = ["Not a valid string."]
            elif value is not None and len(value) > limit:
                self._problems[name] = [f"Ensure this field has no more than {limit} characters."]
            self.values[name] = value

    def moment(self, name: str) -> None:
        if name in self._given:
            value = self._given[name]
            try:
                self.values[name] = None if value is None else seconds(value)
            except (ValueError, TypeError, OverflowError):
                self._problems[name] = ["Write a time like 2026-01-31T12:00:00Z."]


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else None


def _real(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) <= 1e308 else None  # neither infinite nor NaN
