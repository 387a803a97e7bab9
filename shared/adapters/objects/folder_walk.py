"""Walks a folder so that the keys come out in the order of their bytes."""

import os
import stat
from collections.abc import Iterator
from operator import itemgetter

from shared.ports import ObjectInfo
from shared.settings import PRIVATE_MARK

TEMPORARY = ".sluice-tmp-"
"""Files of this name are being written: never listed, and no key may end in one."""

NOT_TEXT = "The name of the file, or of its folder, is not valid UTF-8"
OUTSIDE = "The link points outside the folder"
DANGLING = "The link points to nothing"

_Entries = Iterator[tuple[bytes, "os.DirEntry[bytes]"]]


class Walk:
    """One pass over the files whose key starts with `prefix` and sorts behind `after`.

    Everything is bytes, so the order is right whatever the locale, and names that are no text can be told.
    Raises the OSError of a directory that can't be opened; what vanishes meanwhile is left out.
    """

    def __init__(self, root: str, prefix: bytes, after: bytes, *, recursive: bool) -> None:
        self._root = os.fsencode(root)
        self._prefix, self._after, self._recursive = prefix, after, recursive
        self._unreadable: set[bytes] = set()
        """Stand-ins for names that are no text."""

    def files(self) -> Iterator[ObjectInfo]:
        """The files in order, each looked at when its turn comes."""
        stack = [(b"", self._entries(self._root, b""), "")]
        while stack:
            base, entries, problem = stack[-1]
            for name, entry in entries:
                key = base + name
                flaw = problem or (NOT_TEXT if key in self._unreadable else "")
                if name.endswith(b"/"):
                    stack.append((key, self._entries(entry.path, key), flaw))
                    break
                if info := self._info(key, entry, flaw):
                    yield info
            else:
                stack.pop()

    def _entries(self, path: bytes, base: bytes) -> _Entries:
        """A directory's wanted entries by name, that of a directory ending in "/": so siblings sort as keys do."""
        named: list[tuple[bytes, os.DirEntry[bytes]]] = []
        strange: list[tuple[bytes, os.DirEntry[bytes]]] = []
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    name = entry.name
                    if name == PRIVATE_MARK.encode():
                        return iter(())  # Sluice's own data: keys, tokens, everybody's tasks
                    end = b"/" if entry.is_dir(follow_symlinks=False) else b""
                    try:
                        name.decode()
                    except UnicodeDecodeError:
                        strange.append((name.decode("utf-8", "backslashreplace").encode() + end, entry))
                    else:
                        named.append((name + end, entry))
        except (FileNotFoundError, NotADirectoryError):
            return iter(())
        taken = {name for name, _ in named} if strange else set()
        for name, entry in strange:
            while name in taken:
                name = b"?" + name
            taken.add(name)
            self._unreadable.add(base + name)
            named.append((name, entry))
        named.sort(key=itemgetter(0))
        return iter([(name, entry) for name, entry in named if self._wanted(base + name)])

    def _wanted(self, key: bytes) -> bool:
        if key.endswith(b"/"):
            on_the_way = self._prefix.startswith(key)
            inside = on_the_way or (self._recursive and key.startswith(self._prefix))
            return inside and (key > self._after or self._after.startswith(key))
        return key.startswith(self._prefix) and key > self._after

    def _info(self, key: bytes, entry: "os.DirEntry[bytes]", problem: str) -> ObjectInfo | None:
        try:
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                real = os.path.realpath(entry.path)
                if not os.path.join(real, b"").startswith(os.path.join(self._root, b"")):
                    problem = problem or OUTSIDE
                else:
                    target = _stat(real)
                    if target and not stat.S_ISREG(target.st_mode):
                        return None
                    problem, found = problem or ("" if target else DANGLING), target or found
            elif not stat.S_ISREG(found.st_mode):
                return None
        except FileNotFoundError:
            return None
        if entry.name.startswith(TEMPORARY.encode()):
            return None
        return info(key.decode(), found, problem)


def info(key: str, found: os.stat_result, problem: str = "") -> ObjectInfo:
    """What the port tells of a file."""
    return ObjectInfo(key, found.st_size, version(found), found.st_mtime, problem)


def version(found: os.stat_result) -> str:
    """A file's version."""
    return f"{found.st_mtime_ns}-{found.st_size}"


def _stat(path: bytes) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
