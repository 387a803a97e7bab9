"""What every document store must do: queries, counts and sums. Goes on from `documents`."""

from collections.abc import Iterable
from typing import Any, ClassVar

import pytest

from shared.adapters.documents.indexes import Index
from shared.ports import Create, Delete, Document, DocumentStore, Filter, Query, Ref, Update, Value
from tests.conformance.documents import put

INDEXES = [
    Index("things", ("n",)),
    Index("things", ("kind",)),
    Index("things", ("flag",)),
    Index("things", ("kind", "flag")),
    Index("things", ("kind", "n")),
    Index("things", ("kind", "flag", "-n")),
    Index("things", ("kind", "n", "name")),
    Index("things", ("n", "-name")),
    Index("things", ("name",)),
]
"""What the queries here need."""


def fill(documents: DocumentStore, rows: Iterable[dict[str, Value]], collection: str = "things") -> None:
    """Ids are a, b, c, ..."""
    documents.commit([Create(Ref(collection, chr(ord("a") + n)), row) for n, row in enumerate(rows)])


def ids(found: Iterable[Document]) -> str:
    return "".join(document.ref.id for document in found)


def pages(documents: DocumentStore, limit: int, **parts: Any) -> list[list[Document]]:
    """All pages, to the first that is short."""
    found: list[list[Document]] = []
    after = None
    while True:
        query = Query(collection="things", limit=limit, after=after, **parts)
        found.append(documents.query(query))
        if len(found[-1]) < limit:
            return found
        after = query.cursor(found[-1][-1])


def where(*filters: tuple[str, Any, Value]) -> tuple[Filter, ...]:
    return tuple(Filter(field, op, value) for field, op, value in filters)  # type: ignore[arg-type]


class QueryContract:
    def test_nothing_there(self, documents: DocumentStore) -> None:
        assert documents.query(Query(collection="things")) == []
        assert documents.count(Query(collection="things")) == 0
        assert documents.sum(Query(collection="things"), ["n", "m"]) == {"n": 0, "m": 0}

    def test_a_collection_in_the_order_of_ids(self, documents: DocumentStore) -> None:
        for name in ("b", "a", "c", "B"):
            put(documents, Ref("things", name))
        put(documents, Ref("others", "x"))
        assert ids(documents.query(Query(collection="things"))) == "Babc"
        assert ids(documents.query(Query(collection="things", limit=2))) == "Ba"

    @pytest.mark.parametrize(("op", "expected"), [("==", "bc"), ("<", "a"), ("<=", "abc"), (">", "de"), (">=", "bcde")])
    @pytest.mark.parametrize("values", [[1, 2, 2, 3, 4], [1.5, 2.5, 2.5, 3.5, 4], ["1", "2", "2", "3", "30"]])
    def test_operators(self, documents: DocumentStore, op: str, expected: str, values: list[Any]) -> None:
        fill(documents, [*({"n": value} for value in values), {"n": None}, {"m": 1}])
        query = Query(collection="things", where=where(("n", op, values[1])), order=() if op == "==" else ("n",))
        assert ids(documents.query(query)) == expected
        assert documents.count(query) == len(expected)

    def test_a_range(self, documents: DocumentStore) -> None:
        fill(documents, [{"n": n} for n in range(6)])
        range_ = where(("n", ">=", 1), ("n", "<", 4))
        assert ids(documents.query(Query(collection="things", where=range_, order=("n",)))) == "bcd"
        assert ids(documents.query(Query(collection="things", where=range_, order=("-n",)))) == "dcb"
        assert documents.count(Query(collection="things", where=range_)) == 3

    def test_several_filters(self, documents: DocumentStore) -> None:
        fill(documents, [{"kind": kind, "flag": flag} for kind in "xy" for flag in (True, False)])
        both = where(("kind", "==", "y"), ("flag", "==", True))
        assert ids(documents.query(Query(collection="things", where=both))) == "c"
        assert documents.count(Query(collection="things", where=both)) == 1

    def test_booleans_are_no_numbers(self, documents: DocumentStore) -> None:
        fill(documents, [{"flag": True}, {"flag": False}, {"flag": 1}, {"flag": 0}, {"flag": 1.0}, {"flag": None}])
        for value, expected in ((True, "a"), (False, "b"), (1, "ce"), (0, "d")):
            query = Query(collection="things", where=where(("flag", "==", value)))
            assert ids(documents.query(query)) == expected
            assert documents.count(query) == len(expected)

    def test_values_of_another_type_do_not_match(self, documents: DocumentStore) -> None:
        fill(documents, [{"n": 1}, {"n": "1"}, {"n": True}, {"n": ["1"]}, {"n": b"1"}, {"n": '["1"]'}])
        for filters, expected in (
            (("n", "==", 1), "a"),
            (("n", "==", "1"), "b"),
            (("n", "==", '["1"]'), "f"),
            (("n", ">", 0), "a"),
            (("n", ">=", ""), "bf"),
            (("n", "<", 5), "a"),
        ):
            order = () if filters[1] == "==" else ("n",)
            assert ids(documents.query(Query(collection="things", where=where(filters), order=order))) == expected

    def test_none_is_matched_by_none_alone(self, documents: DocumentStore) -> None:
        fill(documents, [{"kind": None}, {"kind": "x"}, {}, {"kind": ""}, {"kind": None}])
        query = Query(collection="things", where=where(("kind", "==", None)))
        assert ids(documents.query(query)) == "ae"
        assert documents.count(query) == 2
        assert [ids(page) for page in pages(documents, 1, where=query.where)] == ["a", "e", ""]

    def test_the_value_is_never_part_of_the_query(self, documents: DocumentStore) -> None:
        values = ["'", '"', "' OR 1=1 --", "%", "\\", "\n", "?", "$.a", "\0", "a\0b", "\1", "a\1\2b"]
        fill(documents, [{"kind": value} for value in values])
        for position, value in enumerate(values):
            found = documents.query(Query(collection="things", where=where(("kind", "==", value))))
            assert ids(found) == chr(ord("a") + position)

    def test_a_query_sees_what_was_committed(self, documents: DocumentStore) -> None:
        fill(documents, [{"kind": "x"}, {"kind": "x"}, {"kind": "x"}])
        documents.commit([Update(Ref("things", "a"), {"kind": "y"}, None), Delete(Ref("things", "b"), None)])
        assert ids(documents.query(Query(collection="things", where=where(("kind", "==", "x"))))) == "c"

    def test_revisions_are_those_of_get(self, documents: DocumentStore) -> None:
        fill(documents, [{"n": 1}, {"n": 2}])
        documents.commit([Update(Ref("things", "a"), {"n": 3}, None)])
        for document in documents.query(Query(collection="things")):
            assert document == documents.get(document.ref)


class OrderContract:
    ROWS: ClassVar[list[dict[str, Value]]] = [
        {"n": 2, "name": "y"},
        {"n": 1, "name": "x"},
        {"n": 2, "name": "x"},
        {"n": 1, "name": "y"},
        {"n": 1},
    ]

    @pytest.mark.parametrize(
        ("order", "expected"),
        [(("n",), "bdeac"), (("-n",), "caedb"), (("n", "-name"), "dbac"), (("-n", "name"), "cabd")],
    )
    def test_order_and_pages(self, documents: DocumentStore, order: tuple[str, ...], expected: str) -> None:
        fill(documents, self.ROWS)
        assert ids(documents.query(Query(collection="things", order=order))) == expected
        for limit in (1, 2, 3, len(expected)):
            found = pages(documents, limit, order=order)
            assert "".join(map(ids, found)) == expected
            assert all(len(page) == limit for page in found[:-1])

    @pytest.mark.parametrize("order", [("n",), ("-n",)])
    def test_none_comes_first_and_the_missing_not_at_all(self, documents: DocumentStore, order: tuple[str]) -> None:
        fill(documents, [{"n": 1}, {"n": None}, {}, {"n": -1}, {"n": None}, {"n": 1}])
        expected = "bedaf" if order == ("n",) else "fadeb"
        for limit in (1, 2, 4, 9):
            assert "".join(map(ids, pages(documents, limit, order=order))) == expected

    def test_texts_sort_by_their_bytes(self, documents: DocumentStore) -> None:
        texts = ["", "\0", "\0\1", "\1", "\1\1", "\2", "A", "Z", "a", "a\0", "a\0b", "a\1", "a ", "aa", "é", "\uff5e"]
        texts += ["\U0001f600"]
        documents.commit([Create(Ref("things", f"{n:02}"), {"name": text}) for n, text in enumerate(texts[::-1])])
        for order in (("name",), ("-name",)):
            for limit in (4, 100):
                found = [document.data["name"] for page in pages(documents, limit, order=order) for document in page]
                assert found == sorted(texts, key=str.encode, reverse=order == ("-name",))
        query = Query(collection="things", where=where(("name", ">=", "\uff5e")), order=("name",))
        assert [document.data["name"] for document in documents.query(query)] == ["\uff5e", "\U0001f600"]

    def test_ids_sort_by_their_bytes(self, documents: DocumentStore) -> None:
        names = ["~", "é", "A", "a", "\U0001f600", "\uff5e", "aa"]
        for name in names:
            put(documents, Ref("things", name), kind="x")
        expected = sorted(names, key=str.encode)
        for parts in ({}, {"where": where(("kind", "==", "x"))}):
            found = [document.ref.id for page in pages(documents, 2, **parts) for document in page]
            assert found == expected

    def test_numbers_sort_by_value(self, documents: DocumentStore) -> None:
        numbers = [-(2**63), -1.5, -1, 0, 5e-324, 0.1, 1, 1.5, 2, 10, 1e16, 2**63 - 1]
        fill(documents, [{"n": number} for number in numbers])
        for limit in (1, 5):
            found = [document.data["n"] for page in pages(documents, limit, order=("n",)) for document in page]
            assert found == numbers
        for number in numbers:
            assert documents.count(Query(collection="things", where=where(("n", "==", number)))) == 1

    def test_booleans_sort(self, documents: DocumentStore) -> None:
        fill(documents, [{"flag": True}, {"flag": False}, {"flag": True}])
        assert "".join(map(ids, pages(documents, 1, order=("flag",)))) == "bac"
        assert "".join(map(ids, pages(documents, 1, order=("-flag",)))) == "cab"

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_filters_order_and_pages_together(self, documents: DocumentStore, limit: int) -> None:
        rows: list[dict[str, Any]] = [{"kind": "xy"[n % 2], "flag": n % 3 == 0, "n": n // 4} for n in range(18)]
        fill(documents, rows)
        named = [(chr(ord("a") + n), row) for n, row in enumerate(rows) if row["kind"] == "x"]
        found = pages(documents, limit, where=where(("kind", "==", "x")), order=("n",))
        assert "".join(map(ids, found)) == "".join(name for name, row in sorted(named, key=lambda it: it[1]["n"]))
        filters = where(("kind", "==", "x"), ("flag", "==", True))
        found = pages(documents, limit, where=filters, order=("-n",))
        expected = sorted(((row["n"], name) for name, row in named if row["flag"]), reverse=True)
        assert "".join(map(ids, found)) == "".join(name for _, name in expected)
        filters = where(("kind", "==", "x"), ("n", ">", 1))
        found = pages(documents, limit, where=filters, order=("n",))
        assert "".join(map(ids, found)) == "".join(name for name, row in named if row["n"] > 1)

    def test_an_order_by_what_is_fixed(self, documents: DocumentStore) -> None:
        fill(documents, [{"kind": "x"}, {"kind": "y"}, {"kind": "x"}])
        parts = {"where": where(("kind", "==", "x"))}
        assert "".join(map(ids, pages(documents, 1, order=("kind",), **parts))) == "ac"
        assert "".join(map(ids, pages(documents, 1, order=("-kind",), **parts))) == "ca"

    def test_pages_stay_in_step_while_documents_come_and_go(self, documents: DocumentStore) -> None:
        for name in "bdfh":
            put(documents, Ref("things", name), n=1)
        query = Query(collection="things", order=("n",), limit=2)
        first = documents.query(query)
        assert ids(first) == "bd"
        put(documents, Ref("things", "a"), n=1)
        put(documents, Ref("things", "e"), n=1)
        put(documents, Ref("things", "z"), n=0)
        documents.commit([Delete(Ref("things", "d"), None)])
        after = query.cursor(first[-1])
        assert ids(documents.query(Query(collection="things", order=("n",), after=after, limit=9))) == "efh"

    def test_an_inequality_orders_first(self, documents: DocumentStore) -> None:
        for order in ((), ("name",), ("name", "n")):
            with pytest.raises(ValueError, match="n"):
                documents.query(Query(collection="things", where=where(("n", ">", 1)), order=order))

    @pytest.mark.parametrize(
        "parts",
        [
            {"limit": 0},
            {"limit": -1},
            {"after": ()},
            {"order": ("n",), "after": ("a",)},
            {"order": ("n'",)},
            {"order": ("--n",)},
            {"select": ("n')",)},
            {"where": where(("a.b", "==", 1))},
            {"where": where(("n", "!=", 1))},
            {"where": where(("n", "==", 2**63))},
            {"where": where(("n", "==", float("nan")))},
            {"where": where(("n", "==", [1]))},
            {"where": where(("n", "==", "\ud800"))},
            {"where": where(("n", ">", None)), "order": ("n",)},
        ],
        ids=repr,
    )
    def test_what_is_no_query(self, documents: DocumentStore, parts: dict[str, Any]) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - each says something else
            documents.query(Query(collection="things", **parts))


class SelectContract:
    def test_select(self, documents: DocumentStore) -> None:
        fill(documents, [{"n": 1, "name": "x", "data": b"1", "more": b"22"}, {"n": 2}, {"name": None, "more": b""}])

        def selected(*names: str) -> list[Any]:
            return [document.data for document in documents.query(Query(collection="things", select=names))]

        assert selected("n") == [{"n": 1}, {"n": 2}, {}]
        assert selected("n", "name") == [{"n": 1, "name": "x"}, {"n": 2}, {"name": None}]
        assert selected("more") == [{"more": b"22"}, {}, {"more": b""}]
        assert selected("data", "n") == [{"data": b"1", "n": 1}, {"n": 2}, {}]
        assert selected("unknown") == [{}, {}, {}]

    def test_select_nothing(self, documents: DocumentStore) -> None:
        fill(documents, [{"n": 1, "data": b"1"}, {"n": 2}])
        found = documents.query(Query(collection="things", order=("-n",), select=()))
        assert [(document.ref.id, document.data) for document in found] == [("b", {}), ("a", {})]
        assert [document.revision for document in found] == [
            document and document.revision for document in documents.get_many([row.ref for row in found])
        ]

    def test_pages_of_a_selection(self, documents: DocumentStore) -> None:
        fill(documents, [{"n": n // 2, "name": "x", "data": b"x"} for n in range(5)])
        found = pages(documents, 2, order=("n",), select=("n",))
        assert [ids(page) for page in found] == ["ab", "cd", "e"]


class AggregateContract:
    def test_count_ignores_order_cursor_limit_and_select(self, documents: DocumentStore) -> None:
        fill(documents, [{"kind": "x"}, {"kind": "x", "n": 1}, {"kind": "y", "n": 1}, {"kind": "x", "n": 2}])
        filters = where(("kind", "==", "x"))
        query = Query(collection="things", where=filters, order=("n",), after=(1, "b"), limit=1, select=())
        assert documents.count(query) == 3
        assert documents.count(Query(collection="things", limit=1)) == 4

    def test_count_ignores_the_page_size(self, documents: DocumentStore) -> None:
        documents.commit([Create(Ref("things", f"{n}"), {"n": 1}) for n in range(150)])
        assert documents.count(Query(collection="things")) == 150

    def test_sum(self, documents: DocumentStore) -> None:
        fill(documents, [{"kind": "x", "n": 1}, {"kind": "x", "n": 2**40, "m": -3}, {"kind": "y", "n": 9}, {}])
        query = Query(collection="things", where=where(("kind", "==", "x")), limit=1, order=("n",), after=(9, "z"))
        found = documents.sum(query, ["n", "m", "none"])
        assert found == {"n": 2**40 + 1, "m": -3, "none": 0}
        assert all(type(value) is int for value in found.values())
        assert documents.sum(query, []) == {}
        assert documents.sum(Query(collection="things"), ["n"]) == {"n": 2**40 + 10}
