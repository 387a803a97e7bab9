"""Which form the documents have: a number for all of them, and what each number added.

Rules that every change keeps are in docs/upgrades.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

REPEAT_SECONDS = 600.0
"""Before a pass that failed for a document is repeated, at least."""


class Change(NamedTuple):
    """What makes a schema of the one before it."""

    version: int
    says: str
    needs: int
    """The schema that a process must know to work on documents of this one. Never this one itself: the release before
    still runs while documents are migrated, and is what people go back to."""


FIRST = 1
"""Documents of release 0.1.0, which kept no number."""
CHANGES: Sequence[Change] = (
    Change(2, 'Every storage has `listens_to`: whose notifications it honours, "" for nobody\'s.', needs=1),
)
"""In order, one for each number."""
VERSION = CHANGES[-1].version
"""The schema that this release writes. It reads the one before as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """How far the documents are. While a step is under way, some of them are of the next schema already."""

    version: int = FIRST
    """All documents are of this schema, or a later one."""
    needs: int = FIRST
    """The schema that a process must know to work on them."""

    # The step to the next schema: passes over one collection, in the order of ids.
    begun_at: float = 0.0
    """When the step was first worked at; 0: it was not."""
    pass_at: float = 0.0
    """When the present pass began, or is to begin."""
    place: str = ""
    """The id up to which it came."""
    changed: int = 0
    failed: int = 0
    """Documents of the present pass that could not be brought to the next schema."""

    @property
    def under_way(self) -> bool:
        """Whether a step was begun that has not ended."""
        return self.begun_at > 0.0

    def begun(self, change: Change, now: float) -> "Schema":
        """With the step begun. From here on documents may need a process that knows more."""
        return replace(self, needs=max(self.needs, change.needs), begun_at=now, pass_at=now)

    def gone_on(self, place: str, *, changed: int, failed: int) -> "Schema":
        """With a page of the pass done."""
        return replace(self, place=place, changed=self.changed + changed, failed=self.failed + failed)

    def pass_ended(self, change: Change, now: float, settle: float) -> "Schema":
        """With the pass done: at the next schema, or before another pass.

        A pass counts only if it began when no process of the release before was left, so `settle` seconds after the
        step did: until then these may have made documents behind its back. One that failed for a document is repeated.
        """
        if self.failed:
            return self._again(now + max(settle, REPEAT_SECONDS))
        if self.pass_at < self.begun_at + settle:
            return self._again(self.begun_at + settle)
        return Schema(version=change.version, needs=self.needs)

    def _again(self, moment: float) -> "Schema":
        return replace(self, pass_at=moment, place="", changed=0, failed=0)


def next_change(version: int) -> Change | None:
    """What documents of a schema lack of this release's; None if nothing."""
    return next((change for change in CHANGES if change.version > version), None)
