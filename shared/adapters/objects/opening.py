"""Opens the bucket of a storage: the one switch over stores. A new one adds one case."""

import hashlib
import os
import secrets as random_bytes
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any
from urllib.parse import quote

from shared.adapters.objects import identities
from shared.errors import BucketNotFoundError, IncompleteError, StoreError
from shared.model.storage import Storage
from shared.ports import ObjectStore
from shared.settings import PRIVATE_MARK, Settings

MAX_OPEN = 64
"""Stores kept for the next use; one that drops out is closed by its last user letting go of it."""
SERVING_DISABLED = (
    "Serving local files is disabled: set LOCAL_FILES_SERVING_ENABLED=true, and LOCAL_FILES_DOCUMENT_ROOT to the "
    "folder that holds the data, where Sluice is started."
)


class Stores:
    """Stores that are open, found again by what they were opened with; credentials are kept as a keyed hash."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._salt = random_bytes.token_bytes(32)
        self._proofs: identities.Proofs | None = None
        self._open: OrderedDict[str, ObjectStore] = OrderedDict()
        self._lock = Lock()

    def open(self, storage: Storage, secrets: Mapping[str, str]) -> ObjectStore:
        """The store of these settings and credentials. Connects at its first use. Raises `StoreError`."""
        kind = storage.provider.store
        with self._lock:
            self._proofs = proofs = self._proofs or identities.proofs(self._settings)
        arguments = self._arguments(storage, secrets, proofs)
        if lacking := storage.provider.lacking({**storage.config, **secrets}):
            raise IncompleteError(lacking)
        known = repr((kind, sorted(arguments.items()))).encode("utf-8", "surrogatepass")
        name = hashlib.blake2b(known, key=self._salt).hexdigest()
        with self._lock:
            if name not in self._open:
                self._open[name] = _make(kind, arguments)
                if len(self._open) > MAX_OPEN:
                    self._open.popitem(last=False)
            self._open.move_to_end(name)
            return self._open[name]

    def close(self) -> None:
        """Closes what is open."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()
            if self._proofs:
                self._proofs.close()

    def _arguments(self, storage: Storage, secrets: Mapping[str, str], proofs: identities.Proofs) -> dict[str, Any]:
        config, settings, kind = storage.config, self._settings, storage.provider.store
        if kind == "localfiles":
            root, path = allowed_folder(settings, config.get("path"))
            served = quote(os.path.relpath(path, root), errors="surrogateescape")
            prefix = f"{settings.hostname.rstrip('/')}/data/local-files/?d={served}/"
            return {"root": path, "uri_prefix": prefix}
        timeouts = {"connect_timeout": settings.connect_timeout, "read_timeout": settings.read_timeout}
        if kind == "gcs":
            host = settings.storage_emulator_host
            return timeouts | {
                "bucket": config.get("bucket") or "",
                "credentials_json": secrets.get("google_application_credentials"),
                "identity": identities.google(config, settings),
                "project": config.get("google_project_id"),
                "endpoint": f"http://{host}" if host and "://" not in host else host,
                "kms_key": config.get("google_kms_key_name"),
                "iam_url": settings.google_iam_credentials_url,
            }
        if kind == "azure":
            return timeouts | {
                "container": config.get("container") or "",
                **(
                    identities.application(config, secrets, settings, proofs.azure)
                    if config.get("auth_mode")
                    else self._azure_account(config.get("azure_endpoint"), secrets)
                ),
            }
        if kind == "redis":
            return timeouts | {
                "host": config.get("host"),
                "port": config.get("port"),
                "password": secrets.get("password"),
                "db": config.get("db", 1),
                "max_keys": settings.max_unordered_keys,
                "versions": storage.direction == "export",
            }
        return timeouts | {
            **identities.amazon(config, secrets, settings, proofs.aws),
            "bucket": config.get("bucket") or "",
            "region": config.get("region_name"),
            "endpoint": config.get("s3_endpoint"),
            "public_endpoint": config.get("s3_public_endpoint"),
            "access_key": secrets.get("aws_access_key_id"),
            "secret_key": secrets.get("aws_secret_access_key"),
            "session_token": secrets.get("aws_session_token"),
            "kms_key": config.get("aws_sse_kms_key_id"),
            "encrypt": bool(config.get("aws_sse")),
        }

    def _azure_account(self, endpoint: str | None, secrets: Mapping[str, str]) -> dict[str, str | None]:
        names = ("account_name", "account_key", "sas_token", "connection_string")
        given = {name: secrets.get(name) for name in names}
        if endpoint or any(given.values()):
            return {**given, "endpoint": endpoint}
        # Only where nobody else has a say in where they are sent.
        settings = self._settings
        return {"account_name": settings.azure_blob_account_name, "account_key": settings.azure_blob_account_key}


def _make(kind: str, arguments: dict[str, Any]) -> ObjectStore:
    # Imported here: a function that never opens a bucket starts without the vendors' SDKs.
    if kind == "localfiles":
        from shared.adapters.objects.folder import FolderObjects

        return FolderObjects(**arguments)
    if kind == "gcs":
        from shared.adapters.objects.gcs import GcsObjects

        return GcsObjects(**arguments)
    if kind == "azure":
        from shared.adapters.objects.azure import AzureObjects

        return AzureObjects(**arguments)
    if kind == "redis":
        from shared.adapters.objects.redis import RedisObjects

        return RedisObjects(**arguments)
    if kind == "s3":
        from shared.adapters.objects.s3 import S3Objects

        return S3Objects(**arguments)
    raise StoreError(f"Storages of type {kind} can't be opened.")


def allowed_folder(settings: Settings, path: str | None) -> tuple[str, str]:
    """The document root and a folder below it, both without links. Raises `StoreError` where it must not be read."""
    if not path:
        raise StoreError("Path must be set for Local Files storage")
    if not settings.local_files_serving_enabled:
        raise StoreError(SERVING_DISABLED)
    if not os.path.isabs(path):
        raise StoreError(f'Path "{path}" must be absolute, below LOCAL_FILES_DOCUMENT_ROOT')
    try:
        root, folder = os.path.realpath(settings.local_files_document_root), os.path.realpath(path)
    except (ValueError, UnicodeEncodeError):
        raise StoreError("The path is not one that a file system can hold") from None
    named = f'LOCAL_FILES_DOCUMENT_ROOT="{settings.local_files_document_root}"'
    if folder == root:
        raise StoreError(f'Absolute local path "{path}" cannot be the same as {named}: use a folder below it')
    # Asked before whether it exists: what lies elsewhere is nobody's business.
    if os.path.commonpath([root, folder]) != root:
        raise StoreError(f'Absolute local path "{path}" must be a subdirectory of {named}')
    ancestors = [folder[: len(root)], *(folder[:i] for i, c in enumerate(folder) if c == "/" and i > len(root)), folder]
    if any(os.path.lexists(os.path.join(ancestor, PRIVATE_MARK)) for ancestor in ancestors):
        raise StoreError(f'Absolute local path "{path}" holds the data of Sluice itself, which is not to be read')
    if not os.path.exists(folder):
        raise BucketNotFoundError(f'Absolute local path "{path}" does not exist')
    return root, folder
