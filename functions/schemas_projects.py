"""The shapes of projects for the documentation at /docs; see `schemas`."""

from typing import Any

from pydantic import Field

from functions.schemas import Moment, Shape, example
from shared.model.project import Sampling, SkipQueue

CONFIG = (
    '<View><Image name="image" value="$image"/><Choices name="kind" toName="image"><Choice value="cat"/>'
    '<Choice value="dog"/></Choices></View>'
)
WEIGHTS = {"kind": {"overall": 1.0, "labels": {"cat": 1.0, "dog": 0.5}}}


class ProjectIn(Shape):
    """Fields of a project; all are optional. Others that Label Studio has are ignored."""

    model_config = example(title="Cats and dogs", label_config=CONFIG, maximum_annotations=2)
    title: str | None = Field(None, description="Name of the project, 3 to 50 characters.")
    description: str | None = Field(None, description="What it is for.")
    label_config: str | None = Field(None, description='XML. Its first `value="$name"` names the data of blob tasks.')
    maximum_annotations: int | None = Field(None, description="Annotations that make a task finished, 1 to 1000.")
    pinned_at: str | None = Field(None, description="When it was pinned: such projects come first. Null: not pinned.")
    color: str | None = Field(None, description="#RRGGBB.")
    expert_instruction: str | None = Field(None, description="For annotators, HTML.")
    show_instruction: bool | None = Field(None, description="Whether annotators see the instruction first.")
    show_skip_button: bool | None = Field(None, description="Whether annotators may skip tasks.")
    enable_empty_annotation: bool | None = Field(None, description="Whether annotations may be empty.")
    show_annotation_history: bool | None = Field(None, description="Whether annotators see earlier versions.")
    show_collab_predictions: bool | None = Field(None, description="Whether annotators see predictions.")
    show_ground_truth_first: bool | None = Field(None, description="Whether tasks with a ground truth come first.")
    show_overlap_first: bool | None = Field(None, description="Whether tasks for several annotators come first.")
    overlap_cohort_percentage: int | None = Field(
        None, description="Percentage of tasks for several annotators, 0 to 100."
    )
    annotator_evaluation_enabled: bool | None = Field(None, description="Whether annotators are measured.")
    is_published: bool | None = Field(None, description="Whether annotators see the project.")
    is_draft: bool | None = Field(None, description="Whether it is still being set up.")
    model_version: str | None = Field(None, description="The model whose predictions are shown.")
    min_annotations_to_start_training: int | None = Field(None, description="After how many a model is trained.")
    start_training_on_annotation_update: bool | None = Field(None, description="The older name of the same: 1, or 0.")
    evaluate_predictions_automatically: bool | None = Field(None, description="Whether models predict loaded tasks.")
    reveal_preannotations_interactively: bool | None = Field(
        None, description="Whether predictions show only where they are selected."
    )
    sampling: Sampling | None = Field(None, description="The order in which tasks are annotated.")
    skip_queue: SkipQueue | None = Field(None, description="What becomes of skipped tasks.")
    control_weights: dict[str, Any] | None = Field(
        None,
        description="By control: `overall`, and `labels` with a weight each; 1 where none is given.",
        examples=[WEIGHTS],
    )


class Counts(Shape):
    """How far the work on a project is; null: not asked for."""

    id: int = Field(description="Id of the project.")
    task_number: int | None = Field(description="Tasks.")
    finished_task_number: int | None = Field(description="Tasks with as many annotations as the project wants.")
    total_predictions_number: int | None = Field(description="Predictions.")
    total_annotations_number: int | None = Field(description="Annotations, without skipped ones.")
    num_tasks_with_annotations: int | None = Field(description="Tasks that have annotations.")
    useful_annotation_number: int | None = Field(description="Annotations that are no ground truth.")
    ground_truth_number: int | None = Field(description="Annotations that are known to be right.")
    skipped_annotations_number: int | None = Field(description="Annotations that say that the task was skipped.")


class Person(Shape):
    """Who made it; the id alone once they have no access any more."""

    id: int = Field(description="Id of the user.")
    first_name: str = Field(description="First name.")
    last_name: str = Field(description="Last name.")
    email: str = Field(description="Address.")
    avatar: None = Field(description="Always null.")


class ProjectOut(Counts):
    """A project. Some settings are kept for Label Studio's clients and mean nothing to Sluice itself."""

    title: str = Field(description="Name of the project.")
    description: str = Field(description="What it is for.")
    label_config: str = Field(description="What annotators are asked, XML.", examples=[CONFIG])
    expert_instruction: str = Field(description="For annotators, HTML.")
    show_instruction: bool = Field(description="Whether annotators see the instruction first.")
    show_skip_button: bool = Field(description="Whether annotators may skip tasks.")
    enable_empty_annotation: bool = Field(description="Whether annotations may be empty.")
    show_annotation_history: bool = Field(description="Whether annotators see earlier versions.")
    organization: int = Field(description="Always 1.")
    color: str = Field(description="#RRGGBB.")
    maximum_annotations: int = Field(description="Annotations that make a task finished.")
    is_published: bool = Field(description="Whether annotators see the project.")
    model_version: str = Field(description="The model whose predictions are shown.")
    is_draft: bool = Field(description="Whether it is still being set up.")
    created_by: Person = Field(description="Who made it.")
    created_at: Moment = Field(description="When it was made.")
    min_annotations_to_start_training: int = Field(description="After how many a model is trained.")
    start_training_on_annotation_update: bool = Field(description="Whether that is more than none.")
    show_collab_predictions: bool = Field(description="Whether annotators see predictions.")
    sampling: Sampling = Field(description="The order in which tasks are annotated.")
    show_ground_truth_first: bool = Field(description="Whether tasks with a ground truth come first.")
    annotator_evaluation_enabled: bool = Field(description="Whether annotators are measured.")
    show_overlap_first: bool = Field(description="Whether tasks for several annotators come first.")
    overlap_cohort_percentage: int = Field(description="Percentage of tasks for several annotators.")
    task_data_login: None = Field(description="Always null.")
    task_data_password: None = Field(description="Always null.")
    control_weights: dict[str, Any] = Field(description="The weights of all labels by control.", examples=[WEIGHTS])
    parsed_label_config: dict[str, Any] = Field(description="What the label config says, by control.")
    evaluate_predictions_automatically: bool = Field(description="Whether models predict loaded tasks.")
    config_has_control_tags: bool = Field(description="Whether the label config asks for anything.")
    skip_queue: SkipQueue = Field(description="What becomes of skipped tasks.")
    reveal_preannotations_interactively: bool = Field(
        description="Whether predictions show only where they are selected."
    )
    pinned_at: Moment | None = Field(description="When it was pinned; null: it is not.")
    queue_total: int | None = Field(description="The same as `task_number`.")
    queue_done: int | None = Field(description="The same as `finished_task_number`.")
    config_suitable_for_bulk_annotation: bool = Field(description="Whether one annotation can be given to many tasks.")
    state: None = Field(description="Always null.")


class _Page(Shape):
    count: int = Field(description="How many there are on all pages.")
    next: str | None = Field(description="URL of the next page; null: this is the last.")
    previous: str | None = Field(description="URL of the page before; null: this is the first.")


class ProjectPage(_Page):
    """A page of projects."""

    results: list[ProjectOut] = Field(description="The projects of this page.")


class CountsPage(_Page):
    """A page of counters."""

    results: list[Counts] = Field(description="The counters of the projects of this page.")


class Annotator(Person):
    """A user who annotated."""

    username: str = Field(description="What they are called in lists.")


class LabelConfigIn(Shape):
    """A label config to check."""

    model_config = example(label_config=CONFIG)
    label_config: str = Field(description="XML.")


class ConfigCheck(Shape):
    """What is new in a label config that is valid."""

    config_essential_data_has_changed: bool = Field(
        description="Whether it has a new control, or one with another type, other inputs, or fewer labels."
    )


class DuplicateIn(Shape):
    """A copy to make."""

    model_config = example(title="Cats and dogs, once more", mode="settings")
    title: str = Field(description="Name of the new project, 3 to 50 characters.")
    mode: str = Field(description="`settings`; tasks are not copied.")
    description: str | None = Field(None, description="What the new project is for.")
    workspace: int | None = Field(None, description="Ignored: there are no workspaces.")
    include_members: bool | None = Field(None, description="Members are not copied.")


class ProjectNumber(Shape):
    """The new project."""

    id: int = Field(description="Its id.")
