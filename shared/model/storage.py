"""A storage: settings, what they mean for a listing, and StorageInfo, the state that people read."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.errors import InvalidInputError
from shared.model import targets
from shared.model.checks import CHECKS
from shared.model.fields import Direction, Field
from shared.model.filters import compile_filter, compile_glob
from shared.model.policies import Policies
from shared.model.provider import Provider, Store
from shared.model.providers import PROVIDERS
from shared.model.sidecars import is_sidecar
from shared.model.values import flag, integer, text

Status = Literal["initialized", "queued", "in_progress", "completed", "completed_with_errors", "failed"]

PARSER_VERSION = 1
"""Raised when files are read in a new way: failed entries are then tried again."""

IDENTITY = "identity"
"""A setting of our own: tells that credentials lead to another account."""
CONDITIONAL, CONDITIONAL_DELETES = "conditional", "conditional_deletes"
"""Settings of our own: whether a target's bucket was seen to honour conditions of writes and of deletes."""
MAX_TITLE = 256
MAX_TEXT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A storage. `config` holds the public settings of its type and direction; `secrets` is encrypted."""

    id: int
    type: str
    direction: Direction = "import"
    project: int
    """0: the organisation's, as datasets are."""
    created_at: float
    config: Mapping[str, Any]
    secrets: bytes

    # StorageInfo as the last run left it; what an active run adds is derived when it is read.
    status: Status = "initialized"
    last_sync: float | None = None
    last_sync_count: int | None = None
    last_sync_job: str | None = None
    traceback: str | None = None
    meta: Mapping[str, Any]

    next_sync: float | None = None
    """When the sweep starts its next sync; None where it has no schedule."""
    failures: int = 0
    """Syncs in a row that failed."""

    @property
    def provider(self) -> Provider:
        """What is known of its type."""
        return PROVIDERS[self.type]

    @property
    def location(self) -> str:
        """Fingerprint of which bucket this is."""
        identity = (self.config.get(IDENTITY),) if self.provider.identity else ()
        place = (_place(self.config.get(name)) for name in self.provider.location)
        return _fingerprint(self.provider.store, *place, *identity)

    @property
    def shape(self) -> str:
        """Fingerprint of what is taken from the bucket or written to it, and how; as ever where nothing is new."""
        if self.direction == "export":
            written = ("export_format", "key_template", "can_delete_objects", "manifest")
            return _fingerprint(self.prefix, *(self.config.get(name) or None for name in written))
        taken = [self.config.get(name) or None for name in ("regex_filter", "recursive_scan")]
        if glob := self.config.get("glob_filter"):
            taken.append(("glob", glob))
        if self.direction == "dataset":
            return _fingerprint(self.prefix, *taken, self.has_image_sizes)
        return _fingerprint(self.prefix, *taken, self.blob_mode, self.has_sidecars, PARSER_VERSION)

    @property
    def prefix(self) -> str:
        """What keys must start with, and those of a target do."""
        given: str | None = self.config.get(self.provider.prefix)
        if self.provider.prefix not in {field.name for field in self.provider.fields_of(self.direction)}:
            return ""
        return listing_prefix(given) if self.provider.folders else given or ""

    @property
    def has_bucket(self) -> bool:
        """Whether its settings name a bucket yet."""
        return not self.provider.bucket or bool(self.config.get(self.provider.bucket))

    @property
    def policies(self) -> Policies:
        """What is done about objects that change or go."""
        return Policies.of(self.config)

    @property
    def listens_to(self) -> str:
        """Whose notifications it honours, in the form of `bucket_id`; "" for nobody's."""
        if not self.config.get("auto_sync") or not self.config.get("synchronizable", True):
            return ""
        return bucket_id(self.provider.store, self.config.get(self.provider.bucket) or "")

    @property
    def blob_mode(self) -> bool:
        """Whether an object is a task, not a file of them."""
        return self.provider.blobs and bool(self.config.get("use_blob_urls"))

    @property
    def has_sidecars(self) -> bool:
        """Whether files beside objects say more of their tasks."""
        return self.blob_mode and self.config.get("sidecar") == "json"

    @property
    def has_image_sizes(self) -> bool:
        """Whether the first bytes of images are read for their sizes."""
        return bool(self.config.get("image_sizes"))


def bucket_id(store: Store, bucket: str) -> str:
    """What storages are found by when a bucket of this name notifies; several places may have such a bucket."""
    return _fingerprint(store, bucket) if bucket else ""


def identity_of(provider: Provider, secrets: Mapping[str, str]) -> dict[str, str]:
    """What the public settings have to hold of the secrets: whose bucket it is, as a fingerprint."""
    return {IDENTITY: identity_fingerprint(provider.identity(secrets))} if provider.identity else {}


def identity_fingerprint(identity: str) -> str:
    """The fingerprint of what `Provider.identity` finds in secrets."""
    return _fingerprint(identity)


def _place(value: Any) -> Any:
    """A part of a location, alike for what differs in nothing: empty or not given, with a slash at the end or not."""
    return (value.strip().rstrip("/") or None) if isinstance(value, str) else value


def _fingerprint(*values: Any) -> str:
    return hashlib.blake2b(repr(values).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Scope:
    """Which objects of a bucket a storage takes."""

    prefix: str
    recursive: bool
    wants: Callable[[str], bool]
    """Whether a listed key is taken; keys outside `prefix` are not asked about but answered false."""
    sidecars: bool = False
    """Whether JSON files are no objects to take, but say more of those beside them (`model/sidecars.py`)."""

    def concerns(self, key: str) -> bool:
        """Whether anything of the storage changes with a key."""
        return self.wants(key) or self.takes_sidecar(key)

    def takes_sidecar(self, key: str) -> bool:
        """Whether a key is of a sidecar. A filter speaks of objects alone."""
        inside = key.startswith(self.prefix) and (self.recursive or "/" not in key[len(self.prefix) :])
        return self.sidecars and is_sidecar(key) and inside

    @classmethod
    def of(cls, storage: Storage) -> "Scope":
        """The scope of a storage's settings, which must be valid. A target's is all that lies below its prefix."""
        if storage.direction == "export":
            return cls(storage.prefix, True, lambda key: key.startswith(storage.prefix))
        config, basename, folders = storage.config, storage.provider.basename_filter, storage.provider.folders
        prefix, recursive = storage.prefix, bool(config.get("recursive_scan")) or not folders
        pattern = compile_filter(config["regex_filter"]) if config.get("regex_filter") else None
        glob = compile_glob(config["glob_filter"]) if config.get("glob_filter") else None
        below = below_prefix(prefix)
        sidecars = storage.has_sidecars

        def wants(key: str) -> bool:
            if not key.startswith(prefix) or (folders and key.endswith("/")) or f"{targets.OWN_FOLDER}/" in key:
                return False
            if (not recursive and "/" in key[len(prefix) :]) or (sidecars and is_sidecar(key)):
                return False
            if glob is not None and not glob(key[below:]):
                return False
            return pattern is None or bool(pattern(key.rpartition("/")[2] if basename else key))

        return cls(prefix, recursive, wants, sidecars)


def below_prefix(prefix: str) -> int:
    """Where the part of a key begins that globs look at: in the folder of the prefix, so that names stay whole."""
    return prefix.rfind("/") + 1


def listing_prefix(prefix: str | None) -> str:
    """What keys must start with: a folder, or literal if it ends in "*"."""
    if not prefix or not prefix.strip("/"):
        return ""
    return prefix[:-1] if prefix.endswith("*") else prefix.rstrip("/") + "/"


def clean(
    provider: Provider, given: Mapping[str, Any], *, partial: bool, direction: Direction = "import"
) -> dict[str, Any]:
    """The fields of a request that the provider knows, checked and converted; unknown names are ignored.

    `partial`: only the given ones; otherwise defaults fill the rest. Raises `InvalidInputError` naming every bad field.
    """
    values: dict[str, Any] = {}
    problems: dict[str, list[str]] = {}
    known = provider.fields_of(direction)
    for field in known:
        if field.name not in given:
            if not partial:
                values[field.name] = field.default
            continue
        try:
            values[field.name] = _convert(field, given[field.name])
        except ValueError as error:
            problems[field.name] = [str(error)]
    _check(known, values, problems)
    if problems:
        raise InvalidInputError(fields=problems)
    return values


def _convert(field: Field, value: Any) -> Any:
    if field.kind == "flag":
        if value is None and field.default is not True:
            return field.default
        return flag(value)
    if field.kind == "integer":
        return integer(value, field.minimum, field.maximum)
    if field.kind == "choice":
        options = [option for option, _ in field.options]
        if value in options:
            return value
        raise ValueError(f"Not a valid choice: write one of {', '.join(options)}.")
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    found = text(value, MAX_TITLE if field.name == "title" else MAX_TEXT)
    return found.strip() if field.trim else found


def check_together(storage: Storage) -> None:
    """Refuses settings that are right by themselves but not with the others. Raises `InvalidInputError`."""
    template = storage.config.get("key_template")
    if template and (problem := targets.template_problem(template, storage.config["export_format"])):
        raise InvalidInputError.of("key_template", problem)


def _check(known: Sequence[Field], values: Mapping[str, Any], problems: dict[str, list[str]]) -> None:
    for name, compiled in (("regex_filter", compile_filter), ("glob_filter", compile_glob)):
        if values.get(name):
            try:
                compiled(values[name])
            except InvalidInputError as error:
                problems.update(error.fields)
    for field in known:
        if field.check and (text := values.get(field.name)) and (problem := CHECKS[field.check](text)):
            problems[field.name] = [problem]
