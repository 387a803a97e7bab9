"""Which tasks of a project, in which order: the filters and orderings of the data manager's queries, as pure rules.

A query is JSON: `{"filters": {"conjunction": "and", "items": [{"filter": "filter:tasks:id", "operator": "equal",
"type": "Number", "value": 1}]}, "ordering": ["-tasks:created_at"], "selectedItems": {"all": true, "excluded": []}}`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import re2

from shared.errors import InvalidInputError
from shared.model.times import seconds

NUMBERS = ("total_annotations", "cancelled_annotations", "total_predictions", "id")
MOMENTS = ("created_at", "updated_at")
COLUMNS = (*NUMBERS, *MOMENTS, "storage_filename")
"""What tasks can be filtered and ordered by, besides `data.<key>`."""
MAX_FILTERS = 20
"""Of one query; orders too."""
Row = Mapping[str, Any]
"""The columns of one task."""
Test = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for. Equal text, equal selection: it may be used as a key."""

    text: str
    tests: tuple[tuple[str, Test], ...] = ()
    any_of: bool = False
    ordering: tuple[tuple[str, bool], ...] = ()
    """(column, descending)"""
    included: frozenset[int] | None = None
    excluded: frozenset[int] = frozenset()
    only_annotated: bool = False

    @classmethod
    def chosen(cls, items: Any) -> "Selection":
        """What `selected_items` of a body says. Raises `InvalidInputError`."""
        included, excluded = _chosen("selected_items", items)
        return cls(text=repr((included, excluded)), included=included, excluded=excluded)

    @property
    def columns(self) -> frozenset[str]:
        """What has to be known of a task."""
        return frozenset([*(column for column, _ in self.tests), *(column for column, _ in self.ordering)])

    def takes(self, row: Row) -> bool:
        """Whether the task is one of them."""
        number = row["id"]
        if number in self.excluded or (self.included is not None and number not in self.included):
            return False
        if self.only_annotated and not row["total_annotations"]:
            return False
        results = (test(row.get(column)) for column, test in self.tests)
        return not self.tests or (any(results) if self.any_of else all(results))

    def sort(self, rows: list[Row]) -> None:
        """Orders tasks that are in the order of their source; what has no value comes last, in either direction."""
        for column, descending in reversed(self.ordering):
            rows.sort(key=lambda row, c=column: _sortable(row.get(c)), reverse=descending)  # type: ignore[misc]
            rows.sort(key=lambda row, c=column: row.get(c) is None)  # type: ignore[misc]


def parse(query: str | None, selected: str | None, *, only_annotated: bool, ordering: str | None = None) -> Selection:
    """The selection of a request. Raises `InvalidInputError` in words for what is not understood."""
    asked = _object("query", query)
    filters = asked.get("filters") or {}
    items = filters.get("items") or [] if isinstance(filters, dict) else None
    if not isinstance(items, list) or len(items) > MAX_FILTERS:
        raise InvalidInputError.of("query", f"filters.items must be a list of at most {MAX_FILTERS} filters.")
    conjunction = filters.get("conjunction") or "and"
    if conjunction not in ("and", "or"):
        raise InvalidInputError.of("query", "filters.conjunction must be and or or.")
    orders = asked.get("ordering") or ([ordering] if ordering else [])
    if not isinstance(orders, list) or len(orders) > MAX_FILTERS:
        raise InvalidInputError.of("query", f"ordering must be a list of at most {MAX_FILTERS} columns.")
    chosen = _object("selectedItems", selected) or asked.get("selectedItems") or {}
    included, excluded = _chosen("selectedItems", chosen)
    return Selection(
        text=repr((query, selected, only_annotated, ordering)),
        tests=tuple(_test(item) for item in items),
        any_of=conjunction == "or",
        ordering=tuple(_order(name) for name in orders),
        included=included,
        excluded=excluded,
        only_annotated=only_annotated,
    )


def _object(name: str, text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError.of(name, f"Not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInputError.of(name, "Write a JSON object.")
    return value


def _chosen(name: str, chosen: Any) -> tuple[frozenset[int] | None, frozenset[int]]:
    if not isinstance(chosen, dict):
        raise InvalidInputError.of(name, "Write an object with all, and excluded or included.")
    lists = {name: chosen.get(name) or [] for name in ("included", "excluded")}
    for which, numbers in lists.items():
        if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
            raise InvalidInputError.of(name, f"{which} must be a list of numbers.")
    everything = chosen.get("all", True)
    return (None if everything else frozenset(lists["included"])), frozenset(lists["excluded"] if everything else ())


def _column(name: Any) -> str:
    text = name if isinstance(name, str) else ""
    column = text.removeprefix("filter:").removeprefix("tasks:")
    if column in COLUMNS or (column.startswith("data.") and len(column) > 5):
        return column
    known = ", ".join(COLUMNS)
    raise InvalidInputError.of("query", f'There is no column "{text[:60]}": take one of {known}, or data.<key>.')


def _order(name: Any) -> tuple[str, bool]:
    text = name if isinstance(name, str) else ""
    return _column(text.removeprefix("-")), text.startswith("-")


def _test(item: Any) -> tuple[str, Test]:
    if not isinstance(item, dict):
        raise InvalidInputError.of("query", "A filter must be an object with filter, operator, type and value.")
    column = _column(item.get("filter"))
    operator, value = item.get("operator"), item.get("value")
    operator = operator if isinstance(operator, str) else ""
    convert = _converter(column, item.get("type"))
    if operator == "empty":
        wanted = value in (True, "true", "True")
        return column, lambda found: (found in (None, "", [], {})) == wanted
    if operator in {"in", "not_in"}:
        low, high = _bounds(value, convert)
        not_below = _SIMPLE["greater_or_equal"]

        def inside(found: Any) -> bool:
            number = _same(convert, found)
            return not_below(number, low) and not_below(high, number)

        return column, inside if operator == "in" else lambda found: not inside(found)
    if operator in {"in_list", "not_in_list"}:
        values = value if isinstance(value, list) else [value]
        members = [_converted(convert, one) for one in values]
        return column, (
            (lambda found: _same(convert, found) in members)
            if operator == "in_list"
            else (lambda found: _same(convert, found) not in members)
        )
    if operator == "regex":
        return column, _regex(value)
    simple = _SIMPLE.get(operator)
    if simple is None:
        raise InvalidInputError.of("query", f'There is no operator "{operator[:30]}".')
    if operator in {"contains", "not_contains"}:
        convert = _text
    right = _converted(convert, value)
    return column, lambda found: simple(_same(convert, found), right)


def _compare(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def safe(left: Any, right: Any) -> bool:
        try:
            return left is not None and compare(left, right)
        except TypeError:
            return False

    return safe


_SIMPLE: Mapping[str, Callable[[Any, Any], bool]] = {
    "equal": lambda left, right: left == right,
    "not_equal": lambda left, right: left != right,
    "less": _compare(lambda left, right: left < right),
    "greater": _compare(lambda left, right: left > right),
    "less_or_equal": _compare(lambda left, right: left <= right),
    "greater_or_equal": _compare(lambda left, right: left >= right),
    "contains": _compare(lambda left, right: right in left),
    "not_contains": lambda left, right: left is None or right not in left,
}


def _converter(column: str, kind: Any) -> Callable[[Any], Any]:
    if column in MOMENTS:
        return _moment
    if column in NUMBERS or kind == "Number":
        return float
    return _text if column == "storage_filename" or kind == "String" else _plain


def _moment(value: Any) -> float:
    return round(float(value) if isinstance(value, int | float) else seconds(value), 6)  # as precise as it is shown


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _plain(value: Any) -> Any:
    return value


def _converted(convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return None if value is None else convert(value)
    except (TypeError, ValueError, OverflowError):
        shown = f": {value[:60]!r}" if isinstance(value, str) else ""
        raise InvalidInputError.of("query", f"A filter's value does not fit its column{shown}.") from None


def _same(convert: Callable[[Any], Any], found: Any) -> Any:
    try:
        return None if found is None else convert(found)
    except (TypeError, ValueError, OverflowError):
        return None


def _bounds(value: Any, convert: Callable[[Any], Any]) -> tuple[Any, Any]:
    if not isinstance(value, dict) or "min" not in value or "max" not in value:
        raise InvalidInputError.of("query", 'The value of "in" must be an object with min and max.')
    low, high = _converted(convert, value["min"]), _converted(convert, value["max"])
    if low is None or high is None or type(low) is not type(high):
        raise InvalidInputError.of("query", "min and max must be of the kind of the column.")
    return low, high


def _regex(value: Any) -> Test:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    try:
        pattern = re2.compile(_converted(_text, value) or "", options)
    except re2.error:
        raise InvalidInputError.of("query", "The filter's pattern is not a valid RE2 pattern.") from None
    return lambda found: found is not None and bool(pattern.search(_text(found)))


def _sortable(value: Any) -> tuple[int, Any]:
    """Numbers before texts before anything else, and never an error."""
    if isinstance(value, bool | int | float):
        return 0, value
    if isinstance(value, str):
        return 1, value
    return (2, "") if value is None else (1, _text(value))


def columns_of(columns: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The stored fields that columns are read from, and the keys of task data among them."""
    keys = frozenset(column.removeprefix("data.") for column in columns if column.startswith("data."))
    names = {"key" if column == "storage_filename" else column for column in columns if not column.startswith("data.")}
    return frozenset(names - {"id"}), keys
