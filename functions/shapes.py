"""The objects of the API as Label Studio's clients know them: every key, in Label Studio's order."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.model.fields import Direction
from shared.model.ledger import Entry
from shared.model.media_types import displayed
from shared.model.provider import Provider
from shared.model.snapshot import Snapshot
from shared.model.storage import Storage
from shared.model.times import moment
from shared.services.datasets.comparing import Change
from shared.services.storages.previewing import Preview
from shared.services.storages.views import StorageInfo

_INFO = ("last_sync", "last_sync_count", "last_sync_job", "status", "traceback", "meta")
_ABOUT = ("title", "description", "created_at")
_S3 = (
    *("id", "type", "synchronizable", "presign", *_INFO, *_ABOUT, "bucket", "prefix", "regex_filter"),
    *("use_blob_urls", "aws_sse_kms_key_id", "region_name", "s3_endpoint", "presign_ttl", "recursive_scan"),
)
_GCS = (
    *("id", "type", "synchronizable", "presign", "bucket", "prefix", "regex_filter", "use_blob_urls"),
    *("google_project_id", *_INFO, *_ABOUT, "presign_ttl", "recursive_scan"),
)
_FEDERATION = ("google_project_number", "google_wif_pool_id", "google_wif_provider_id", "google_service_account_email")
STORAGE_KEYS: Mapping[str, Sequence[str]] = {
    "s3": (*_S3, "project"),
    "s3s": (*_S3, "role_arn", "legacy_auth", "project"),
    "gcs": (*_GCS, "project"),
    "gcswif": (*_GCS, *_FEDERATION, "project"),
    "gcs_sa": (*_GCS, "target_service_account_email", "project"),
    "azure": (
        *("id", "type", "synchronizable", "presign", "container", "prefix", "regex_filter", "use_blob_urls"),
        *("azure_endpoint", *_INFO, *_ABOUT, "presign_ttl", "recursive_scan", "project"),
    ),
    "azure_spi": (
        *("id", "type", "synchronizable", "presign", "container", "prefix", "regex_filter", "use_blob_urls"),
        *("account_name", "auth_mode", "tenant_id", "client_id", *_INFO, *_ABOUT, "presign_ttl", "recursive_scan"),
        "project",
    ),
    "redis": (
        *("id", "type", "synchronizable", "path", "host", "port", "regex_filter", "use_blob_urls"),
        *(*_INFO, *_ABOUT, "db", "project"),
    ),
    "localfiles": (
        *("id", "type", "synchronizable", "path", "regex_filter", "use_blob_urls", *_INFO, *_ABOUT),
        *("recursive_scan", "project"),
    ),
}
"""What is shown of an import storage, in its order: an explicit list, so that no secret gets in by accident."""
OWN = (
    *("s3_public_endpoint", "export_format", "key_template", "manifest", "aws_sse", "google_kms_key_name"),
    *("glob_filter", "sidecar", "on_changed", "on_deleted", "image_sizes", "auto_sync", "sync_interval"),
)
"""Fields of our own; they stand behind those of Label Studio."""


def storage_keys(provider: Provider, direction: Direction) -> list[str]:
    """What is shown of a storage, in order: what an import has, less the settings that its direction lacks."""
    every, own = {field.name for field in provider.fields}, {field.name for field in provider.fields_of(direction)}
    keys = [key for key in STORAGE_KEYS[provider.type] if key in own or key not in every]
    if direction == "export":
        keys.insert(keys.index("created_at") + 1, "can_delete_objects")
    if direction == "dataset":
        keys.remove("project")
    return [*keys, *(key for key in OWN if key in own)]


def storage_shape(storage: Storage, info: StorageInfo) -> dict[str, Any]:
    """A storage with its state."""
    defaults = {field.name: field.default for field in storage.provider.fields_of(storage.direction)}
    known = {
        **defaults,
        **storage.config,
        **info._asdict(),
        "id": storage.id,
        "type": storage.type,
        "project": storage.project,
        "created_at": moment(storage.created_at),
        "last_sync": moment(info.last_sync),
    }
    return {key: known.get(key) for key in storage_keys(storage.provider, storage.direction)}


def record_shape(entry: Entry, *, number: int, uri: str) -> dict[str, Any]:
    """A record of a dataset."""
    return {
        "id": number,
        "key": entry.key,
        "uri": uri,
        "size": entry.size,
        "version": entry.version,
        "content_type": displayed(entry.key, entry.content_type),
        "last_modified": moment(entry.modified or None),
        "width": entry.width or None,
        "height": entry.height or None,
    }


def snapshot_shape(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot of a dataset."""
    return {
        "id": snapshot.id,
        "title": snapshot.title,
        "begun_at": moment(snapshot.begun_at),
        "created_at": moment(snapshot.created_at),
        "records": snapshot.records,
        "bytes": snapshot.size,
        "root": snapshot.root,
    }


def change_shape(change: Change) -> dict[str, Any]:
    """What became of a record from one snapshot to another."""
    what = "added" if change.before is None else "removed" if change.after is None else "changed"
    before, after = (_state(entry) if entry else None for entry in (change.before, change.after))
    return {"key": change.key, "change": what, "before": before, "after": after}


def _state(entry: Entry) -> dict[str, Any]:
    return {
        "size": entry.size,
        "version": entry.version,
        "content_type": displayed(entry.key, entry.content_type),
        "width": entry.width or None,
        "height": entry.height or None,
    }


TIMED_OUT = "... storage scan timeout reached ..."


def preview_shape(seen: Preview) -> dict[str, Any]:
    """The objects of a preview; a last entry that is none says that there may be more."""
    files: list[dict[str, Any]] = [
        {"key": info.key, "last_modified": moment(info.modified or None), "size": info.size} for info in seen.objects
    ]
    if seen.limit_reached or seen.timed_out:
        files.append({"key": TIMED_OUT if seen.timed_out else None, "last_modified": None, "size": None})
    return {"files": files}
