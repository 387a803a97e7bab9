"""An upload: tasks that came with a request, not from a bucket."""

from dataclasses import dataclass
from typing import Literal

UploadState = Literal["in_progress", "completed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """The same list of tasks, sent by the same user to the same project, is one upload with many rounds.

    A round that did not end is gone on with by the next request: its tasks' numbers follow from upload, round and row.
    """

    id: int
    project: int
    digest: str
    """Of what was sent."""
    round: int
    state: UploadState
    since: float
    ended: float = 0.0
    task_count: int = 0
    annotation_count: int = 0
    prediction_count: int = 0

    @property
    def origin(self) -> str:
        """What its tasks carry as their map."""
        return f"upload/{self.id}/{self.round}/{self.digest}"

    @property
    def place(self) -> str:
        """Sorts its tasks among those of other uploads, by time."""
        return f"{int(self.since * 1000):014d}-{self.id}"
