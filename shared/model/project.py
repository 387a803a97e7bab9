"""A project: a title, a label config, whose first data key names what blob-mode tasks hold, and how people label."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal
from xml.etree import ElementTree

EMPTY_CONFIG = "<View></View>"
WHITE = "#FFFFFF"
DATA_KEY = re.compile(r"\$(\w+)")

Sampling = Literal["Sequential sampling", "Uniform sampling", "Uncertainty sampling"]
SkipQueue = Literal["REQUEUE_FOR_OTHERS", "REQUEUE_FOR_ME", "IGNORE_SKIPPED"]
"""Of either, the first is the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What tasks belong to. Requests set its fields through `shared.model.project_fields`."""

    id: int
    title: str
    description: str = ""
    label_config: str = EMPTY_CONFIG
    created_at: float
    created_by: int = 1
    maximum_annotations: int = 1
    """How many annotations make a task finished."""
    pinned_at: float = 0.0
    """0: not pinned. Pinned ones come first."""

    # For the programs that people label with; nothing here acts on them.
    color: str = WHITE
    expert_instruction: str = ""
    show_instruction: bool = False
    show_skip_button: bool = True
    enable_empty_annotation: bool = True
    show_annotation_history: bool = False
    is_published: bool = False
    is_draft: bool = False
    model_version: str = ""
    min_annotations_to_start_training: int = 0
    show_collab_predictions: bool = True
    sampling: Sampling = "Sequential sampling"
    show_ground_truth_first: bool = False
    annotator_evaluation_enabled: bool = False
    show_overlap_first: bool = False
    overlap_cohort_percentage: int = 100
    control_weights: Mapping[str, Any] = field(default_factory=dict)
    """Those that differ from 1; see `functions.label_config`."""
    evaluate_predictions_automatically: bool = False
    skip_queue: SkipQueue = "REQUEUE_FOR_OTHERS"
    reveal_preannotations_interactively: bool = False

    @property
    def data_key(self) -> str | None:
        """The first data key of the label config, such as `image` for `<Image value="$image"/>`."""
        found = DATA_KEY.search(self.label_config)
        return found.group(1) if found else None

    @property
    def data_keys(self) -> tuple[str, ...]:
        """The data keys that the label config's objects show, each once."""
        return _data_keys(self.label_config)


@lru_cache(maxsize=128)
def _data_keys(label_config: str) -> tuple[str, ...]:
    try:
        root = ElementTree.fromstring(label_config)  # noqa: S314  checked when it was saved
    except ElementTree.ParseError:
        return ()
    shown = (tag.attrib.get("value", "") for tag in root.iter() if "name" in tag.attrib and "toName" not in tag.attrib)
    keys = (DATA_KEY.match(value) for value in shown)
    return tuple(dict.fromkeys(key.group(1) for key in keys if key))
