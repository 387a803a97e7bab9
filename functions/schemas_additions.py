"""The shapes of additions of records to projects for the documentation at /docs; see `schemas`."""

from typing import Literal

from pydantic import Field

from functions.schemas import Moment, Shape, example


class RecordFilterIn(Shape):
    """Filters of records, each as the list of records has it; all of them count."""

    prefix: str | None = Field(None, description="What keys start with, literally.")
    glob: str | None = Field(None, description="What keys look like below the storage's prefix: **/*.jpg.")
    min_size: int | str | None = Field(None, description="Bytes at least.")
    max_size: int | str | None = Field(None, description="Bytes at most.")
    modified_after: str | None = Field(None, description="Modified at this time or later.")
    modified_before: str | None = Field(None, description="Modified before this time.")
    content_type: str | None = Field(None, description="A content type, or all of a kind: image/*.")
    min_width: int | str | None = Field(None, description="Pixels at least; of images whose size is known.")
    max_width: int | str | None = Field(None, description="Pixels at most; of images whose size is known.")
    min_height: int | str | None = Field(None, description="Pixels at least; of images whose size is known.")
    max_height: int | str | None = Field(None, description="Pixels at most; of images whose size is known.")


class AdditionIn(Shape):
    """Records that are to become tasks of a project: either `records` or `filter`."""

    model_config = example(project=1, filter={"prefix": "2024/", "content_type": "image/*"})
    project: int = Field(description="Id of the project.")
    records: list[int] | None = Field(None, description="Ids of at most 1,000 records.")
    filter: RecordFilterIn | None = Field(None, description="Which records; an empty one takes all.")
    reimport_deleted: bool = Field(
        False, description="Make anew the tasks of these records that users deleted before this request."
    )


class AdditionOut(Shape):
    """An addition of records to a project, and how far it is. `selected` = created + existed + deleted + failed."""

    id: str = Field(description="Id of the addition.")
    dataset: int = Field(description="Id of the dataset storage.")
    project: int = Field(description="Id of the project.")
    state: Literal["queued", "in_progress", "completed", "completed_with_errors", "failed"] = Field(
        description="How far it is; with errors: some records are missing or failed."
    )
    filter: dict[str, str] | None = Field(description="The filters; null where ids were given.")
    records: int | None = Field(description="How many ids were given; null where a filter was.")
    reimport_deleted: bool = Field(description="Whether tasks are made anew that users had deleted.")
    created_by: int = Field(description="The user who asked for it.")
    selected: int = Field(description="Records found so far.")
    created: int = Field(description="Tasks that were made.")
    existed: int = Field(description="Records that were tasks of the project already.")
    deleted: int = Field(description="Records whose task a user deleted, and that stay so.")
    failed: int = Field(description="Records that can't become tasks.")
    missing: int = Field(description="Ids that no record has; counted at the end.")
    at: str | None = Field(description="Key up to which all is done, in the order of the bucket.")
    errors: list[str] = Field(description="Why records failed, of the first 20.")
    reason: str | None = Field(description="Why it failed as a whole.")
    created_at: Moment = Field(description="When it was asked for.")
    started_at: Moment | None = Field(description="When its first part was done.")
    updated_at: Moment = Field(description="When its last part was done.")
    finished_at: Moment | None = Field(description="When it ended.")
