"""Runs the program `terraform`, without the machine's own settings, and finds providers that the machine has."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra.emulators import Missing

# Where people keep providers that they have downloaded: Terraform's own places and the usual mirrors.
_MIRRORS = (
    "~/.terraform.d/plugins",
    "~/.local/share/terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
)
_REGISTRY = "registry.terraform.io"


class TerraformError(Exception):
    """What Terraform refused, in its own words; or that it is not here."""


@dataclass(frozen=True)
class Done:
    """What a run of Terraform came to: its exit code, and all it printed."""

    code: int
    output: str
    errors: str = ""

    def check(self) -> str:
        """The output."""
        if self.code:
            raise TerraformError(self.errors.strip() or self.output)
        return self.output


@dataclass(frozen=True)
class Plugins:
    """A folder with a provider of some version, in the form that `terraform init -plugin-dir` takes."""

    folder: Path
    version: str


def find() -> str | Missing:
    """The path of the program."""
    program = shutil.which("terraform")
    if program is None:
        return Missing("terraform", "terraform is not installed.", "Install Terraform 1.11 or later.")
    return program


def run(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Done:
    """One command of Terraform in a folder, without colours and questions."""
    program = find()
    if isinstance(program, Missing):
        raise TerraformError(program)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    environment |= {"TF_CLI_CONFIG_FILE": os.devnull, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
    environment |= {"CHECKPOINT_DISABLE": "1", "TF_CLI_ARGS": "-no-color"} | (env or {})
    done = subprocess.run(
        [program, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


def plugins(name: str) -> Plugins | None:
    """A real provider of hashicorp's that this machine has, the newest."""
    mirrors = [Path(place).expanduser() for place in _MIRRORS]
    mirrors += [path.parent for path in Path("/opt").glob(f"*/{_REGISTRY}")]
    found = [
        Plugins(mirror, version.name)
        for mirror in mirrors
        for version in mirror.glob(f"{_REGISTRY}/hashicorp/{name}/*")
        if re.fullmatch(r"\d+\.\d+\.\d+", version.name)
    ]
    return max(found, key=lambda one: [int(part) for part in one.version.split(".")], default=None)
