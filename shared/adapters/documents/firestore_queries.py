"""Turns a `Query` into Firestore's structured query."""

from typing import Any

from shared.adapters.documents.firestore_wire import NAME_FIELD, Names, StructuredQuery, write_value
from shared.adapters.documents.query_rules import bare, check_query, check_where, equal_fields
from shared.ports import Filter, Query, Ref

_OPERATORS = {"<": 1, "<=": 2, ">": 3, ">=": 4, "==": 5}
_IS_NULL = 3
_ALL_OF = 1
_ASCENDING, _DESCENDING = 1, 2


def page_query(names: Names, query: Query) -> Any:
    """The structured query of a page. Raises `ValueError` for what is no query."""
    check_query(query)
    message = _matching(query)
    fixed = equal_fields(query.where)
    # Firestore refuses an order by what an equality fixes, and it would not order anything.
    order = [(position, field) for position, field in enumerate(query.order) if bare(field) not in fixed]
    for _, field in order:
        message.order_by.add(field={"field_path": bare(field)}, direction=_direction(field))
    # Spelt out, since a cursor may name the document only where the order does.
    message.order_by.add(
        field={"field_path": NAME_FIELD}, direction=_direction((*query.order, "")[len(query.order) - 1])
    )
    if query.after is not None:
        for position, _ in order:
            write_value(message.start_at.values.add(), query.after[position])
        message.start_at.values.add().reference_value = names.of(Ref(query.collection, query.after[-1]))
        message.start_at.before = False
    if query.select is not None:
        for name in query.select or (NAME_FIELD,):
            message.select.fields.add(field_path=name)
    message.limit.value = query.limit
    return message


def matching_query(query: Query) -> Any:
    """The structured query that all matching documents answer, for counts and sums."""
    check_where(query.collection, query.where)
    return _matching(query)


def _matching(query: Query) -> Any:
    message = StructuredQuery()
    message.from_.add(collection_id=query.collection)
    if len(query.where) == 1:
        _filter(message.where, query.where[0])
    elif query.where:
        message.where.composite_filter.op = _ALL_OF
        for item in query.where:
            _filter(message.where.composite_filter.filters.add(), item)
    return message


def _filter(message: Any, item: Filter) -> None:
    if item.value is None:
        message.unary_filter.op = _IS_NULL
        message.unary_filter.field.field_path = item.field
        return
    message.field_filter.field.field_path = item.field
    message.field_filter.op = _OPERATORS[item.op]
    write_value(message.field_filter.value, item.value)


def _direction(field: str) -> int:
    return _DESCENDING if field.startswith("-") else _ASCENDING
