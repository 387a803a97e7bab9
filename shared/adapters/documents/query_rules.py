"""What is a query: one rule for every adapter, so that all refuse the same."""

from collections.abc import Sequence
from math import isfinite

from shared.adapters.documents.values import MAX_INT, MIN_INT, is_collection_name, is_field_name
from shared.ports import Filter, Query

_OPERATORS = frozenset(("==", "<", "<=", ">", ">="))


def check_query(query: Query) -> None:
    """Raises `ValueError` for what is no query, by the rules of `Query`."""
    check_where(query.collection, query.where)
    if query.limit < 1:
        raise ValueError("A query's limit is at least 1.")
    for item in query.where:
        if item.op != "==" and (not query.order or bare(query.order[0]) != item.field):
            raise ValueError(f"A query with an inequality on {item.field} orders by it first.")
    check_fields(list(map(bare, query.order)))
    check_fields(query.select or ())
    if query.after is not None and len(query.after) != len(query.order) + 1:
        raise ValueError("A cursor holds a value for each ordered field, and the id.")


def check_where(collection: str, where: Sequence[Filter]) -> None:
    """The part of the rules that counts and sums obey too."""
    if not is_collection_name(collection):
        raise ValueError(f"{collection!a} can't be a collection's name.")
    for name, op, value in where:
        check_fields((name,))
        if op not in _OPERATORS:
            raise ValueError(f"There is no operator {op!a}.")
        if op != "==" and value is None:
            raise ValueError(f"The filter on {name} compares with None, which has no order.")
        if not _comparable(value):
            raise ValueError(f"A query can't compare {name} with this value of type {type(value).__name__}.")


def check_fields(names: Sequence[str]) -> None:
    """Raises `ValueError` for what can't be a field's name."""
    for name in names:
        if not is_field_name(name):
            raise ValueError(f"{name!a} can't be a field's name.")


def equal_fields(where: Sequence[Filter]) -> frozenset[str]:
    """The fields that a query fixes; they do not order its documents."""
    return frozenset(item.field for item in where if item.op == "==")


def bare(field: str) -> str:
    """The name in an entry of `Query.order`."""
    return field.removeprefix("-")


def _comparable(value: object) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, str):
        return _encodable(value)
    if isinstance(value, int):
        return MIN_INT <= value <= MAX_INT
    return isinstance(value, float) and isfinite(value)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
