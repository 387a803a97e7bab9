"""Turns a `Query` into SQL that the declared indexes serve.

Values are bound; names of fields and collections stand in the text, because the expressions of an index and the
condition of a partial index must be met literally, and are therefore checked to be identifiers.

A page behind a cursor is read by several statements, one per column in which the next document may first differ from
the cursor's: SQLite bounds each of them by the index, which it doesn't do for row values made of expressions.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from typing import Any, NamedTuple

import orjson

from shared.adapters.documents.indexes import Index, fitting
from shared.adapters.documents.query_rules import bare, check_query, check_where, equal_fields
from shared.adapters.documents.sqlite_codec import BYTES_MEMBER, escape
from shared.adapters.documents.values import MAX_INT, MIN_INT, is_collection_name, is_field_name
from shared.ports import Filter, Query

_LEAST = "-9e999"
"""Minus infinity, below every value but NULL: `>=` it bounds an index where `IS NOT NULL` would not."""


class Statement(NamedTuple):
    """A SELECT without its LIMIT, and the values bound to it."""

    sql: str
    values: tuple[Any, ...]


class _Term(NamedTuple):
    sql: str
    values: tuple[Any, ...] = ()


def index_statement(index: Index) -> str:
    """The DDL of a declared index."""
    columns = [_extract(bare(field)) + _direction(field) for field in index.fields]
    terms = [f"collection = '{_collection(index.collection)}'", *(_present(bare(field)) for field in index.fields)]
    return (
        f'CREATE INDEX "{index.name}" ON documents'
        f" ({', '.join(columns)}, id{_direction(index.fields[-1])}) WHERE {' AND '.join(terms)}"
    )


def page_statements(query: Query, indexes: Sequence[Index]) -> Iterator[Statement]:
    """Reads id, revision, fields and bytes; the results, one behind the other, are the page (and what follows it)."""
    check_query(query)
    equal = equal_fields(query.where)
    # What is fixed does not order; SQLite does not see that for expressions.
    order = [field for field in query.order if bare(field) not in equal]
    id_descends = bool(query.order) and query.order[-1].startswith("-")
    source = _source(query.collection, fitting(indexes, query.collection, equal, order, id_descends=id_descends))
    terms = _filters(query, map(bare, order))
    select = f"SELECT {_columns(query.select)} FROM {source}"  # noqa: S608 - nothing but checked names
    by_id = "id DESC" if id_descends else "id"
    for more, rest in _segments(query, order, id_descends=id_descends):
        by = ", ".join([*(_extract(bare(field)) + _direction(field) for field in rest), by_id])
        yield _statement(select, [*terms, *more], f" ORDER BY {by}")


def count_statement(query: Query, indexes: Sequence[Index]) -> Statement:
    """Counts what matches."""
    return _aggregate("count(*)", query, indexes)


def sum_statement(query: Query, fields: Sequence[str], indexes: Sequence[Index]) -> Statement:
    """Sums each field over what matches."""
    return _aggregate(", ".join(f"coalesce(sum({_extract(_field(name))}), 0)" for name in fields), query, indexes)


def _aggregate(columns: str, query: Query, indexes: Sequence[Index]) -> Statement:
    check_where(query.collection, query.where)
    equal = equal_fields(query.where)
    ranges = list(dict.fromkeys(item.field for item in query.where if item.field not in equal))
    index = fitting(indexes, query.collection, equal, ranges, id_descends=False) or fitting(
        indexes, query.collection, equal, ranges, id_descends=True
    )
    select = f"SELECT {columns} FROM {_source(query.collection, index)}"  # noqa: S608 - nothing but checked names
    return _statement(select, _filters(query))


def _statement(start: str, terms: Sequence[_Term], end: str = "") -> Statement:
    sql = "".join(f" AND {term.sql}" for term in terms)
    return Statement(start + sql + end, tuple(value for term in terms for value in term.values))


def _source(collection: str, index: Index | None) -> str:
    # Without statistics the planner may prefer the primary key for a part of the shapes that an index serves.
    hint = f' INDEXED BY "{index.name}"' if index else ""
    return f"documents{hint} WHERE collection = '{_collection(collection)}'"


def _columns(select: Sequence[str] | None) -> str:
    if select is None:
        return "id, revision, fields, blobs"
    if not select:
        return "id, revision, '{}', NULL"
    # Large values lie in pages of their own: read only if wanted.
    wanted = (f"json_type(fields, '$.\"{BYTES_MEMBER}\".{_field(name)}') IS NOT NULL" for name in select)
    return f"id, revision, fields, CASE WHEN {' OR '.join(wanted)} THEN blobs END"


def _filters(query: Query, ordered: Iterable[str] = ()) -> list[_Term]:
    names = dict.fromkeys((*(item.field for item in query.where), *ordered))
    return [*(_Term(_present(name)) for name in names), *map(_filter, query.where)]


def _filter(item: Filter) -> _Term:
    name, op, value = item
    term = _equal(name, value) if op == "==" else _compare(name, op, value)
    types = _types(op, value)
    return _Term(f"{term.sql} AND json_type(fields, '$.{name}') {types}", term.values) if types else term


def _types(op: str, value: object) -> str:
    """The condition on the type, where SQLite would mix types that differ: true is 1 to it and a list its JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "IN ('true', 'false')"
    if isinstance(value, str):
        return "= 'text'" if op != "==" or value.startswith("[") else ""
    return "IN ('integer', 'real')" if op != "==" or value in (0, 1) else ""


def _segments(query: Query, order: Sequence[str], *, id_descends: bool) -> list[tuple[list[_Term], Sequence[str]]]:
    """Conditions that follow one another, each with the fields that still order its documents."""
    if query.after is None:
        return [([], order)]
    values = dict(zip(query.order, query.after, strict=False))
    segments: list[tuple[list[_Term], Sequence[str]]] = []
    same: list[_Term] = []
    for position, field in enumerate(order):
        name, value = bare(field), values[field]
        behind: list[tuple[list[_Term], Sequence[str]]] = []
        if not field.startswith("-"):
            term = _Term(f"{_extract(name)} >= {_LEAST}") if value is None else _compare(name, ">", value)
            behind.append(([*same, term], order[position:]))
        elif value is not None:
            behind.append(([*same, _compare(name, "<", value)], order[position:]))
            behind.append(([*same, _equal(name, None)], order[position + 1 :]))
        segments[:0] = behind
        same.append(_equal(name, value))
    last = _Term(f"id {'<' if id_descends else '>'} ?", (query.after[-1],))
    return [([*same, last], ()), *segments]


def _equal(name: str, value: object) -> _Term:
    return _Term(f"{_extract(name)} IS NULL") if value is None else _compare(name, "=", value)


def _compare(name: str, op: str, value: object) -> _Term:
    if isinstance(value, bool):
        return _Term(f"{_extract(name)} {op} ?", (int(value),))
    if isinstance(value, str):
        return _Term(f"{_extract(name)} {op} ?", (escape(value),))
    if isinstance(value, int) and MIN_INT <= value <= MAX_INT:
        return _Term(f"{_extract(name)} {op} ?", (int(value),))
    if isinstance(value, float) and isfinite(value):
        # Read from the same digits as the field is, so that equal stays equal to the last bit. (The affinity that a
        # CAST has would keep the index from being used.)
        return _Term(f"{_extract(name)} {op} json_extract(?, '$')", (orjson.dumps(value).decode(),))
    raise ValueError(f"A query can't compare {name} with this value of type {type(value).__name__}.")


def _extract(name: str) -> str:
    return f"json_extract(fields, '$.{_field(name)}')"


def _present(name: str) -> str:
    return f"json_type(fields, '$.{_field(name)}') IS NOT NULL"


def _direction(field: str) -> str:
    return " DESC" if field.startswith("-") else ""


def _field(name: str) -> str:
    if not is_field_name(name):
        raise ValueError(f"{name!a} can't be a field's name.")
    return name


def _collection(name: str) -> str:
    if not is_collection_name(name):
        raise ValueError(f"{name!a} can't be a collection's name.")
    return name
