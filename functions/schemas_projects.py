"""The shapes of requests and answers about projects for the documentation at /docs."""

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from shared.model.project import Sampling, SkipQueue


class ProjectIn(BaseModel):
    """Fields of a project; all are optional. Others that Label Studio has are ignored."""

    title: str | None = Field(None, description="3 to 50 characters.")
    description: str | None = None
    label_config: str | None = Field(None, description='XML. Its first `value="$name"` names the data of blob tasks.')
    maximum_annotations: int | None = Field(None, description="Annotations that make a task finished, 1 to 1000.")
    pinned_at: str | None = Field(None, description="When it was pinned: such projects come first. Null: not pinned.")
    color: str | None = Field(None, description="#RRGGBB.")
    expert_instruction: str | None = Field(None, description="For annotators, HTML.")
    show_instruction: bool | None = None
    show_skip_button: bool | None = None
    enable_empty_annotation: bool | None = None
    show_annotation_history: bool | None = None
    show_collab_predictions: bool | None = None
    show_ground_truth_first: bool | None = None
    show_overlap_first: bool | None = None
    overlap_cohort_percentage: int | None = Field(None, description="0 to 100.")
    annotator_evaluation_enabled: bool | None = None
    is_published: bool | None = None
    is_draft: bool | None = None
    model_version: str | None = None
    min_annotations_to_start_training: int | None = None
    start_training_on_annotation_update: bool | None = None
    evaluate_predictions_automatically: bool | None = None
    reveal_preannotations_interactively: bool | None = None
    sampling: str | None = Field(None, description=f"{', '.join(get_args(Sampling))}.")
    skip_queue: str | None = Field(None, description=f"{', '.join(get_args(SkipQueue))}.")
    control_weights: dict[str, Any] | None = Field(
        None, description="By control: `overall`, and `labels` with a weight each; 1 where none is given."
    )


class Counts(BaseModel):
    """How far the work on a project is; null: not asked for."""

    id: int
    task_number: int | None
    finished_task_number: int | None
    total_predictions_number: int | None
    total_annotations_number: int | None = Field(description="Without skipped ones.")
    num_tasks_with_annotations: int | None
    useful_annotation_number: int | None = Field(description="Those that are no ground truth.")
    ground_truth_number: int | None
    skipped_annotations_number: int | None


class ProjectOut(Counts):
    """A project; there are more fields, as in Label Studio."""

    model_config = ConfigDict(extra="allow")
    title: str
    description: str
    label_config: str
    created_at: str


class _Page(BaseModel):
    count: int
    next: str | None
    previous: str | None


class ProjectPage(_Page):
    """A page of projects."""

    results: list[ProjectOut]


class CountsPage(_Page):
    """A page of counters."""

    results: list[Counts]


class Annotator(BaseModel):
    """A user who annotated."""

    id: int
    first_name: str
    last_name: str
    email: str
    avatar: None
    username: str


class LabelConfigIn(BaseModel):
    """A label config to check."""

    label_config: str


class ConfigCheck(BaseModel):
    """What is new in a label config that is valid."""

    config_essential_data_has_changed: bool = Field(
        description="Whether it has a new control, or one with another type, other inputs, or fewer labels."
    )


class DuplicateIn(BaseModel):
    """A copy to make."""

    title: str
    mode: str = Field(description="`settings`; tasks are not copied.")
    description: str | None = None
    workspace: int | None = Field(None, description="Ignored: there are no workspaces.")
    include_members: bool | None = Field(None, description="Members are not copied.")


class ProjectNumber(BaseModel):
    """The new project."""

    id: int
