"""Settings of storages as data, and those that many storage types have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Direction = Literal["import", "export", "dataset"]
DIRECTIONS: tuple[Direction, ...] = ("import", "export", "dataset")
"""Whether objects become tasks, annotations become objects, or objects become records outside of any project."""
IMPORTS: tuple[Direction, ...] = ("import",)
EXPORTS: tuple[Direction, ...] = ("export",)
DATASETS: tuple[Direction, ...] = ("dataset",)
SOURCES: tuple[Direction, ...] = ("import", "dataset")
"""Those that take objects from a bucket."""
Kind = Literal["text", "flag", "integer", "choice"]
Check = Literal["", "bucket", "host", "port", "url", "role", "external_id", "number", "pool", "email", "account", "id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A setting of a storage. `secret` ones are encrypted at rest and never shown."""

    name: str
    label: str = ""
    """What people call it; "" is made of the name."""
    kind: Kind = "text"
    default: Any = None
    secret: bool = False
    help: str
    minimum: int = 0
    maximum: int = 32767
    trim: bool = False
    """Whether blanks around a text mean nothing."""
    check: Check = ""
    """What a text that is not empty must look like: see `checks`."""
    options: tuple[tuple[Any, str], ...] = ()
    """Values to choose from, with what they mean. A choice has no others."""
    only: tuple[Direction, ...] = DIRECTIONS
    """The directions whose storages have it."""
    needed: bool = False
    """Whether nothing can be synced before it is set; it may be set later, with the bucket at the latest."""
    needed_if: tuple[str, Any] | None = None
    """The same, only where another setting has this value."""
    inert: bool = False
    """Kept and shown, as Label Studio does, but without effect."""

    def needed_in(self, values: Mapping[str, Any]) -> bool:
        """Whether it is needed where the other settings are these."""
        return self.needed or (self.needed_if is not None and values.get(self.needed_if[0]) == self.needed_if[1])


TITLE = Field(name="title", help="Name of the storage, for people.")
DESCRIPTION = Field(name="description", help="What the storage is for.")
SYNCHRONIZABLE = Field(name="synchronizable", kind="flag", default=True, help="Whether it can be synced.")
REGEX = (
    Field(
        name="regex_filter",
        label="File filter regex",
        only=SOURCES,
        help="RE2 pattern, matched from the start of the object's full key (local files: of the file's name). "
        "Objects that do not match are left out. Empty: all objects.",
    ),
    Field(name="regex_filter", only=EXPORTS, inert=True, help="Has no meaning for targets."),
    Field(
        name="glob_filter",
        label="File filter glob",
        only=SOURCES,
        help="What the object's key looks like below the prefix: **/*.jpg, 2024/*.{png,jpg}, scan_?.[a-z]*. A * stays "
        "within a folder, ** takes any number of them. With a regex_filter, both must match. Empty: all objects.",
    ),
)
BLOB_URLS_EXPORT = Field(
    name="use_blob_urls", kind="flag", default=False, only=EXPORTS, inert=True, help="Has no meaning for targets."
)
SIDECAR = Field(
    name="sidecar",
    label="Sidecar files",
    kind="choice",
    default="none",
    only=IMPORTS,
    options=(("none", "None"), ("json", "x.json beside x.jpg says more of its task")),
    help="json: where each object is a task, x.json beside x.jpg adds to it: data keys, predictions, annotations. "
    "Whichever comes first. JSON files are no tasks then.",
)
BLOB_URLS = (
    Field(
        name="use_blob_urls",
        label="Import method",
        kind="flag",
        default=False,
        only=IMPORTS,
        help="True: a task per object, holding its address. False: objects are JSON, JSONL or Parquet files of tasks.",
        options=(
            (True, "Files: a task per object"),
            (False, "Tasks: objects are JSON, JSONL or Parquet files of tasks"),
        ),
    ),
    SIDECAR,
    BLOB_URLS_EXPORT,
)
PREFIX = (
    Field(
        name="prefix",
        only=SOURCES,
        help='Folder to sync: "img" means "img/". With a trailing "*" it is literal: "img_2024*" takes '
        '"img_2024_01.jpg".',
    ),
    Field(
        name="prefix",
        only=EXPORTS,
        help='Folder to write into: "out" means "out/". With a trailing "*" it is literal: "out_*" writes "out_12".',
    ),
)
RECURSIVE = (
    Field(
        name="recursive_scan",
        label="Scan sub-folders",
        kind="flag",
        default=False,
        only=IMPORTS,
        help="Whether to look into sub-folders.",
    ),
    Field(
        name="recursive_scan",
        label="Scan sub-folders",
        kind="flag",
        default=True,
        only=DATASETS,
        help="Whether to look into sub-folders.",
    ),
)
AUTO_SYNC = Field(
    name="auto_sync",
    label="Sync on notifications",
    kind="flag",
    default=False,
    only=SOURCES,
    help="Whether notifications of the bucket are honoured: what they tell of is synced within seconds.",
)
"""Of storages whose buckets can notify."""
PRESIGN = (
    Field(
        name="presign",
        label="Use signed URLs",
        kind="flag",
        default=True,
        only=IMPORTS,
        help="Give browsers signed URLs instead of streaming through Sluice.",
    ),
    Field(
        name="presign_ttl",
        label="Life of signed URLs (minutes)",
        kind="integer",
        default=1,
        minimum=1,
        only=IMPORTS,
        help="Life of a signed URL, in minutes.",
    ),
)
TARGET = (
    Field(
        name="can_delete_objects",
        label="Can delete objects",
        kind="flag",
        only=EXPORTS,
        help="Whether an annotation that is deleted is deleted from the bucket too.",
    ),
    Field(
        name="export_format",
        kind="choice",
        default="annotation",
        only=EXPORTS,
        options=(("annotation", "An object per annotation"), ("task", "An object per task, with all its annotations")),
        help="What an object holds: `annotation` or `task`.",
    ),
    Field(
        name="key_template",
        only=EXPORTS,
        help="Name of an object below the prefix, made of text, {project}, {task}, {annotation} (in annotation "
        "format), and {year}, {month}, {day} of what is written: {task}/{annotation}.json. Empty: {annotation}, or "
        "{task}.json in task format.",
    ),
    Field(
        name="manifest",
        kind="flag",
        default=False,
        only=EXPORTS,
        help="Whether a full sync ends with a list of all objects, their sizes and checksums, below the prefix in "
        ".sluice/manifest.json.",
    ),
)
"""What only targets have; all but the first are no fields of Label Studio."""

ON_CHANGED = Field(
    name="on_changed",
    label="When an object changes",
    kind="choice",
    default="update_unannotated",
    only=IMPORTS,
    options=(
        ("update_unannotated", "Update tasks that nobody worked on, mark the others"),
        ("ignore", "Leave its tasks as they are"),
    ),
    help="When an object changes. update_unannotated: tasks that nobody worked on follow it, others are marked "
    "source_changed. ignore: its tasks stay as they were imported.",
)
ON_DELETED = Field(
    name="on_deleted",
    label="When an object is deleted",
    kind="choice",
    default="keep",
    only=IMPORTS,
    options=(
        ("keep", "Keep its tasks"),
        ("mark", "Keep its tasks, and mark them"),
        ("delete_unannotated", "Delete tasks that nobody worked on, mark the others"),
    ),
    help="When an object is gone. keep: its tasks stay. mark: they are marked source_deleted. delete_unannotated: "
    "tasks that nobody worked on are deleted, others marked; when it is back, so are they. If very many would go (100 "
    "objects, or a tenth of all), nothing is deleted unless a sync is started with delete_gone.",
)
POLICIES = (ON_CHANGED, ON_DELETED)
"""What import storages have whose objects have versions and are not meant to come and go."""
IMAGE_SIZES = Field(
    name="image_sizes",
    label="Read the sizes of images",
    kind="flag",
    default=False,
    only=DATASETS,
    help="Whether records of images have width and height, for which up to 64 KiB of each are read, once.",
)
SYNC_INTERVAL = Field(
    name="sync_interval",
    label="Sync every (minutes)",
    kind="integer",
    default=0,
    help="Minutes after the start of a sync when the next one is started; 0: only when asked for. Doubled with every "
    "sync in a row that fails, up to a day.",
)

COMMON = (TITLE, DESCRIPTION, SYNCHRONIZABLE, SYNC_INTERVAL, IMAGE_SIZES)
BUCKET = Field(name="bucket", trim=True, check="bucket", needed=True, help="Name of the bucket.")
