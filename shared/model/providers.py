"""The storage types as data: their fields, defaults, secrets and limits. A new provider adds one entry here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "flag", "integer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A setting of a storage. `secret` ones are encrypted at rest and never shown."""

    name: str
    kind: Kind = "text"
    default: Any = None
    secret: bool = False
    help: str
    minimum: int = 0
    maximum: int = 32767


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A storage type. `location` names the fields that say *which bucket*; other ones, other ledger."""

    type: str
    title: str
    fields: tuple[Field, ...]
    location: tuple[str, ...]
    lanes: bool
    """Whether many workers can list at once: false where a listing can't start at a key."""
    basename_filter: bool = False
    """`regex_filter` looks at the file's name instead of the whole key, as Label Studio does for local files."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the fields that are never shown."""
        return tuple(field.name for field in self.fields if field.secret)


TITLE = Field(name="title", help="Name of the storage, for people.")
DESCRIPTION = Field(name="description", help="What the storage is for.")
SYNCHRONIZABLE = Field(name="synchronizable", kind="flag", default=True, help="Whether it can be synced.")
REGEX = Field(
    name="regex_filter",
    help="RE2 pattern, matched from the start of the object's full key (local files: of the file's name). "
    "Objects that do not match are left out. Empty: all objects.",
)
BLOB_URLS = Field(
    name="use_blob_urls",
    kind="flag",
    default=False,
    help="True: a task per object, holding its address. False: objects are JSON, JSONL or Parquet files of tasks.",
)
PREFIX = Field(
    name="prefix",
    help='Folder to sync: "img" means "img/". With a trailing "*" it is literal: "img_2024*" takes "img_2024_01.jpg".',
)
RECURSIVE = Field(name="recursive_scan", kind="flag", default=False, help="Whether to look into sub-folders.")
PRESIGN = Field(
    name="presign", kind="flag", default=True, help="Give browsers signed URLs instead of streaming through Sluice."
)
PRESIGN_TTL = Field(name="presign_ttl", kind="integer", default=1, minimum=1, help="Life of a signed URL, in minutes.")

COMMON = (TITLE, DESCRIPTION, SYNCHRONIZABLE)

S3 = Provider(
    type="s3",
    title="AWS S3",
    location=("s3_endpoint", "bucket"),
    lanes=True,
    fields=(
        *COMMON,
        Field(name="bucket", help="Name of the bucket."),
        PREFIX,
        REGEX,
        BLOB_URLS,
        Field(name="aws_access_key_id", secret=True, help="Access key; empty: the environment's credentials."),
        Field(name="aws_secret_access_key", secret=True, help="Secret of the access key."),
        Field(name="aws_session_token", secret=True, help="Session token of temporary credentials."),
        Field(name="aws_sse_kms_key_id", help="KMS key for objects that are written."),
        Field(name="region_name", help="Region of the bucket; empty: found out."),
        Field(name="s3_endpoint", help="URL of an S3-compatible service; empty: AWS."),
        PRESIGN,
        PRESIGN_TTL,
        RECURSIVE,
    ),
)

LOCAL_FILES = Provider(
    type="localfiles",
    title="Local files",
    location=("path",),
    lanes=False,
    basename_filter=True,
    fields=(
        *COMMON,
        Field(name="path", help="Absolute path of a folder below LOCAL_FILES_DOCUMENT_ROOT."),
        REGEX,
        BLOB_URLS,
        RECURSIVE,
    ),
)

PROVIDERS: Mapping[str, Provider] = {provider.type: provider for provider in (S3, LOCAL_FILES)}
