"""The commands of the README: `make deploy`, once more, and `make destroy`, with stand-ins for the providers."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.terraform import command, provider
from infra.terraform.workspace import ROOT, TREE, copied
from tests.emulators import require

MADE = "PROJECT=my-project", "REGION=europe-west1"
Make = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A copy of the example, which Terraform may leave its files in."""
    require(command.find())
    with copied(TREE) as tree:
        yield tree / "examples" / "minimal"


@pytest.fixture
def make(folder: Path) -> Iterator[Make]:
    """Runs make on it. What make installs is there."""
    plain = {"TF_CLI_CONFIG_FILE": os.devnull, "TF_CLI_ARGS": "-no-color", "CHECKPOINT_DISABLE": "1"}
    with provider.standing_in() as stand_ins:
        env = os.environ | plain | stand_ins

        def run(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
            whole = ["make", "--assume-old=.venv/.ready", *arguments, f"DEPLOYMENT={folder}"]
            return subprocess.run(whole, cwd=ROOT, env=env, input=said, capture_output=True, text=True, timeout=150)

        yield run


def resources(folder: Path) -> int:
    return len(json.loads((folder / "terraform.tfstate").read_text())["resources"])


def test_made_and_taken_down(make: Make, folder: Path) -> None:
    made = make("deploy", *MADE, "ARGS=-auto-approve")
    assert 0 == made.returncode, made.stdout[-3000:] + made.stderr[-3000:]
    assert "https://sluice-api-" in made.stdout

    again = make("deploy", *MADE, "ARGS=-auto-approve")
    assert "0 added, 0 changed, 0 destroyed" in again.stdout

    kept = make("destroy", *MADE, said="another-project\n")
    assert 0 != kept.returncode
    assert "Nothing was removed." in kept.stdout
    assert resources(folder) > 20

    gone = make("destroy", *MADE, said="my-project\n")
    assert 0 == gone.returncode, gone.stdout[-3000:] + gone.stderr[-3000:]
    assert 0 == resources(folder)


@pytest.mark.parametrize("target", ["deploy", "destroy", "smoke"])
def test_what_is_not_said_is_asked_for(make: Make, target: str) -> None:
    """The answer is the command as it should be."""
    answer = make(target)

    assert 2 == answer.returncode
    assert f"make {target} " in answer.stdout
