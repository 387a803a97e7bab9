"""The shapes of snapshots for the documentation at /docs."""

from typing import Literal

from pydantic import Field as Describe

from functions.schemas import Moment, Shape, example


class SnapshotIn(Shape):
    """A snapshot to take."""

    model_config = example(title="Before the clean-up")

    title: str | None = Describe(None, max_length=256, description="What people call it.")


class SnapshotOut(Shape):
    """The records of a dataset as they were; it never changes."""

    id: int = Describe(description="Id of the snapshot.")
    title: str = Describe(description="What people call it.")
    begun_at: Moment = Describe(description="When the first record was read.")
    created_at: Moment = Describe(
        description="When the last one was. Each is as the dataset had it at a moment in between."
    )
    records: int = Describe(description="How many there are.")
    bytes: int = Describe(description="Size of all objects together.")
    root: str = Describe(
        description="A hash: equal for equal records (key, version, size, content type, width and height)."
    )


class RecordState(Shape):
    """A record of a snapshot."""

    size: int = Describe(description="Bytes.")
    version: str = Describe(description="Another one whenever the content is.")
    content_type: str = Describe(description="What the store's listing says, else what the key's ending tells.")
    width: int | None = Describe(description="Pixels as stored; null where nothing is known of it.")
    height: int | None = Describe(description="Pixels as stored; null where nothing is known of it.")


class ChangeOut(Shape):
    """A key whose record is not the same in both."""

    key: str = Describe(description="The object's key.")
    change: Literal["added", "changed", "removed"] = Describe(
        description="What became of it. Changed is any of what `before` and `after` show."
    )
    before: RecordState | None = Describe(description="In the one snapshot; null if it was added.")
    after: RecordState | None = Describe(description="In the other; null if it was removed.")


class ChangesOut(Shape):
    """Some of what differs."""

    changes: list[ChangeOut] = Describe(description="In the order of their keys.")
    next: str | None = Describe(description="`after` of the following part, also where time ran out; null: no more.")
