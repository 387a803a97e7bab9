"""`python -m infra.terraform check`: checks `terraform/` without any cloud, and without network."""

import argparse
import os
import sys
import time
from pathlib import Path

from infra.emulators import Missing
from infra.terraform import command
from infra.terraform.check import check
from infra.terraform.workspace import TREE


def main(arguments: list[str]) -> int:
    """1 if something is wrong; without Terraform 1 where CI is true, as there nothing may go unchecked."""
    parser = argparse.ArgumentParser(prog="python -m infra.terraform", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=["check"])
    parser.add_argument("tree", nargs="?", type=Path, default=TREE, help="terraform/ if none is given")
    tree = parser.parse_args(arguments).tree.resolve()
    found = command.find()
    if isinstance(found, Missing):
        print(f"{tree.name} is not checked: {found}")
        return int(os.environ.get("CI", "").lower() in {"1", "true"})
    start, wrong = time.monotonic(), 0
    for one in check(tree):
        wrong += bool(one.wrong)
        print(f"{'WRONG' if one.wrong else 'skipped' if one.skipped else 'ok':8}{one.what}", end="")
        print(f": {one.skipped}" if one.skipped else "", flush=True)
        for line in one.wrong.splitlines():
            print(f"        {line}".rstrip())
    print(f"{wrong or 'nothing'} wrong in {tree.name}, checked in {time.monotonic() - start:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
