"""What the SOURCE of `sluice sync` means: a storage's type, its place, and a title for its project."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.client import Storage
from shared.model.project_fields import MAX_TITLE, MIN_TITLE
from shared.model.storage import listing_prefix

S3 = "s3://"


class SourceError(Exception):
    """A source that can't be one; the text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Source:
    """A storage to be: `place` says where its objects are, `settings` what is taken and how.

    `secrets` are sent but never compared or shown.
    """

    type: str
    place: Mapping[str, Any]
    settings: Mapping[str, Any]
    secrets: Mapping[str, str]
    title: str

    def is_at(self, storage: Storage) -> bool:
        """Whether a storage takes the same objects' place in the same mode: one that a second sync uses again."""
        if storage.type != self.type or bool(storage.settings.get("use_blob_urls")) != self.settings["use_blob_urls"]:
            return False
        return all(_same(name, storage.settings.get(name), value) for name, value in self.place.items())

    def changes(self, storage: Storage) -> dict[str, Any]:
        """The settings that a storage at this place does not have yet."""
        return {k: v for k, v in self.settings.items() if (storage.settings.get(k) or None) != (v or None)}

    def files_root(self) -> Path | None:
        """The document root under which a stack of this process can read the folder; None for a bucket.

        The current folder if the source lies below it, as with `sluice serve`, so that the addresses in tasks mean the
        same for both; else the folder's parent. Raises `SourceError` if there is no such folder.
        """
        if self.type != "localfiles":
            return None
        folder, here = Path(self.place["path"]), Path.cwd()
        if not folder.is_dir():
            what = "is a file; give the folder that it is in" if folder.is_file() else "is no folder"
            raise SourceError(f"{folder} {what}.")
        folder = folder.resolve()
        return here if here in folder.parents else folder.parent


def parse(text: str, *, settings: Mapping[str, Any], endpoint: str | None, secrets: Mapping[str, str]) -> Source:
    """The source that a person named: `s3://bucket/prefix`, or a folder. Raises `SourceError`.

    A folder is not looked at: it may be the server's.
    """
    if text.startswith(S3):
        bucket, _, prefix = text.removeprefix(S3).partition("/")
        if not bucket:
            raise SourceError(f"{text!r} names no bucket: write it like s3://bucket/folder.")
        place = {"bucket": bucket, "prefix": prefix, "s3_endpoint": endpoint}
        return Source("s3", place, settings, secrets, _title(text.rstrip("/")))
    if "://" in text:
        raise SourceError(f"{text!r} is no source: there are folders and s3://bucket/prefix.")
    if not text:
        raise SourceError("The source is empty: give a folder or s3://bucket/prefix.")
    path = os.path.abspath(os.path.expanduser(text))
    return Source("localfiles", {"path": path}, settings, {}, _title(path))


def _title(text: str) -> str:
    """A project's title: the place itself, and its end if it is too long."""
    if len(text) < MIN_TITLE:
        return f"Folder {text}"
    return text if len(text) <= MAX_TITLE else "…" + text[-MAX_TITLE + 1 :]


def _same(name: str, one: str | None, other: str | None) -> bool:
    if name == "prefix":
        return listing_prefix(one) == listing_prefix(other)
    return (one or "").rstrip("/") == (other or "").rstrip("/")
