"""Documents on both platforms, with queries refused whose index is not declared."""

import pytest

from shared.adapters.documents.indexes import load_indexes
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.app import INDEXES
from tests.indexes import CheckedIndexes


@pytest.fixture(params=["sqlite", pytest.param("firestore", marks=pytest.mark.emulator)])
def documents(request):
    if request.param == "firestore":
        store = request.getfixturevalue("new_firestore")()
    else:
        store = SqliteDocuments(":memory:", indexes=load_indexes(INDEXES))
    yield CheckedIndexes(store)
    store.close()
