"""A document store that counts what is read and written, for promises and tables about cost."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from shared.ports import Check, Document, DocumentStore, Query, Ref, Write


class CountingDocuments:
    """Passes everything on; counts documents by collection. A query that finds none counts as one read, as billed."""

    def __init__(self, inner: DocumentStore) -> None:
        self._inner = inner
        self.reads: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()

    def reset(self) -> None:
        """Counts from zero."""
        self.reads.clear()
        self.writes.clear()

    def get(self, ref: Ref) -> Document | None:
        """One read."""
        self.reads[ref.collection] += 1
        return self._inner.get(ref)

    def get_many(self, refs: Sequence[Ref]) -> list[Document | None]:
        """A read for each."""
        self.reads.update(ref.collection for ref in refs)
        return self._inner.get_many(refs)

    def query(self, query: Query) -> list[Document]:
        """A read for each document found, at least one."""
        found = self._inner.query(query)
        self.reads[query.collection] += max(1, len(found))
        return found

    def commit(self, writes: Sequence[Write], checks: Sequence[Check] = ()) -> list[str]:
        """A write for each, a read for each check."""
        self.reads.update(check.ref.collection for check in checks)
        self.writes.update(write.ref.collection for write in writes)
        return self._inner.commit(writes, checks)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
