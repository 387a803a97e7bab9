"""The SQLite store's indexes: read from their declaration, kept up to date, and really used."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.documents.indexes import Index, load_indexes
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.adapters.documents.sqlite_queries import Statement, count_statement, page_statements, sum_statement
from shared.ports import Create, Filter, Query, Ref

INDEXES = [
    Index("things", ("kind",)),
    Index("things", ("kind", "state")),
    Index("things", ("kind", "state", "-priority")),
    Index("things", ("due", "-priority")),
    Index("things", ("kind", "due", "state")),
    Index("others", ("kind", "state")),
]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "documents.db")


@pytest.fixture
def documents(path: str) -> Iterator[SqliteDocuments]:
    store = SqliteDocuments(path, indexes=INDEXES)
    yield store
    store.close()


def _plan(path: str, statement: Statement) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        # Its own words, last column: e.g. SEARCH documents USING INDEX things(kind) (<expr>=? AND id>?)
        return [row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values)]
    finally:
        connection.close()


def _where(*fields: str, **more: Any) -> tuple[Filter, ...]:
    return tuple(Filter(field, "==", "x") for field in fields) + tuple(
        Filter(field, "==", value) for field, value in more.items()
    )


@pytest.mark.parametrize(
    ("index", "parts"),
    [
        ("things(kind)", {"where": _where("kind")}),
        ("things(kind)", {"where": _where("kind"), "after": ("b",)}),
        ("things(kind)", {"where": _where(kind=None), "after": ("b",)}),
        ("things(kind)", {"where": _where(kind=True), "select": ()}),
        ("things(kind)", {"where": _where(kind="[1")}),
        ("things(kind)", {"where": _where("kind"), "order": ("-kind",), "after": ("x", "b")}),
        ("things(kind)", {"order": ("kind",), "after": (None, "b")}),
        ("things(kind)", {"order": ("-kind",), "after": (1.5, "b")}),
        ("things(kind,state)", {"where": _where("state", "kind"), "select": ("data",)}),
        ("things(kind,state)", {"where": _where("kind", state=0), "after": ("b",)}),
        ("things(kind,state,-priority)", {"where": _where("kind", "state"), "order": ("-priority",)}),
        ("things(kind,state,-priority)", {"where": _where("kind", "state"), "order": ("priority",)}),
        (
            "things(kind,state,-priority)",
            {"where": _where("kind", "state"), "order": ("-priority",), "after": (1, "b")},
        ),
        ("things(kind,state,-priority)", {"where": _where("kind", "state"), "order": ("priority",), "after": (1, "b")}),
        (
            "things(kind,state,-priority)",
            {"where": (*_where("kind", "state"), Filter("priority", "<=", 3)), "order": ("-priority",)},
        ),
        ("things(due,-priority)", {"order": ("due", "-priority")}),
        ("things(due,-priority)", {"order": ("-due", "priority")}),
        ("things(due,-priority)", {"order": ("due", "-priority"), "after": (1.5, True, "b")}),
        ("things(due,-priority)", {"order": ("-due", "priority"), "after": (1, None, "b")}),
        ("things(due,-priority)", {"where": (Filter("due", "<", 3),), "order": ("due", "-priority")}),
        ("things(kind,due,state)", {"where": _where("kind"), "order": ("due", "state"), "after": (1, "x", "b")}),
    ],
    ids=repr,
)
def test_declared_queries_use_their_index(
    documents: SqliteDocuments, path: str, index: str, parts: dict[str, Any]
) -> None:
    query = Query(collection="things", **parts)
    statements = list(page_statements(query, INDEXES))
    for number, statement in enumerate(statements):
        (step,) = _plan(path, statement)
        assert f"USING INDEX {index}" in step
        # Only a page without filter and cursor begins at the index's start.
        bounded = bool(query.where) or query.after is not None
        assert step.startswith("SEARCH" if bounded else "SCAN"), (number, step)
    documents.query(query)


def test_pages_by_id_use_the_primary_key(documents: SqliteDocuments, path: str) -> None:
    (statement,) = page_statements(Query(collection="things", after=("b",)), INDEXES)
    (step,) = _plan(path, statement)
    assert "(collection=? AND id>?)" in step


@pytest.mark.parametrize(
    ("index", "filters"),
    [
        ("things(kind)", _where("kind")),
        ("things(kind,state)", _where("kind", "state")),
        ("things(kind,state,-priority)", (*_where("kind", "state"), Filter("priority", ">", 3))),
    ],
)
def test_counts_and_sums_use_an_index(
    documents: SqliteDocuments, path: str, index: str, filters: tuple[Filter, ...]
) -> None:
    query = Query(collection="things", where=filters)
    for statement in (count_statement(query, INDEXES), sum_statement(query, ["n"], INDEXES)):
        (step,) = _plan(path, statement)
        assert step.startswith(f"SEARCH documents USING INDEX {index} ")


def test_what_is_not_declared_is_found_too(documents: SqliteDocuments) -> None:
    documents.commit([Create(Ref("any", f"{n}"), {"n": n % 3, "m": -n}) for n in range(9)])
    query = Query(collection="any", where=(Filter("n", ">", 0),), order=("-n", "m"), limit=4)
    first = documents.query(query)
    more = documents.query(Query(**{**_parts(query), "after": query.cursor(first[-1])}))
    assert [document.ref.id for document in first + more] == ["8", "5", "2", "7", "4", "1"]
    assert documents.count(query) == 6


def _parts(query: Query) -> dict[str, Any]:
    return {name: getattr(query, name) for name in Query.__slots__}


def test_indexes_are_read_from_firestores_declaration(tmp_path: Path) -> None:
    file = tmp_path / "indexes.json"
    kind, due = {"fieldPath": "kind", "order": "ASCENDING"}, {"fieldPath": "due", "order": "DESCENDING"}
    exempt = {"collectionGroup": "things", "fieldPath": "*", "indexes": []}
    single = {"queryScope": "COLLECTION", "order": "ASCENDING"}
    declared = {
        "indexes": [
            {"collectionGroup": "things", "queryScope": "COLLECTION", "fields": [kind, due]},
            {
                "collectionGroup": "others",
                "queryScope": "COLLECTION",
                "fields": [kind, {"fieldPath": "__name__", "order": "ASCENDING"}],
            },
        ],
        "fieldOverrides": [
            exempt,
            {"collectionGroup": "things", "fieldPath": "kind", "indexes": [single, {**single, "order": "DESCENDING"}]},
        ],
    }
    file.write_text(json.dumps(declared))
    assert load_indexes(file) == [
        Index("things", ("kind", "-due")),
        Index("others", ("kind",)),
        Index("things", ("kind",)),
    ]
    for field in ({"fieldPath": "a'b", "order": "ASCENDING"}, {"fieldPath": "a", "arrayConfig": "CONTAINS"}):
        file.write_text(json.dumps({"indexes": [{"collectionGroup": "things", "fields": [field]}]}))
        with pytest.raises(ValueError, match="can't be indexed"):
            load_indexes(file)


def test_the_indexes_follow_the_declaration(path: str) -> None:
    def existing() -> set[str]:
        connection = sqlite3.connect(path)
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql NOT NULL").fetchall()
        connection.close()
        return {name for (name,) in rows}

    for indexes in (INDEXES[:3], INDEXES[2:], INDEXES, []):
        store = SqliteDocuments(path, indexes=indexes)
        store.close()
        assert existing() == {index.name for index in indexes}
