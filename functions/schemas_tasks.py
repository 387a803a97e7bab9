"""The shapes of tasks, annotations and predictions for the documentation at /docs; see `schemas`."""

from typing import Any

from pydantic import Field

from functions.schemas import Moment, Shape, example

Result = list[dict[str, Any]]
EXAMPLE_RESULT = [{"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": ["cat"]}}]


class AnnotationIn(Shape):
    """Fields of an annotation; all are optional."""

    model_config = example(result=EXAMPLE_RESULT, lead_time=12.5)
    result: Result | None = Field(
        None, description="Regions and choices, as the labelling front end makes them.", examples=[EXAMPLE_RESULT]
    )
    was_cancelled: bool | None = Field(None, description="The person skipped the task.")
    ground_truth: bool | None = Field(None, description="It is known to be right.")
    lead_time: float | None = Field(None, description="Seconds that it took.")
    completed_by: int | None = Field(None, description="Who made it; the caller if not given.")
    updated_by: int | None = Field(None, description="Who changed it last; the caller if not given.")
    last_created_by: int | None = Field(None, description="Who made the last version.")
    unique_id: str | None = Field(None, description="An id of your own, at most 200 characters.")
    import_id: int | None = Field(None, description="Its id where it was imported from.")
    last_action: str | None = Field(None, description="What was done last, such as `submitted`.")
    parent_prediction: int | None = Field(None, description="The prediction it was made of.")
    parent_annotation: int | None = Field(None, description="The annotation it was made of.")
    draft_created_at: str | None = Field(None, description="When its draft was made, ISO 8601.")
    bulk_created: bool | None = Field(None, description="It was made together with others.")


class AnnotationOut(Shape):
    """An annotation."""

    id: int = Field(description="Its number; later ones have larger numbers, imported ones any.")
    result: list[Any] = Field(description="Regions and choices.", examples=[EXAMPLE_RESULT])
    created_username: str = Field(description="Name, e-mail and id of who made it.", examples=[" ann@example.org, 1"])
    created_ago: str = Field(description="How long ago it was made, in words.")
    completed_by: int | None = Field(description="Who made it.")
    was_cancelled: bool = Field(description="The person skipped the task.")
    ground_truth: bool = Field(description="It is known to be right.")
    created_at: Moment = Field(description="When it was made.")
    updated_at: Moment = Field(description="When it was changed last.")
    draft_created_at: Moment | None = Field(description="When its draft was made.")
    lead_time: float | None = Field(description="Seconds that it took.")
    import_id: int | None = Field(description="Its id where it was imported from.")
    last_action: str | None = Field(description="What was done last.")
    bulk_created: bool = Field(description="It was made together with others.")
    task: int = Field(description="Its task.")
    project: int = Field(description="Its project.")
    updated_by: int | None = Field(description="Who changed it last.")
    parent_prediction: int | None = Field(description="The prediction it was made of.")
    parent_annotation: int | None = Field(description="The annotation it was made of.")
    last_created_by: int | None = Field(description="Who made the last version.")


class BulkIn(AnnotationIn):
    """An annotation and the tasks that are given it: `tasks`, or `project` and `selected_items`."""

    model_config = example(tasks=[1, 2], result=EXAMPLE_RESULT)
    tasks: list[int] | None = Field(None, description="Ids of at most 1,000 tasks.")
    project: int | None = Field(None, description="The project of `selected_items`.")
    selected_items: dict[str, Any] | None = Field(
        None, description="All tasks but some, or some.", examples=[{"all": True, "excluded": [12]}]
    )


class BulkOut(Shape):
    """An annotation that was made."""

    id: int = Field(description="Its number.")


class BulkDeleteIn(Shape):
    """Annotations to delete."""

    model_config = example(project=1, ids=[1, 2])
    project: int = Field(description="Their project.")
    ids: list[int] = Field(description="Their numbers, at most 1,000.")


class BulkDeletedOut(Shape):
    """What was deleted."""

    deleted_count: int = Field(description="How many annotations this request deleted.")


class PredictionIn(Shape):
    """Fields of a prediction."""

    model_config = example(task=1, result=EXAMPLE_RESULT, score=0.9, model_version="cats-3")
    task: int | None = Field(None, description="Its task; needed to make one.")
    result: Result | None = Field(
        None, description="As that of an annotation; needed to make one.", examples=[EXAMPLE_RESULT]
    )
    score: float | None = Field(None, description="How sure the model is.")
    model_version: str | None = Field(None, description="Name and version of the model.")
    cluster: int | None = Field(None, description="The cluster that the model put the task into.")
    neighbors: Any = Field(None, description="What the model found near the task.")
    mislabeling: float | None = Field(None, description="Likelihood that the task is mislabelled.")
    model: int | None = Field(None, description="Number of the model.")
    model_run: int | None = Field(None, description="Number of the model's run.")


class PredictionOut(Shape):
    """A prediction."""

    id: int = Field(description="Its number.")
    result: list[Any] = Field(description="As that of an annotation.", examples=[EXAMPLE_RESULT])
    model_version: str | None = Field(description="Name and version of the model.")
    created_ago: str = Field(description="How long ago it was made, in words.")
    score: float | None = Field(description="How sure the model is.")
    cluster: int | None = Field(description="The cluster that the model put the task into.")
    neighbors: Any = Field(description="What the model found near the task.")
    mislabeling: float = Field(description="Likelihood that the task is mislabelled.")
    created_at: Moment = Field(description="When it was made.")
    updated_at: Moment = Field(description="When it was changed last.")
    model: int | None = Field(description="Number of the model.")
    model_run: int | None = Field(description="Number of the model's run.")
    task: int = Field(description="Its task.")
    project: int = Field(description="Its project.")


class TaskEdit(Shape):
    """Fields of a task that can be edited."""

    model_config = example(data={"image": "s3://photos/a.jpg"}, meta={"taken": "2024"})
    data: dict[str, Any] | None = Field(
        None,
        description="What is labelled, with the keys of the label config.",
        examples=[{"image": "s3://photos/a.jpg"}],
    )
    meta: dict[str, Any] | None = Field(None, description="Anything else worth keeping.")
    allow_skip: bool | None = Field(None, description="Whether annotators may skip it.")


class TaskIn(TaskEdit):
    """A task to be made."""

    model_config = example(project=1, data={"image": "s3://photos/a.jpg"})
    project: int = Field(description="Its project.")
    annotations: list[dict[str, Any]] | None = Field(None, description="Its annotations, as in an import of tasks.")
    predictions: list[dict[str, Any]] | None = Field(None, description="Its predictions, as in an import of tasks.")


class NewTaskOut(Shape):
    """A task as it is stored."""

    id: int = Field(description="Its number: a hash of where it comes from.")
    data: dict[str, Any] = Field(description="What is labelled.", examples=[{"image": "s3://photos/a.jpg"}])
    meta: dict[str, Any] = Field(description="Anything else worth keeping.")
    created_at: Moment = Field(description="When it was made.")
    updated_at: Moment = Field(description="When it was changed last.")
    is_labeled: bool = Field(description="Whether it has as many annotations as the project wants.")
    overlap: int = Field(description="How many annotations the project wants.")
    inner_id: int | None = Field(description="Always null: tasks are made by many workers at once.")
    total_annotations: int = Field(description="Annotations that were not cancelled.")
    cancelled_annotations: int = Field(description="Annotations that were cancelled.")
    total_predictions: int = Field(description="Predictions.")
    comment_count: int = Field(description="Always 0.")
    unresolved_comment_count: int = Field(description="Always 0.")
    last_comment_updated_at: str | None = Field(description="Always null.")
    project: int = Field(description="Its project.")
    updated_by: list[dict[str, int]] | None = Field(description="Who changed its annotations.")
    file_upload: str | None = Field(description="Always null.")
    comment_authors: list[Any] = Field(description="Always empty.")


class SourceMark(Shape):
    """What became of a task's source."""

    version: str = Field(description="Version of the object: the new one, or the last one that there was.")
    at: Moment = Field(description="When it was noticed.")


class RecordLink(Shape):
    """A record of a dataset."""

    dataset: int = Field(description="Id of the dataset storage.")
    id: int = Field(description="Id of the record.")
    version: str = Field(description="The record's version when the task was made.")


class TaskOut(NewTaskOut):
    """A task, with what people and models said of it. `task_only` lists lack the fields that may be absent here."""

    predictions: list[PredictionOut] = Field([], description="Its predictions, oldest first.")
    annotations: list[AnnotationOut] = Field([], description="Its annotations, oldest first, cancelled ones too.")
    drafts: list[Any] = Field(description="Always empty.")
    annotators: list[dict[str, int]] = Field(description="Who annotated it.", examples=[[{"user_id": 1}]])
    completed_at: str | None = Field(None, description="When its last annotation was made, if it is labelled.")
    annotations_results: str = Field(description="The results of its annotations as JSON, with commas between.")
    predictions_results: str = Field(description="The results of its predictions as JSON, with commas between.")
    predictions_score: float | None = Field(None, description="Mean of its predictions' scores.")
    storage_filename: str | None = Field(description="The object that it was made of.")
    annotations_ids: str = Field(description="Numbers of its annotations, with commas between.")
    predictions_model_versions: str = Field(description="Models of its predictions, with commas between.")
    avg_lead_time: float | None = Field(None, description="Mean of its annotations' lead times, in seconds.")
    draft_exists: bool = Field(False, description="Always false.")
    source_changed: SourceMark | None = Field(
        None,
        description="There only if so: the object that it was made of, or its row in the file, changed after somebody "
        "worked on it. The task was left as it is.",
    )
    source_deleted: SourceMark | None = Field(
        None,
        description="There only if so: the object, or its row in the file, is gone. It goes away when that is back.",
    )
    record: RecordLink | None = Field(
        None, description="There only if so: the record of a dataset that it was made of."
    )


class TaskPage(Shape):
    """A page of tasks; the totals are those of all pages."""

    total_annotations: int = Field(description="Annotations of all the tasks.")
    total_predictions: int = Field(description="Predictions of all the tasks.")
    total: int = Field(description="How many tasks there are.")
    tasks: list[TaskOut] = Field(description="The tasks of this page.")
