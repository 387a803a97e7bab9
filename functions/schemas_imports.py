"""The shapes of imports of tasks and predictions for the documentation at /docs; see `schemas`."""

from typing import Any, Literal

from pydantic import Field, RootModel

from functions.schemas import Moment, Shape, sample
from functions.schemas_tasks import EXAMPLE_RESULT, PredictionIn


class ImportIn(RootModel[list[dict[str, Any]]]):
    """Tasks to be made: each an object with `data` (and annotations, predictions, meta), or its data alone."""

    model_config = sample(
        [
            {"image": "s3://photos/a.jpg"},
            {"data": {"image": "s3://photos/b.jpg"}, "predictions": [{"result": EXAMPLE_RESULT}]},
        ]
    )


class PredictionsIn(RootModel[list[PredictionIn]]):
    """Predictions of many tasks."""

    model_config = sample([{"task": 1, "result": EXAMPLE_RESULT, "score": 0.9}])


class ImportedPredictionsOut(Shape):
    """What was imported."""

    created: int = Field(description="How many predictions were made.")


class ImportOut(Shape):
    """What was imported."""

    task_count: int = Field(description="Tasks that were made.")
    annotation_count: int = Field(description="Annotations that came with them.")
    prediction_count: int = Field(description="Predictions that came with them.")
    duration: float = Field(description="Seconds that it took.")
    file_upload_ids: list[int] = Field(description="Always empty.")
    could_be_tasks_list: bool = Field(description="Always false.")
    found_formats: list[str] = Field(description="Always empty.")
    data_columns: list[str] = Field(description="Always empty.")
    upload: int = Field(0, alias="import", description="What to ask for how far it is; absent if nothing was made.")
    task_ids: list[int] = Field([], description="The tasks, if they were asked for.")


class UploadOut(Shape):
    """An import of tasks."""

    id: int = Field(description="The `import` of the answer to its request.")
    project: int = Field(description="Its project.")
    status: Literal["in_progress", "completed"] = Field(description="Whether all is made.")
    created_at: Moment = Field(description="When it began.")
    updated_at: Moment = Field(description="When it was changed last.")
    finished_at: Moment | None = Field(description="When it ended.")
    task_count: int = Field(description="Tasks that were made.")
    annotation_count: int = Field(description="Annotations that came with them.")
    prediction_count: int = Field(description="Predictions that came with them.")
    duration: int = Field(description="Seconds that it took.")
    commit_to_project: bool = Field(description="Always true.")
    return_task_ids: bool = Field(description="Always false.")
    could_be_tasks_list: bool = Field(description="Always false.")
    preannotated_from_fields: None = Field(description="Always null.")
    file_upload_ids: list[int] = Field(description="Always empty.")
    found_formats: list[str] = Field(description="Always empty.")
    data_columns: list[str] = Field(description="Always empty.")
    tasks: None = Field(description="Always null.")
    task_ids: list[int] = Field(description="Always empty.")
    url: None = Field(description="Always null.")
    error: None = Field(description="Always null.")
