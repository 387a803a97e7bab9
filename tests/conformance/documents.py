"""What every document store must do: reads and commits. `documents_limits` and `documents_queries` go on.

An adapter's test module derives from these classes and gives a fixture `documents`: a store without documents.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from shared.errors import CommitRefusedError
from shared.ports import Check, Create, Delete, DocumentStore, Ref, Update, Value

A, B, C = Ref("things", "a"), Ref("things", "b"), Ref("others", "a")


def put(documents: DocumentStore, ref: Ref, **data: Value) -> str:
    return documents.commit([Create(ref, data)])[0]


def data_of(documents: DocumentStore, ref: Ref) -> Mapping[str, Any] | None:
    found = documents.get(ref)
    return None if found is None else found.data


def revision_of(documents: DocumentStore, ref: Ref) -> str:
    found = documents.get(ref)
    assert found is not None
    return found.revision


class ReadContract:
    def test_an_absent_document_is_none(self, documents: DocumentStore) -> None:
        assert documents.get(A) is None

    @pytest.mark.parametrize("name", ["", ".", "..", "a/b", "__x__", "x" * 1501, "\ud800"])
    def test_an_impossible_id_is_absent(self, documents: DocumentStore, name: str) -> None:
        assert documents.get(Ref("things", name)) is None
        assert documents.get_many([Ref("things", name)]) == [None]

    def test_a_document_is_read_as_written(self, documents: DocumentStore) -> None:
        data: dict[str, Value] = {
            "none": None,
            "yes": True,
            "no": False,
            "zero": 0,
            "least": -(2**63),
            "most": 2**63 - 1,
            "whole": 1.0,
            "part": 0.1,
            "tiny": 5e-324,
            "huge": 1.7976931348623157e308,
            "empty": "",
            "text": "Zoë \U0001f600 \x01\x02\x01\x01\x7f\uffff\"'\\u0000\\\n",
            "nul": "\0a\0\1\0",
            "texts": ["b", "a", "\0", ""],
            "numbers": [3, -1, 2**63 - 1],
            "nothing": [],
            "bytes": bytes(range(256)),
            "no_bytes": b"",
        }
        (revision,) = documents.commit([Create(A, data)])
        found = documents.get(A)
        assert found is not None
        assert (found.ref, found.revision) == (A, revision)
        assert found.data == data
        assert {name: type(value) for name, value in found.data.items()} == {
            name: type(value) for name, value in data.items()
        }

    def test_a_document_may_have_no_field(self, documents: DocumentStore) -> None:
        put(documents, A)
        assert data_of(documents, A) == {}

    def test_large_bytes_come_back(self, documents: DocumentStore) -> None:
        content = bytes(range(256)) * 3500
        put(documents, A, content=content, more=b"x", empty=b"")
        assert data_of(documents, A) == {"content": content, "more": b"x", "empty": b""}

    def test_nested_and_deep_content_is_bytes(self, documents: DocumentStore) -> None:
        """What no store takes as fields: arrays in arrays, depth, any key, integers of any size."""
        deep: Any = {"": 2**80, "__x__": [[[1.5, None], []], {"a.b": {}}]}
        for _ in range(200):
            deep = {"points": [[0, 1], [deep]]}
        put(documents, A, data=json.dumps(deep).encode())
        found = data_of(documents, A)
        assert found is not None
        assert json.loads(found["data"]) == deep

    @pytest.mark.parametrize("name", ["é\U0001f600", " ", "a b?#%", "'\"\\", "-", "x" * 1500])
    def test_ids_are_any_text(self, documents: DocumentStore, name: str) -> None:
        put(documents, Ref("things", name), name=name)
        found = documents.get(Ref("things", name))
        assert found is not None
        assert (found.ref.id, found.data["name"]) == (name, name)

    def test_collections_are_apart(self, documents: DocumentStore) -> None:
        put(documents, A, of="things")
        put(documents, C, of="others")
        assert (data_of(documents, A), data_of(documents, C)) == ({"of": "things"}, {"of": "others"})

    def test_get_many_keeps_the_order_and_tells_the_absent(self, documents: DocumentStore) -> None:
        put(documents, A, n=1)
        put(documents, C, n=3)
        found = documents.get_many([C, B, A, C])
        assert [document and document.data["n"] for document in found] == [3, None, 1, 3]
        assert documents.get_many([]) == []

    def test_get_many_reads_500(self, documents: DocumentStore) -> None:
        refs = [Ref("things", f"{n:03}") for n in range(500)]
        documents.commit([Create(ref, {"n": n}) for n, ref in enumerate(refs)])
        found = documents.get_many(refs[::-1])
        assert [document and document.data["n"] for document in found] == list(range(500))[::-1]
        with pytest.raises(ValueError, match="500"):
            documents.get_many([*refs, A])


class CommitContract:
    def test_nothing_to_commit(self, documents: DocumentStore) -> None:
        assert documents.commit([]) == []

    def test_create_refuses_what_exists(self, documents: DocumentStore) -> None:
        first = put(documents, A, n=1)
        with pytest.raises(CommitRefusedError) as refused:
            documents.commit([Create(A, {"n": 2})])
        assert set(refused.value.conflicts) <= {A}
        assert (data_of(documents, A), revision_of(documents, A)) == ({"n": 1}, first)

    def test_conflicts_are_among_the_writes_in_the_way(self, documents: DocumentStore) -> None:
        put(documents, A)
        put(documents, C)
        with pytest.raises(CommitRefusedError) as refused:
            documents.commit([Create(ref, {}) for ref in (A, B, C)])
        assert set(refused.value.conflicts) <= {A, C}
        assert documents.get(B) is None

    def test_update_writes_the_named_fields(self, documents: DocumentStore) -> None:
        old = put(documents, A, keep=1, change="x", data=b"1", other=b"kept")
        (new,) = documents.commit([Update(A, {"change": None, "add": [1], "data": b"22"}, old)])
        assert data_of(documents, A) == {"keep": 1, "change": None, "add": [1], "data": b"22", "other": b"kept"}
        assert new == revision_of(documents, A) != old

    def test_update_can_change_the_type_of_a_field(self, documents: DocumentStore) -> None:
        put(documents, A, x=b"bytes", y="text")
        documents.commit([Update(A, {"x": "text", "y": b"bytes"}, None)])
        assert data_of(documents, A) == {"x": "text", "y": b"bytes"}

    def test_update_refuses_the_absent_and_the_stale(self, documents: DocumentStore) -> None:
        with pytest.raises(CommitRefusedError):
            documents.commit([Update(A, {"n": 1}, None)])
        assert documents.get(A) is None
        old = put(documents, A, n=1)
        with pytest.raises(CommitRefusedError):
            documents.commit([Update(B, {"n": 1}, old)])
        documents.commit([Update(A, {"n": 2}, old)])
        with pytest.raises(CommitRefusedError) as refused:
            documents.commit([Update(A, {"n": 3}, old)])
        assert set(refused.value.conflicts) <= {A}
        assert data_of(documents, A) == {"n": 2}

    def test_delete(self, documents: DocumentStore) -> None:
        old = put(documents, A, n=1)
        assert len(documents.commit([Delete(A, old)])) == 1
        assert documents.get(A) is None

    def test_delete_of_any_revision_or_of_nothing(self, documents: DocumentStore) -> None:
        put(documents, A)
        assert len(documents.commit([Delete(A, None), Delete(B, None)])) == 2
        assert documents.get(A) is None

    def test_delete_refuses_the_stale_and_the_absent(self, documents: DocumentStore) -> None:
        old = put(documents, A, n=1)
        documents.commit([Update(A, {"n": 2}, old)])
        with pytest.raises(CommitRefusedError):
            documents.commit([Delete(A, old)])
        with pytest.raises(CommitRefusedError):
            documents.commit([Delete(B, old)])
        assert data_of(documents, A) == {"n": 2}

    def test_checks_hold_and_change_nothing(self, documents: DocumentStore) -> None:
        old = put(documents, A, n=1)
        documents.commit([Create(B, {})], [Check(A, old), Check(C, None)])
        assert documents.get(B) is not None
        assert revision_of(documents, A) == old
        assert documents.get(C) is None

    def test_checks_without_writes(self, documents: DocumentStore) -> None:
        old = put(documents, A)
        assert documents.commit([], [Check(A, old)]) == []
        with pytest.raises(CommitRefusedError):
            documents.commit([], [Check(A, None)])

    def test_checks_refuse(self, documents: DocumentStore) -> None:
        old = put(documents, A, n=1)
        new = documents.commit([Update(A, {"n": 2}, old)])[0]
        for check in (Check(A, old), Check(A, None), Check(C, new)):
            with pytest.raises(CommitRefusedError) as refused:
                documents.commit([Create(B, {})], [check])
            assert set(refused.value.conflicts) <= {check.ref}
        assert documents.get(B) is None

    def test_a_document_may_be_checked_and_written(self, documents: DocumentStore) -> None:
        documents.commit([Create(A, {"n": 1})], [Check(A, None)])
        old = revision_of(documents, A)
        documents.commit([Update(A, {"n": 2}, None)], [Check(A, old)])
        with pytest.raises(CommitRefusedError):
            documents.commit([Update(A, {"n": 3}, None)], [Check(A, old)])
        with pytest.raises(CommitRefusedError):
            documents.commit([Update(A, {"n": 3}, old)], [Check(A, revision_of(documents, A))])
        assert data_of(documents, A) == {"n": 2}

    def test_all_or_nothing(self, documents: DocumentStore) -> None:
        for ref in (A, C):
            put(documents, ref, n=1)
        before = documents.get_many([A, C])
        with pytest.raises(CommitRefusedError):
            documents.commit([Create(B, {}), Update(A, {"n": 2}, None), Delete(C, "no revision")])
        assert documents.get_many([A, C]) == before
        assert documents.get(B) is None

    def test_two_writes_of_one_document(self, documents: DocumentStore) -> None:
        with pytest.raises(ValueError, match="twice"):
            documents.commit([Create(A, {}), Delete(A, None)])
        assert documents.get(A) is None

    def test_a_revision_is_never_used_again(self, documents: DocumentStore) -> None:
        seen = [put(documents, A, n=0)]
        for n in range(1, 4):
            seen += documents.commit([Update(A, {"n": n}, seen[-1])])
            documents.commit([Delete(A, seen[-1])])
            seen.append(put(documents, A, n=0))
        assert len(set(seen)) == len(seen)
        for old in seen[:-1]:
            with pytest.raises(CommitRefusedError):
                documents.commit([Update(A, {"n": 9}, old)])

    def test_the_revision_returned_is_the_one_read(self, documents: DocumentStore) -> None:
        revisions = documents.commit([Create(A, {}), Create(B, {})])
        assert revisions == [revision_of(documents, A), revision_of(documents, B)]

    def test_a_document_is_not_bound_to_what_was_passed(self, documents: DocumentStore) -> None:
        texts = ["a"]
        put(documents, A, texts=texts)
        texts.append("b")
        assert data_of(documents, A) == {"texts": ["a"]}
