"""Finds out what may be done with a bucket that is to be written to, and what it honours, by doing it once."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from shared.errors import (
    AccessDeniedError,
    CredentialsError,
    ObjectError,
    StoreError,
    StoreUnavailableError,
    VersionMismatchError,
    WriteUnknownError,
)
from shared.ports import ObjectStore

PROBE = ".sluice-probe-"
GRANTS = {
    "create": "s3:PutObject, storage.objects.create, Azure's create and write",
    "read": "s3:GetObject, storage.objects.get, Azure's read",
    "list": "s3:ListBucket, storage.objects.list, Azure's list",
    "overwrite": "s3:PutObject, storage.objects.delete, Azure's write",
    "delete": "s3:DeleteObject, storage.objects.delete, Azure's delete",
}


class ProbeResult(NamedTuple):
    """What a target does. `left` is the key of the probe where it could not be removed, else empty."""

    conditional: bool
    """Whether writes honour `expect`. If not, they may be refused for having one: leave it out."""
    conditional_deletes: bool
    keeps_metadata: bool
    deletes: bool
    left: str = ""


def probe_target(store: ObjectStore, prefix: str, *, need_delete: bool = True) -> ProbeResult:
    """Creates, reads, lists, overwrites and deletes an object whose key is the prefix and a name of its own.

    Raises the `StoreError` that a person needs to read; for a missing permission it names what may not be done. The
    probe is removed however it ends, unless that is what may not be done: an error too, except without `need_delete`.
    Empty folders stay where folders are real. May run many times at once.
    """
    probe = _Probe(store, prefix)
    try:
        return probe.run(need_delete=need_delete)
    finally:
        probe.clean()


class _Probe:
    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store, self._prefix = store, prefix
        self._key = f"{prefix}{PROBE}{secrets.token_hex(8)}"
        self._there = self._known = False
        self._writes = 0

    def run(self, *, need_delete: bool) -> ProbeResult:
        """All steps, those first without which the others can't tell what they lack."""
        conditional = self._store.conditional
        with self._allowed("create"):
            first, conditional = self._expecting("", conditional=conditional)
        with self._allowed("read"):
            keeps_metadata = self._read(first)
        with self._allowed("list"):
            self._list(first)
        with self._allowed("overwrite"):
            _, conditional = self._expecting(first, conditional=conditional)
            conditional = conditional and self._refuses("") and self._refuses(first)
        try:
            with self._allowed("delete"):
                conditional_deletes = self._delete(first)
        except AccessDeniedError:
            if need_delete:
                raise
            return ProbeResult(conditional, False, keeps_metadata, False, self._key)
        return ProbeResult(conditional, conditional_deletes, keeps_metadata, True)

    def clean(self) -> None:
        """Removes what is left; whoever broke off has the reason already."""
        if self._there:
            try:
                self._store.delete(self._key)
            except StoreError:
                return
            self._there = False

    @contextmanager
    def _allowed(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (AccessDeniedError, CredentialsError) as caught:
            # Who was let in a moment ago has the right key: some stores say that of a missing permission as well.
            if isinstance(caught, CredentialsError) and not self._known:
                raise
            left = f" {self._key} is left behind." if doing == "delete" else ""
            error = AccessDeniedError(
                f"The credentials may not {doing} objects below {self._store.uri(self._prefix)}: that needs "
                f"{GRANTS[doing]}, or what it is called there.{left}",
                detail=caught.detail,
            )
        else:
            self._known = True
            return
        raise error

    def _expecting(self, expect: str, *, conditional: bool) -> tuple[str, bool]:
        """Writes with this expectation, which holds; without it where the store can't cope. And whether it could."""
        if conditional:
            try:
                return self._write(expect), True
            except (AccessDeniedError, CredentialsError, StoreUnavailableError):
                raise
            except StoreError:  # some servers refuse a condition, and some one that holds
                pass
        return self._write(None), False

    def _write(self, expect: str | None) -> str:
        self._writes += 1
        body, self._there = b"Sluice looks whether it may write here: %d" % self._writes, True
        about = {"probe": str(self._writes)}
        try:
            return self._store.write(self._key, body, content_type="text/plain", expect=expect, metadata=about)
        except WriteUnknownError:
            # Nobody else knows the key.
            version = self._store.stat(self._key).version
            if self._store.read(self._key, version) != body:
                raise
            return version

    def _refuses(self, expect: str) -> bool:
        try:
            self._write(expect)
        except VersionMismatchError:
            return True
        return False

    def _read(self, version: str) -> bool:
        """Whether the metadata came back."""
        found = self._store.stat(self._key)
        if found.version != version:
            raise StoreError(
                f"{self._store.uri(self._key)} is not as it was written: something changes what is written there"
            )
        self._store.read(self._key, version)
        return self._store.keeps_metadata and dict(found.metadata) == {"probe": str(self._writes)}

    def _list(self, version: str) -> None:
        listed = [info.version for page in self._store.pages(self._key) for info in page]
        if listed != [version]:
            raise StoreError(f"{self._store.uri(self._key)} was written, but the listing does not show it so")

    def _delete(self, other: str) -> bool:
        """Whether a delete that expects another version was refused."""
        refused = False
        if self._store.conditional:
            try:
                self._store.delete(self._key, expect=other)
            except VersionMismatchError:
                refused = True
            except (AccessDeniedError, CredentialsError, StoreUnavailableError):
                raise
            except StoreError as caught:  # this server does not know such deletes
                if isinstance(caught, ObjectError):
                    raise
        self._store.delete(self._key)
        self._there = False
        return refused
