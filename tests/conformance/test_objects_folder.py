"""What only a local folder has: names that are no text, links, permissions, and a walk beside other programs."""

import errno
import fcntl
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.adapters.objects import folder_walk
from shared.adapters.objects.folder import FolderObjects
from shared.adapters.objects.folder_walk import TEMPORARY
from shared.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    InvalidKeyError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
    VersionMismatchError,
)
from tests.conformance.objects_place import keys_of, listed


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def store(root: Path) -> FolderObjects:
    return FolderObjects(str(root), uri_prefix="/data/local-files/?d=set/")


def put(root: Path, *keys: str) -> None:
    for key in keys:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(key.encode())


def test_a_uri_is_the_prefix_and_the_quoted_path(store: FolderObjects) -> None:
    assert store.uri("a b/c&d#é.jpg") == "/data/local-files/?d=set/a%20b/c%26d%23%C3%A9.jpg"


name = st.text(alphabet="ab-./0é\uff5e\U0001f600", min_size=1, max_size=4)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(names=st.lists(name, max_size=12), prefix=name | st.just(""), after=name | st.just(""), recursive=st.booleans())
def test_the_walk_agrees_with_sorting_all_keys(
    names: list[str], prefix: str, after: str, recursive: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("walk")
    store = FolderObjects(str(root), uri_prefix="")
    present = set()
    for key in names:
        try:
            store.write(key, b"", content_type="")
            present.add(key)
        except InvalidKeyError:
            pass
    wanted = [
        key
        for key in sorted(present, key=str.encode)
        if key.startswith(prefix) and key.encode() > after.encode() and (recursive or "/" not in key[len(prefix) :])
    ]
    assert keys_of(store, prefix, after, recursive=recursive) == wanted


# Names that are no text.


def test_names_that_are_no_text_are_listed_with_a_problem(root: Path, store: FolderObjects) -> None:
    raw = os.fsencode(root)
    os.mkdir(raw + b"/dir\xff")
    for path in (b"/bad\xff.jpg", b"/dir\xff/inner", b"/zz"):
        with open(raw + path, "wb") as file:
            file.write(b"x")
    found = listed(store)
    assert [(info.key, bool(info.problem)) for info in found] == [
        ("bad\\xff.jpg", True),
        ("dir\\xff/inner", True),
        ("zz", False),
    ]
    assert all(info.key.isprintable() and "UTF-8" in info.problem for info in found if info.problem)
    assert [info.key for info in found] == sorted((info.key for info in found), key=store.sort_key)
    with pytest.raises(ObjectNotFoundError):
        store.read("bad\\xff.jpg", found[0].version)
    assert keys_of(store, after="bad\\xff.jpg") == ["dir\\xff/inner", "zz"]


def test_stand_ins_are_never_mistaken_for_files(root: Path, store: FolderObjects) -> None:
    raw = os.fsencode(root)
    put(root, "same\\xff")
    with open(raw + b"/same\xff", "wb"):
        pass
    found = {info.key: info.problem for info in listed(store)}
    assert len(found) == 2
    assert found["same\\xff"] == ""


# Links and other things that are no files.


def test_links_to_files_inside_are_files(root: Path, store: FolderObjects) -> None:
    put(root, "dir/real")
    (root / "link").symlink_to("dir/real")
    info = listed(store)[1]
    assert (info.key, info.problem) == ("link", "")
    assert store.stat("link").info == info
    assert store.read("link", info.version) == b"dir/real"


def test_linked_folders_are_not_entered(root: Path, store: FolderObjects) -> None:
    put(root, "dir/real")
    (root / "again").symlink_to("dir")
    (root / "dir/up").symlink_to("..")
    assert keys_of(store) == ["dir/real"]
    with pytest.raises(ObjectNotFoundError):
        store.stat("again/real")
    with pytest.raises(InvalidKeyError):
        store.write("again/new", b"", content_type="")
    store.delete("again/real")
    assert keys_of(store) == ["dir/real"]


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "../outside", "nothing", "loop"])
def test_links_that_lead_nowhere_or_outside_have_a_problem(target: str, root: Path, store: FolderObjects) -> None:
    (root.parent / "secret").write_text("secret")
    (root.parent / "outside").mkdir()
    (root / "loop").symlink_to("loop")
    (root / "link").symlink_to(target)
    found = {info.key: info.problem for info in listed(store)}
    assert found["link"].startswith("The link points")
    with pytest.raises(ObjectNotFoundError):
        store.read("link", listed(store)[0].version)
    with pytest.raises(ObjectNotFoundError):
        store.stat("link")


def test_a_sibling_with_the_same_beginning_is_outside(root: Path, store: FolderObjects) -> None:
    (root.parent / "root-2").mkdir()
    (root.parent / "root-2/file").write_text("secret")
    (root / "link").symlink_to("../root-2/file")
    assert listed(store)[0].problem
    with pytest.raises(ObjectNotFoundError):
        store.stat("link")


def test_writing_to_a_link_replaces_the_link(root: Path, store: FolderObjects) -> None:
    (root.parent / "secret").write_text("secret")
    (root / "link").symlink_to("../secret")
    store.write("link", b"new", content_type="")
    assert (root.parent / "secret").read_text() == "secret"
    assert (root / "link").read_bytes() == b"new"


def test_pipes_and_sockets_are_left_out(root: Path, store: FolderObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root, "file")
    os.mkfifo(root / "pipe")
    (root / "to-pipe").symlink_to("pipe")
    monkeypatch.chdir(root)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        assert keys_of(store) == ["file"]
        for key in ("pipe", "socket"):
            with pytest.raises(ObjectNotFoundError):
                store.stat(key)
            with pytest.raises(ObjectNotFoundError):
                store.read(key, "version")


@pytest.mark.parametrize("key", ["../secret", "a/../../secret", "/etc/passwd", "dir/..", "..", "nul\0", "./file", ""])
def test_no_key_leads_outside(key: str, root: Path, store: FolderObjects) -> None:
    (root.parent / "secret").write_text("secret")
    put(root, "a/b", "dir/x", "file")
    with pytest.raises(ObjectNotFoundError):
        store.read(key, "version")
    with pytest.raises(ObjectNotFoundError):
        store.stat(key)
    with pytest.raises(InvalidKeyError):
        store.write(key, b"mine", content_type="")
    store.delete(key)
    assert (root.parent / "secret").read_text() == "secret"
    assert keys_of(store) == ["a/b", "dir/x", "file"]
    assert keys_of(store, prefix="../") == []


# The root and permissions.


def test_a_missing_root_is_named_and_never_made(root: Path) -> None:
    missing = FolderObjects(str(root / "missing"), uri_prefix="")
    with pytest.raises(BucketNotFoundError, match="root/missing"):
        missing.check()
    with pytest.raises(BucketNotFoundError):
        missing.write("key", b"", content_type="")
    with pytest.raises(BucketNotFoundError):
        missing.delete("key")
    assert not (root / "missing").exists()


def test_a_root_that_is_a_file_is_no_bucket(root: Path) -> None:
    put(root, "file")
    with pytest.raises(BucketNotFoundError, match="is not a folder"):
        FolderObjects(str(root / "file"), uri_prefix="").check()


def deny(path: Path, error: int = errno.EACCES) -> Callable[[Any], Any]:
    """os.scandir as someone without permission sees it; the tests may run as root, who has every one."""

    def scandir(asked: Any) -> Any:
        if os.fsdecode(asked) == str(path):
            raise OSError(error, os.strerror(error), asked)
        return os.scandir(asked)

    return scandir


@pytest.mark.parametrize(("error", "kind"), [(errno.EACCES, AccessDeniedError), (errno.EIO, StoreUnavailableError)])
def test_an_unreadable_folder_ends_the_listing(
    error: int, kind: type[StoreError], root: Path, store: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, "a/1", "b/1", "c/1")
    monkeypatch.setattr(folder_walk, "os", SimpleNamespace(**vars(os) | {"scandir": deny(root / "b", error)}))
    with pytest.raises(kind, match="/b"):
        keys_of(store)
    assert keys_of(store, prefix="a/") == ["a/1"]


def test_a_file_that_may_not_be_read_is_told(root: Path, store: FolderObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root, "file")
    version = store.stat("file").version

    def denied(path: str, flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr("shared.adapters.objects.folder.os.open", denied)
    with pytest.raises(AccessDeniedError, match="/file"):
        store.read("file", version)


# Beside other programs.


def test_what_vanishes_during_the_walk_is_left_out(
    root: Path, store: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.adapters.objects.folder.PAGE", 1)
    put(root, "a", "b", "c/1", "d/1/2", "e")
    pages = store.pages()
    assert [info.key for info in next(pages)] == ["a"]
    os.unlink(root / "b")
    os.unlink(root / "c/1")
    os.rmdir(root / "c")
    os.unlink(root / "d/1/2")
    os.rmdir(root / "d/1")
    put(root, "d/1")
    assert [info.key for page in pages for info in page] == ["d/1", "e"]


@pytest.mark.parametrize("back", [False, True])
def test_a_root_that_vanishes_during_the_walk_is_an_error(
    back: bool, root: Path, store: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.adapters.objects.folder.PAGE", 1)
    put(root, "a/1", "b/1")
    pages = store.pages()
    next(pages)
    root.rename(root.parent / "moved")
    if back:
        root.mkdir()
    with pytest.raises(StoreUnavailableError if back else BucketNotFoundError):
        list(pages)


def test_a_rewrite_in_place_during_a_read_is_noticed(
    root: Path, store: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, "file")
    version = store.stat("file").version
    pread = os.pread

    def rewritten(descriptor: int, length: int, offset: int) -> bytes:
        body = pread(descriptor, length, offset)
        (root / "file").write_bytes(b"longer than before")
        return body

    monkeypatch.setattr("shared.adapters.objects.folder.os.pread", rewritten)
    with pytest.raises(VersionMismatchError):
        store.read("file", version)


def test_a_touched_file_is_another_version(root: Path, store: FolderObjects) -> None:
    put(root, "file")
    version = store.stat("file").version
    os.utime(root / "file", ns=(0, 1_234_567_890))
    assert store.stat("file").version == "1234567890-4" != version
    with pytest.raises(VersionMismatchError):
        store.read("file", version)


# Writing.


def test_a_write_is_a_new_version_though_the_clock_stands(root: Path, store: FolderObjects) -> None:
    versions = [store.write("file", b"same size", content_type="")]
    os.utime(root / "file", ns=(0, 4_000_000_000 * 10**9))  # as if the clock had not got there yet
    versions += [store.stat("file").version]
    versions += [store.write("file", b"same size", content_type="") for _ in range(3)]
    assert len(set(versions)) == len(versions)
    assert store.stat("file").version == versions[-1]


def test_unfinished_files_are_never_seen(root: Path, store: FolderObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write("dir/file", b"old", content_type="")
    seen = []

    def replace(source: str, target: str) -> None:
        seen.append((Path(source).read_bytes(), Path(target).read_bytes(), keys_of(store)))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shared.adapters.objects.folder.os.replace", replace)
    with pytest.raises(StoreError, match="No space left"):
        store.write("dir/file", b"new", content_type="")
    assert seen == [(b"new", b"old", ["dir/file"])]
    assert os.listdir(root / "dir") == ["file"]


def test_names_of_unfinished_files_are_no_keys(root: Path, store: FolderObjects) -> None:
    put(root, f"dir/{TEMPORARY}left-behind")
    assert keys_of(store) == []
    with pytest.raises(InvalidKeyError):
        store.write(f"dir/{TEMPORARY}mine", b"", content_type="")


@pytest.mark.parametrize("key", ["file/below", "dir", "n" * 256])
def test_what_the_file_system_refuses_is_an_invalid_key(key: str, root: Path, store: FolderObjects) -> None:
    put(root, "file", "dir/file")
    with pytest.raises(InvalidKeyError):
        store.write(key, b"", content_type="")
    with pytest.raises(ObjectNotFoundError):
        store.stat(key)
    store.delete(key)
    assert keys_of(store) == ["dir/file", "file"]


def test_an_expectation_is_checked_within_the_process(store: FolderObjects) -> None:
    first = store.write("file", b"1", content_type="", expect="")
    with pytest.raises(VersionMismatchError):
        store.write("file", b"2", content_type="", expect="")
    second = store.write("file", b"2", content_type="", expect=first)
    assert store.read("file", second) == b"2"


def test_files_have_ordinary_permissions(root: Path, store: FolderObjects) -> None:
    store.write("file", b"", content_type="")
    put(root, "other")
    assert stat.S_IMODE((root / "file").stat().st_mode) == stat.S_IMODE((root / "other").stat().st_mode)


INCREMENT = """
import sys
from shared.adapters.objects.folder import FolderObjects
from shared.errors import VersionMismatchError
store = FolderObjects(sys.argv[1], uri_prefix="")
done = 0
while done < 25:
    version = store.stat("dir/counter").version
    try:
        now = int(store.read("dir/counter", version))
        store.write("dir/counter", b"%d" % (now + 1), content_type="", expect=version)
    except VersionMismatchError:
        continue
    done += 1
"""


def test_no_increment_of_another_process_is_lost(root: Path, store: FolderObjects) -> None:
    assert store.conditional
    store.write("dir/counter", b"0", content_type="", expect="")
    # The second has another root, but the same directory.
    command = [sys.executable, "-c", INCREMENT]
    above = [sys.executable, "-c", INCREMENT.replace("dir/counter", "root/dir/counter")]
    running = [subprocess.Popen([*command, str(root)]), subprocess.Popen([*above, str(root.parent)])]
    assert [process.wait(60) for process in running] == [0, 0]
    assert (root / "dir/counter").read_bytes() == b"50"
    assert os.listdir(root / "dir") == ["counter"]


def test_another_process_is_waited_for_but_not_for_ever(
    root: Path, store: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.adapters.objects.folder_lock.PATIENCE", 0.01)
    version = store.write("file", b"1", content_type="")
    descriptor = os.open(root, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    for change in (lambda: store.write("file", b"2", content_type=""), lambda: store.delete("file")):
        with pytest.raises(StoreUnavailableError, match="has held the lock"):
            change()
    os.close(descriptor)
    assert store.read("file", version) == b"1"
    assert os.listdir(root) == ["file"]


def test_what_can_not_be_locked_promises_nothing(
    root: Path, store: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("shared.adapters.objects.folder_lock.fcntl.flock", flock)
    assert not store.conditional
    version = store.write("file", b"1", content_type="")
    store.write("file", b"2", content_type="", expect="any")
    store.delete("file", expect=version)
    assert keys_of(store) == []


def test_a_clock_of_seconds_still_makes_versions(
    root: Path, store: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    utime = os.utime

    def coarse(path: str, *, ns: tuple[int, int]) -> None:
        utime(path, ns=(ns[0] // 2_000_000_000 * 2_000_000_000, ns[1] // 2_000_000_000 * 2_000_000_000))

    monkeypatch.setattr("shared.adapters.objects.folder.os.utime", coarse)
    versions = [store.write("file", b"same", content_type="") for _ in range(4)]
    assert len(set(versions)) == 4
