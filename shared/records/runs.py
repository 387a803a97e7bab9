"""Gates, runs, lanes and hints."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from shared.model.chunk import Counts
from shared.model.run import Gate, Hint, Lane, Run
from shared.ports import DocumentStore
from shared.records.collection import Collection, Stored

T = TypeVar("T", Gate, Lane, Hint)


def _encode(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value) if field.name != "id"}


def _plain(documents: DocumentStore, name: str, kind: type[T]) -> Collection[T]:
    known = {field.name for field in fields(kind)}

    def decode(id: str, data: Mapping[str, Any]) -> T:  # noqa: A002
        return kind(id=id, **{name: value for name, value in data.items() if name in known})

    return Collection(documents, name, _encode, decode)


def gates(documents: DocumentStore) -> Collection[Gate]:
    """One gate per storage; its id is the storage's."""
    return _plain(documents, "gates", Gate)


class Runs(Collection[Run]):
    """Runs; the counts are fields of their own so that people can query them."""

    def __init__(self, documents: DocumentStore) -> None:
        super().__init__(documents, "runs", self._to_fields, self._from_fields)

    @staticmethod
    def _to_fields(run: Run) -> dict[str, Any]:
        data = _encode(run)
        return {**{k: v for k, v in data.items() if k != "counts"}, **run.counts._asdict()}

    @staticmethod
    def _from_fields(id: str, data: Mapping[str, Any]) -> Run:  # noqa: A002
        counts = Counts(*(data.get(name, 0) for name in Counts._fields))
        names = {field.name for field in fields(Run)} - {"id", "counts"}
        return Run(id=id, counts=counts, **{name: value for name, value in data.items() if name in names})

    def active(self, after: tuple[Any, ...] | None, limit: int) -> list[Stored[Run]]:
        """A page of the active runs of all storages."""
        return self.find(("active", "==", True), after=after, limit=limit)

    def ended_before(self, moment: float, limit: int) -> list[Stored[Run]]:
        """Runs that ended before a time, oldest first."""
        return self.find(("active", "==", False), ("time_ended", "<", moment), order=("time_ended",), limit=limit)


class Lanes(Collection[Lane]):
    """The lanes of runs."""

    def __init__(self, documents: DocumentStore) -> None:
        plain = _plain(documents, "lanes", Lane)
        super().__init__(documents, "lanes", plain._encode, plain._decode)

    def of_run(self, run: str) -> list[Stored[Lane]]:
        """All lanes of a run."""
        return self.find(("run", "==", run), limit=500)


class Hints(Collection[Hint]):
    """What events left to be synced."""

    def __init__(self, documents: DocumentStore) -> None:
        plain = _plain(documents, "hints", Hint)
        super().__init__(documents, "hints", plain._encode, plain._decode)

    def dirty(self, before: float, limit: int) -> list[Stored[Hint]]:
        """Hints that have been dirty since before a time, oldest first."""
        return self.find(("dirty", "==", True), ("since", "<", before), order=("since",), limit=limit)
