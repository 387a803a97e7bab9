"""Builds the zip that is deployed: the source of all functions, `dist/sluice-<version>-<hash>.zip`.

python -m infra.package [--output dist]

By allow-list: what is in `FILES`, and the modules in `FOLDERS`. Anything else in these folders (another suffix, a
symbolic link, a module that git does not track) stops the build by name, rather than being left out in silence: it is
either a secret or a draft that must not be deployed, or a part that would be missing there.

Whether git tracks a module is asked where the root is a checkout. Untracked ones are refused, since nobody has decided
yet that they belong to the product. Contents are those of the files as they are, committed or not: the hash says which.
A source tree without git, such as a release's, is taken by the other rules alone.

The bytes follow from names and contents alone (sorted, stored, one time, one mode), so the hash is the same on every
machine. It is the beginning of the zip's SHA-256: `sha256sum` tells whether a zip is what its name says. Zips of other
contents stay beside it.
"""

import argparse
import hashlib
import io
import os
import stat
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

from shared import __version__

ROOT = Path(__file__).resolve().parents[1]
FILES = ("LICENSE", "infra/firestore.indexes.json", "infra/functions.json", "main.py", "requirements.txt")
"""At run time the functions read the indexes; list and licence are there for whoever reads the zip."""
FOLDERS = ("functions", "shared")
SUFFIXES = (".py",)
BYTE_CODE = "__pycache__"
TIME = (1980, 1, 1, 0, 0, 0)
"""The first that a zip can say."""
MODE = stat.S_IFREG | 0o644
UNIX = 3
HASH_DIGITS = 12


class PackageError(Exception):
    """Why there is no zip: which file, and what to do about it."""


def build(output: Path, root: Path = ROOT) -> Path:
    """Writes the zip of the source tree at `root` into the folder `output`; where it is. Raises `PackageError`."""
    for folder in FOLDERS:
        if (root / folder).is_symlink() or not (root / folder).is_dir():
            raise PackageError(f"{folder} is not there, or is no folder of its own: every zip has it.")
    names = sorted([*FILES, *(name for folder in FOLDERS for name in _modules(root, folder))])
    _check_tracked(root, names)
    content = _zip(root, names)
    path = output / f"sluice-{__version__}-{hashlib.sha256(content).hexdigest()[:HASH_DIGITS]}.zip"
    output.mkdir(parents=True, exist_ok=True)
    # Never half of it under its name, whenever this is killed.
    unfinished = output / f".{path.name}.{os.getpid()}"
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _modules(root: Path, folder: str) -> Iterator[str]:
    """The names of all modules below a folder, with slashes."""
    with os.scandir(root / folder) as entries:
        for entry in entries:
            name = f"{folder}/{entry.name}"
            if entry.is_symlink():
                raise PackageError(f"{name} is a symbolic link: only files are deployed. Put the file itself there.")
            if entry.name == BYTE_CODE and entry.is_dir():
                continue
            if entry.name.startswith("."):
                raise PackageError(f"{name} is hidden, and nothing hidden is deployed. Move it elsewhere.")
            if entry.is_dir():
                yield from _modules(root, name)
            elif entry.is_file() and Path(name).suffix in SUFFIXES:
                yield name
            else:
                raise PackageError(
                    f"{name} is not for deployment: below {folder} are {', '.join(SUFFIXES)} files alone. "
                    "Move it elsewhere, or allow its suffix in infra/package.py if the functions read it."
                )


def _check_tracked(root: Path, names: list[str]) -> None:
    if not (root / ".git").exists():
        return
    command = ["git", "-C", str(root), "ls-files", "-z", "--", *FILES, *FOLDERS]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout
    except FileNotFoundError:
        raise PackageError("git is not installed, and tells here which files belong to the product.") from None
    except subprocess.CalledProcessError as error:
        raise PackageError(f"git does not tell which files it tracks: {error.stderr.decode().strip()}") from None
    tracked = set(map(os.fsdecode, listed.split(b"\0")))
    if strangers := [name for name in names if name not in tracked]:
        raise PackageError(
            f"git does not track {', '.join(strangers)}: `git add` what is to be deployed, remove the rest."
        )


def _zip(root: Path, names: list[str]) -> bytes:
    content = io.BytesIO()
    # Not compressed: what zlib makes of the same content differs from build to build of it.
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as package:
        for name in names:
            entry = zipfile.ZipInfo(name, TIME)
            entry.create_system, entry.external_attr = UNIX, MODE << 16
            package.writestr(entry, _read(root, name))
    return content.getvalue()


def _read(root: Path, name: str) -> bytes:
    path = root / name
    if path.is_symlink() or not path.is_file():
        raise PackageError(f"{name} is not there, or is no file of its own: every zip has it.")
    return path.read_bytes()


def main() -> None:
    """The command line; the last line that it prints is the zip's path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder of the zips; default: dist")
    args = parser.parse_args()
    try:
        path = build(args.output)
    except PackageError as error:
        raise SystemExit(f"There is no zip: {error}") from None
    with zipfile.ZipFile(path) as package:
        print(f"{len(package.namelist())} files, {path.stat().st_size:,} bytes")
    print(path)


if __name__ == "__main__":
    main()
