"""Plans and applies folders of Terraform with the stand-in providers, in copies: for tests.

A folder of the project's own `terraform/` is copied with all that it refers to; any other folder is copied alone.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

from infra.terraform import command, provider

ROOT = Path(__file__).resolve().parents[2]
TREE = ROOT / "terraform"


@contextmanager
def copied(tree: Path) -> Iterator[Path]:
    """A copy of a folder in a temporary one, with links to what stands beside it. Terraform leaves files where it runs.

    Neither state nor providers of the original come along.
    """
    tree = tree.resolve()
    with tempfile.TemporaryDirectory() as place:
        for beside in tree.parent.iterdir():
            if beside != tree and not beside.name.startswith("."):
                Path(place, beside.name).symlink_to(beside)
        unwanted = ignore_patterns(".terraform", "*.tfstate", "*.tfstate.*", "*.auto.tfvars", "terraform.tfvars")
        yield Path(copytree(tree, Path(place, tree.name), ignore=unwanted))


def plan(folder: Path, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The plan of a new installation, as `terraform show -json` tells it. TerraformError with what it refuses."""
    with Workspace.of(folder) as workspace:
        return workspace.plan(variables)


class Workspace:
    """A copy of a folder where Terraform has been initialized. Files in `folder` may be changed between calls.

    Every call raises TerraformError if it failed.
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self._env = env
        self._run("init", "-backend=false")

    @classmethod
    @contextmanager
    def of(cls, folder: Path) -> Iterator["Workspace"]:
        """A workspace for as long as the context lasts."""
        folder = folder.resolve()
        tree = TREE if folder.is_relative_to(TREE) else folder
        with copied(tree) as copy, provider.standing_in() as env:
            yield cls(copy / folder.relative_to(tree), env)

    def plan(self, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What an apply would do now, as `terraform show -json` tells it."""
        self._run("plan", "-out=planned", *_given(variables))
        said: dict[str, Any] = json.loads(self._run("show", "-json", "planned"))
        return said

    def apply(self, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Makes it so. Returns the outputs by name."""
        self._run("apply", "-auto-approve", *_given(variables))
        return {name: one["value"] for name, one in json.loads(self._run("output", "-json")).items()}

    def changes(self, variables: Mapping[str, Any] | None = None) -> dict[str, list[str]]:
        """What an apply would change now, by address: none, right after an apply."""
        changes = self.plan(variables).get("resource_changes", [])
        found = {one["address"]: one["change"]["actions"] for one in changes}
        return {address: actions for address, actions in found.items() if actions not in (["no-op"], ["read"])}

    def destroy(self, variables: Mapping[str, Any] | None = None) -> None:
        """Takes everything away."""
        self._run("destroy", "-auto-approve", *_given(variables))

    @property
    def state(self) -> str:
        """The state's file, as it is kept."""
        return (self.folder / "terraform.tfstate").read_text()

    def _run(self, *arguments: str) -> str:
        return command.run(self.folder, *arguments, env=self._env).check()


def _given(variables: Mapping[str, Any] | None) -> list[str]:
    return [f"-var={name}={_expression(value)}" for name, value in (variables or {}).items()]


def _expression(value: Any) -> str:
    """A text as it is; anything else as Terraform's language has it, which is JSON but for templates."""
    if isinstance(value, str):
        return value
    return json.dumps(value).replace("${", "$${").replace("%{", "%%{")
