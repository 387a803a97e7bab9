"""A local folder as an object store: the keys are the files' paths below it, joined by "/"."""

import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TypeVar
from urllib.parse import quote

from shared.adapters.objects.folder_lock import lockable, locked
from shared.adapters.objects.folder_walk import OUTSIDE, TEMPORARY, Walk, info, version
from shared.adapters.objects.metadata import checked
from shared.adapters.objects.unsigned import Unsigned
from shared.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    InvalidKeyError,
    ObjectNotFoundError,
    PrefixEmptyError,
    StoreError,
    StoreUnavailableError,
    VersionMismatchError,
)
from shared.model.order import by_utf8
from shared.ports import ObjectInfo, Order, Stat
from shared.settings import PRIVATE_MARK

PAGE = 1000
ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO}
IMPOSSIBLE = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}
PASSING = {errno.EAGAIN, errno.EBUSY, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ETIMEDOUT}

_Result = TypeVar("_Result")
COARSE = 2_000_000_000
"""The slowest clock of a file system, in nanoseconds: FAT's."""


class FolderObjects(Unsigned):
    """The files below `root`, which must exist; it is never made, so that an unmounted disk is not an empty one.

    Links to files inside `root` are listed as files, linked directories are not entered, other links are listed with a
    problem; sockets, pipes and devices are left out, and so is every folder that holds Sluice's own data. A version is
    mtime and size, so a foreign program that rewrites a file at the same size within one tick of the file system's
    clock goes unnoticed. Writes and deletes lock the file's directory, which other programs than Sluice don't look at:
    what they wrote before is noticed, what they write in that very moment is not. A file has no metadata.
    """

    order: Order = "bytes"
    seek = False
    keeps_metadata = False

    def __init__(self, root: str, *, uri_prefix: str) -> None:
        self._root = os.path.realpath(root)
        self._uri_prefix = uri_prefix

    @cached_property
    def conditional(self) -> bool:
        """Not where directories can't be locked, as on many network file systems."""
        return lockable(self._root)

    def uri(self, key: str) -> str:
        """The prefix and the quoted key."""
        return self._uri_prefix + quote(key, errors="surrogatepass")

    def sort_key(self, key: str) -> bytes:
        """The key's UTF-8."""
        return by_utf8(key)

    def check(self, prefix: str = "", *, need_object: bool = False) -> None:
        """Opens the folder, and looks for a file if one is needed."""
        self._root_id()
        try:
            os.scandir(self._root).close()
        except OSError as caught:
            raise self._translated(caught, self._root) from None
        if need_object and not any(self.pages(prefix)):
            raise PrefixEmptyError(f"No file lies under {self._root}/{prefix}")

    def pages(self, prefix: str = "", after: str = "", *, recursive: bool = True) -> Iterator[list[ObjectInfo]]:
        """Walks the folder in order; only directories that can hold a wanted key are opened.

        A directory that can't be read raises `AccessDeniedError`: without it, its files would look deleted. What
        vanishes during the walk is left out, unless the root itself does.
        """
        before = self._root_id()
        files = Walk(self._root, self.sort_key(prefix), self.sort_key(after), recursive=recursive).files()
        more = True
        while more:
            page: list[ObjectInfo] = []
            try:
                for found in files:
                    page.append(found)
                    if len(page) == PAGE:
                        break
                else:
                    more = False
            except OSError as caught:
                raise self._translated(caught, os.fsdecode(caught.filename or self._root)) from None
            # The files of a disk that is unmounted vanish like deleted ones.
            if self._root_id() != before:
                raise StoreUnavailableError(f'The folder "{self._root}" was exchanged while it was listed')
            yield page

    def stat(self, key: str) -> Stat:
        """The file as it is now."""
        return Stat(self._use(key, lambda path: info(key, self._regular(os.stat(path), key))))

    def read(self, key: str, version: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Reads an open file whose version is compared before and after, so a rewrite in place is noticed."""
        return self._use(key, lambda path: self._read(path, key, version, offset, length))

    def write(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,  # noqa: ARG002
        expect: str | None = None,
        metadata: Mapping[str, str] = {},
    ) -> str:
        """Writes a temporary file and moves it in place; a power cut may lose the move, never half of a file."""
        checked(metadata)
        self._root_id()
        path = self._path(key)
        if path is None:
            raise InvalidKeyError(f"{key!r} can't name a file")
        directory = os.path.dirname(path)
        temporary = os.path.join(directory, TEMPORARY + secrets.token_hex(8))
        try:
            os.makedirs(directory, exist_ok=True)
            try:
                with open(temporary, "xb") as file:
                    file.write(body)
                    file.flush()
                    os.fsync(file.fileno())
                with locked(directory):
                    return self._move(temporary, path, expect)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            raise InvalidKeyError(f"{path} can't be a file beside the files and folders that are there") from None
        except OSError as caught:
            raise self._translated(caught, path) from None

    def delete(self, key: str, *, expect: str | None = None) -> None:
        """Removes the file; folders that become empty stay."""
        self._root_id()
        path = self._path(key)
        if path is None or (os.path.isdir(path) and not os.path.islink(path)):
            return
        try:
            with locked(os.path.dirname(path)):
                if expect is not None and self.conditional and version(os.stat(path)) != expect:
                    raise self._mismatch(path)
                os.unlink(path)
        except OSError as caught:
            if caught.errno not in ABSENT | IMPOSSIBLE:
                raise self._translated(caught, path) from None

    def close(self) -> None:
        """Nothing to release."""

    def _root_id(self) -> tuple[int, int]:
        try:
            found = os.stat(self._root)
        except OSError as caught:
            if caught.errno in ABSENT:
                raise BucketNotFoundError(f'The folder "{self._root}" does not exist') from None
            raise self._translated(caught, self._root) from None
        if not stat.S_ISDIR(found.st_mode):
            raise BucketNotFoundError(f'"{self._root}" is not a folder')
        return found.st_dev, found.st_ino

    def _path(self, key: str) -> str | None:
        """Where the key's file is, or None if the walk could never list such a key."""
        parts = key.split("/")
        if any(part in {"", ".", ".."} for part in parts) or "\0" in key or parts[-1].startswith(TEMPORARY):
            return None
        path = self._root
        try:
            key.encode()
            if private(path):
                return None
            for part in parts[:-1]:
                path = os.path.join(path, part)
                if stat.S_ISLNK(os.lstat(path).st_mode) or private(path):
                    return None
        except UnicodeEncodeError:
            return None
        except OSError:
            pass  # what uses the path will tell
        return os.path.join(self._root, *parts)

    def _path_of(self, path: str) -> str | None:
        return self._path(os.path.relpath(path, self._root))

    def _use(self, key: str, use: Callable[[str], _Result]) -> _Result:
        path = self._path(key)
        if path is None:
            raise self._absent(key)
        try:
            if stat.S_ISLNK(os.lstat(path).st_mode):
                path = os.path.realpath(path)
                if not path.startswith(os.path.join(self._root, "")) or self._path_of(path) is None:
                    raise self._absent(key, OUTSIDE)
            return use(path)
        except OSError as caught:
            if caught.errno in ABSENT | IMPOSSIBLE:
                raise self._absent(key) from None
            raise self._translated(caught, path) from None

    def _read(self, path: str, key: str, wanted: str, offset: int, length: int | None) -> bytes:
        # Non-blocking, because what was a file when it was listed may be a pipe by now.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = self._regular(os.fstat(descriptor), key)
            if version(found) == wanted:
                rest = max(0, found.st_size - offset)
                body = _pread(descriptor, offset, rest if length is None else min(length, rest))
                if version(os.fstat(descriptor)) == wanted:
                    return body
        finally:
            os.close(descriptor)
        raise VersionMismatchError(f"{path} was replaced")

    def _move(self, temporary: str, path: str, expect: str | None) -> str:
        try:
            present = os.stat(path)
        except FileNotFoundError:
            present = None
        if expect is not None and self.conditional and expect != (version(present) if present else ""):
            raise self._mismatch(path)
        # Not by the file system's clock, which ticks slowly: two writes within a tick would be one version.
        now = time.time_ns()
        for stamp in (max(now, present.st_mtime_ns + 1), present.st_mtime_ns + COARSE) if present else (now,):
            os.utime(temporary, ns=(stamp, stamp))
            written = os.stat(temporary)
            if not present or written.st_mtime_ns > present.st_mtime_ns:
                break
        os.replace(temporary, path)
        return version(written)

    def _mismatch(self, path: str) -> VersionMismatchError:
        return VersionMismatchError(f"{path} is not at the expected version")

    def _regular(self, found: os.stat_result, key: str) -> os.stat_result:
        if not stat.S_ISREG(found.st_mode):
            raise self._absent(key)
        return found

    def _absent(self, key: str, reason: str = "") -> ObjectNotFoundError:
        self._root_id()  # a file is not gone just because its disk is
        return ObjectNotFoundError(f"The file {self._root}/{key} does not exist", detail=reason)

    def _translated(self, caught: OSError, path: str) -> StoreError:
        if caught.errno in {errno.EACCES, errno.EPERM}:
            return AccessDeniedError(f"Permission denied: {path}")
        if caught.errno in IMPOSSIBLE:
            return InvalidKeyError(f"{path} can't be the name of a file", detail=caught.strerror or "")
        kind = StoreUnavailableError if caught.errno in PASSING else StoreError
        return kind(f"{path}: {caught.strerror or caught}")


def private(folder: str) -> bool:
    """Whether a folder holds Sluice's own data."""
    return os.path.lexists(os.path.join(folder, PRIVATE_MARK))


def _pread(descriptor: int, offset: int, length: int) -> bytes:
    parts = []
    while length > 0 and (part := os.pread(descriptor, length, offset)):
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
