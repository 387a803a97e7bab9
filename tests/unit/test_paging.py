"""Numbered pages over cursors."""

import random

import pytest

from shared.adapters.documents.indexes import Index
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.ports import Create, Delete, Document, Filter, Query, Ref
from shared.services import paging
from shared.services.paging import LIFE, Pages

QUERY = Query(collection="things", where=(Filter("kind", "==", 1),), order=("at",), limit=3)


@pytest.fixture
def documents():
    store = SqliteDocuments(":memory:", indexes=[Index("things", ("kind", "at"))])
    store.commit([Create(Ref("things", f"{n:02d}"), {"kind": 1, "at": n // 2, "n": n}) for n in range(20)])
    yield store
    store.close()


def numbers(page: list[Document]) -> list[int]:
    return [document.data["n"] for document in page]


def test_any_page_in_any_order(documents: SqliteDocuments, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paging, "STRIDE", 4)
    rng = random.Random(1)
    for _ in range(20):
        pages = Pages()
        for page in rng.choices(range(1, 10), k=8):
            found = pages.read(documents, QUERY, page, lambda: 20)
            assert numbers(found) == list(range(20))[(page - 1) * 3 : page * 3]


def test_a_page_far_behind_the_end_costs_nothing(documents: SqliteDocuments):
    assert Pages().read(documents, QUERY, 10**17, lambda: 20) == []


def test_a_count_that_is_too_high_is_no_harm(documents: SqliteDocuments):
    assert Pages().read(documents, QUERY, 9, lambda: 1000) == []


def test_deleting_what_was_read_does_not_hide_what_follows(documents: SqliteDocuments):
    pages, seen = Pages(), []
    for page in range(1, 8):
        found = pages.read(documents, QUERY, page, lambda: 0)
        seen += numbers(found)
        documents.commit([Delete(document.ref, None) for document in found])
    assert seen == list(range(20))


def test_cursors_grow_old_and_are_bounded(documents: SqliteDocuments, monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    pages = Pages(lambda: now[0])
    for page in range(1, 5):
        pages.read(documents, QUERY, page, lambda: 20)
    documents.commit([Delete(Ref("things", f"{n:02d}"), None) for n in range(3)])
    assert numbers(pages.read(documents, QUERY, 3, lambda: 17)) == [6, 7, 8]
    now[0] = LIFE + 1
    assert numbers(pages.read(documents, QUERY, 3, lambda: 17)) == [9, 10, 11]

    monkeypatch.setattr(paging, "MAX_LISTS", 2)
    monkeypatch.setattr(paging, "MAX_PAGES", 2)
    for limit in range(1, 5):
        for page in range(1, 4):
            pages.read(documents, Query(collection="things", order=("at",), limit=limit), page, lambda: 17)
    assert len(pages._lists) == 2
    assert all(len(known) <= 2 for known in pages._lists.values())
