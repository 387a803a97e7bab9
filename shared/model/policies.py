"""What a storage does about objects that change or go. Tasks that people worked on are never rewritten or deleted."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

OnChanged = Literal["ignore", "update_unannotated"]
OnDeleted = Literal["keep", "mark", "delete_unannotated"]
Applied = Literal["", "mark", "awaiting", "delete_unannotated"]
"""What was done about the tasks of an object that is gone. `awaiting`: counted among those that a run would delete;
they may have been marked before."""
APPLIED: tuple[Applied, ...] = ("", "mark", "awaiting", "delete_unannotated")
SETTLED: Mapping[OnDeleted, tuple[Applied, ...]] = {
    "keep": APPLIED,
    "mark": ("mark", "delete_unannotated"),
    "delete_unannotated": ("delete_unannotated",),
}
"""With which of them nothing more is to be done."""
Mark = Literal["", "source_changed", "source_deleted"]
"""What a task says of its source: that it changed or went after somebody worked on the task (or, marked by policy,
at any time)."""


class Policies(NamedTuple):
    """The two policies of a storage."""

    on_changed: OnChanged = "update_unannotated"
    on_deleted: OnDeleted = "keep"

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Policies":
        """Those of a storage's settings; the defaults where there are none."""
        return cls(config.get("on_changed") or "update_unannotated", config.get("on_deleted") or "keep")

    @property
    def updates(self) -> bool:
        """Whether tasks follow objects that change."""
        return self.on_changed == "update_unannotated"

    @property
    def deletes(self) -> bool:
        """Whether tasks go with their objects."""
        return self.on_deleted == "delete_unannotated"

    def owes(self, applied: Applied) -> bool:
        """Whether something is still to be done about the tasks of an object that is gone."""
        return applied not in SETTLED[self.on_deleted]


def most_deletions(known: int, floor: int, share: float) -> int:
    """How many objects of a storage that knows so many may take their tasks with them without being asked."""
    return max(floor, int(known * share))
