"""Prints what the deployed functions' requirements weigh when they are installed, and fails above the limit.

python -m infra.size [--without NAME ...]
python -m infra.size --start       # instead, how long each function takes to start, and how much memory it holds
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.processes import ROOT
from infra.starts import measure

LIMIT = 250
SHOWN = 10
MB = 1_000_000


def main() -> int:
    """Installs into a temporary folder; 1 if that is larger than the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME", help="requirements to leave out")
    parser.add_argument("--start", action="store_true", help="measure starts and memory of each function instead")
    args = parser.parse_args()
    if args.start:
        measure()
        return 0
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = [line for line in lines if line and line[0] != "#" and line.partition("==")[0] not in args.without]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, "--target", folder, *wanted], check=True)
        sizes = {entry.name: _size(entry) for entry in Path(folder).iterdir()}
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:SHOWN]:
        print(f"{size / MB:8.1f} MB  {name}")
    total = sum(sizes.values()) / MB
    print(f"{total:8.1f} MB  in all; the limit is {LIMIT} MB")
    return int(total > LIMIT)


def _size(entry: Path) -> int:
    files = entry.rglob("*") if entry.is_dir() else [entry]
    return sum(file.stat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    raise SystemExit(main())
