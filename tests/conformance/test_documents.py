"""Runs the contract of document stores against each adapter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.adapters.documents.sqlite import SqliteDocuments
from shared.ports import DocumentStore

pytest.register_assert_rewrite(
    *(f"tests.conformance.{name}" for name in ("documents", "documents_limits", "documents_queries"))
)

from tests.conformance import documents as contract  # noqa: E402 - behind the line that lets its asserts explain
from tests.conformance import documents_limits as limits  # noqa: E402
from tests.conformance import documents_queries as queries  # noqa: E402


@pytest.fixture(params=["sqlite-memory", "sqlite-file", pytest.param("firestore", marks=pytest.mark.emulator)])
def documents(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DocumentStore]:
    if request.param == "firestore":
        store: DocumentStore = request.getfixturevalue("new_firestore")()
    else:
        path = ":memory:" if request.param == "sqlite-memory" else str(tmp_path / "documents.db")
        store = SqliteDocuments(path, indexes=queries.INDEXES)
    yield store
    store.close()


class TestReads(contract.ReadContract):
    pass


class TestCommits(contract.CommitContract):
    pass


class TestLimits(limits.LimitContract):
    pass


class TestConcurrency(limits.ConcurrencyContract):
    pass


class TestQueries(queries.QueryContract):
    pass


class TestOrder(queries.OrderContract):
    pass


class TestSelect(queries.SelectContract):
    pass


class TestAggregates(queries.AggregateContract):
    pass
