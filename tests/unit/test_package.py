"""The zip that is deployed: what is in it, what stops it, and that it is the same wherever it is made."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from infra.functions import load
from infra.package import FILES, FOLDERS, ROOT, PackageError, build
from shared import __version__

SECRET = "a-secret-of-the-test"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree as small as one can be."""
    root = tmp_path / "tree"
    for name in (*FILES, "functions/__init__.py", "functions/api.py", "shared/__init__.py", "shared/model/task.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")
    return root


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    return tmp_path / "dist"


def names(package: Path) -> list[str]:
    with zipfile.ZipFile(package) as opened:
        return opened.namelist()


def git(root: Path, *words: str) -> None:
    said = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(root), *said, *words], check=True, capture_output=True)


def test_it_is_named_for_version_and_content(dist: Path):
    package = build(dist)

    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    assert package.name == f"sluice-{__version__}-{digest[:12]}.zip"
    assert list(dist.iterdir()) == [package]


def test_it_holds_the_sources_as_they_are(dist: Path):
    modules = {str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}

    package = build(dist)

    assert names(package) == sorted({*FILES, *modules})
    with zipfile.ZipFile(package) as opened:
        assert opened.testzip() is None
        for entry in opened.infolist():
            assert opened.read(entry) == (ROOT / entry.filename).read_bytes()
            assert entry.external_attr >> 16 == 0o100644
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_what_lies_beside_is_not_in_it(tree: Path, dist: Path):
    expected = names(build(dist, tree))
    planted = [".env", "key.pem", "notes.ipynb", "setup.py", ".sluice/secret.key", "tests/test_it.py", "infra/local.py"]
    planted += ["infra/secrets.json", "functions/__pycache__/api.cpython-311.pyc", "shared/model/__pycache__/x.env"]
    for name in planted:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(SECRET)

    package = build(dist, tree)

    assert names(package) == expected
    assert SECRET.encode() not in package.read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        *("functions/.env", "functions/notes.ipynb", "functions/service-account.json", "functions/api.pyc"),
        *("functions/.hidden.py", "functions/.ipynb_checkpoints/api.py", "functions/LICENSE", "functions/api.py~"),
        *("shared/key.pem", "shared/model/key.pem", "shared/model/deep/er/.env", "shared/__pycache__"),
    ],
)
def test_what_does_not_belong_stops_it_by_name(tree: Path, dist: Path, name: str):
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text(SECRET)

    with pytest.raises(PackageError) as raised:
        build(dist, tree)

    first = "/".join(Path(name).parts[:2]) if "/.ipynb" in name else name
    assert str(raised.value).startswith(f"{first} is ")
    assert SECRET not in str(raised.value)
    assert not dist.exists()


@pytest.mark.parametrize("name", ["functions/linked.py", "shared/model/linked", "main.py", "infra/functions.json"])
def test_a_symbolic_link_stops_it_wherever_it_leads(tree: Path, dist: Path, tmp_path: Path, name: str):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text(SECRET)
    (tree / name).unlink(missing_ok=True)
    (tree / name).symlink_to(outside if name.endswith("linked") else outside / "secret.py")

    with pytest.raises(PackageError, match=f"^{name} is "):
        build(dist, tree)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_that_is_a_symbolic_link_stops_it(tree: Path, dist: Path, tmp_path: Path, folder: str):
    shutil.move(tree / folder, tmp_path / "elsewhere")
    (tree / folder).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(PackageError, match=f"^{folder} is "):
        build(dist, tree)


def test_a_pipe_is_not_read(tree: Path, dist: Path):
    os.mkfifo(tree / "functions/pipe.py")

    with pytest.raises(PackageError, match=r"^functions/pipe.py is "):
        build(dist, tree)


@pytest.mark.parametrize("name", FILES)
def test_a_part_that_is_missing_stops_it(tree: Path, dist: Path, name: str):
    (tree / name).unlink()

    with pytest.raises(PackageError, match=f"^{name} is not there"):
        build(dist, tree)


@pytest.mark.parametrize("ignored", ["", "*.py\n"])
def test_a_draft_that_git_does_not_track_stops_it(tree: Path, dist: Path, ignored: str):
    before = build(dist, tree)
    git(tree, "init")
    git(tree, "add", ".")
    (tree / ".gitignore").write_text(ignored)
    assert build(dist, tree) == before
    (tree / "functions/draft.py").write_text("# not yet\n")

    with pytest.raises(PackageError, match=r"^git does not track functions/draft.py: "):
        build(dist, tree)

    git(tree, "add", "--force", "functions/draft.py")
    assert "functions/draft.py" in names(build(dist, tree))


def test_zips_of_other_contents_stay(tree: Path, dist: Path):
    before = build(dist, tree)
    content = before.read_bytes()
    (tree / "functions/api.py").write_text("# other\n")

    after = build(dist, tree)

    assert before != after
    assert sorted(dist.iterdir()) == sorted([before, after])
    assert before.read_bytes() == content


def copy(root: Path, *, backwards: bool, mtime: int, mode: int) -> None:
    """The sources, and what builds the zip; the folders' entries are made in one order or the other."""
    sources = [*FILES, *(str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
    for name in sorted([*sources, "infra/__init__.py", "infra/package.py"], reverse=backwards):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, root / name)
        (root / name).chmod(mode)
        os.utime(root / name, (mtime, mtime))


def built(root: Path, cwd: Path, umask: int, output: str, **env: str) -> Path:
    """The zip that a process of its own makes; it prints the path last."""
    command = [sys.executable, "-m", "infra.package", "--output", output]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root), **env}
    done = subprocess.run(command, cwd=cwd, env=env, umask=umask, capture_output=True, text=True, check=True)
    return cwd / done.stdout.splitlines()[-1]


def test_the_bytes_are_the_same_on_every_machine(tmp_path: Path):
    """As far as one machine can be like others: names, times, modes, umask, locale, time zone, hashing, folders."""
    one, two = tmp_path / "one", tmp_path / "another place" / "for it"
    copy(one, backwards=False, mtime=1_000_000_000, mode=0o644)
    copy(two, backwards=True, mtime=1_700_000_001, mode=0o700)
    zone = {"TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "1"}
    first = built(one, one, 0o022, "dist", **zone)
    zone = {"TZ": "America/St_Johns", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"}
    second = built(two, tmp_path, 0o077, "other/folder", **zone)

    assert (one / "dist", tmp_path / "other/folder") == (first.parent, second.parent)
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes() == build(tmp_path / "dist").read_bytes()


def test_the_command_line_says_why_there_is_none(tmp_path: Path):
    copy(tmp_path, backwards=False, mtime=1_000_000_000, mode=0o644)
    (tmp_path / "shared" / ".env").write_text(SECRET)

    with pytest.raises(subprocess.CalledProcessError) as raised:
        built(tmp_path, tmp_path, 0o022, "dist")

    assert raised.value.returncode == 1
    assert raised.value.stderr == (
        "There is no zip: shared/.env is hidden, and nothing hidden is deployed. Move it elsewhere.\n"
    )


TARGETS = """
import importlib, json, pkgutil, sys
sys.path += json.loads(sys.argv[1])
import main
import functions, shared
for package in (functions, shared):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
targets = {name: callable(getattr(main, name)) for name in main.__all__}
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
print(json.dumps([targets, files]))
"""


def test_the_targets_are_in_it_and_every_module_loads_from_it(tmp_path: Path, dist: Path):
    """The checkout is not where this looks, neither as the folder one stands in nor by what `.venv` knows of it."""
    with zipfile.ZipFile(build(dist)) as package:
        package.extractall(tmp_path / "unpacked")
    paths = json.dumps([str(tmp_path / "unpacked"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    command = [sys.executable, "-I", "-S", "-B", "-c", TARGETS, paths]

    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True, timeout=120)

    targets, files = json.loads(done.stdout)
    assert targets == dict.fromkeys(load().functions, True)
    own = {name: file for name, file in files.items() if name.partition(".")[0] in {"main", "infra", *FOLDERS}}
    assert len(own) > 200
    assert {file for file in own.values() if not file.startswith(f"{tmp_path}/unpacked/")} == set()
    assert {file for file in files.values() if file and file.startswith(f"{ROOT}/") and ".venv" not in file} == set()
