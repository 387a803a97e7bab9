"""A storage that is declared in Terraform: the real program in a folder of its own."""

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from infra.emulators import Missing
from tests.emulators import require

MODULE = Path(__file__).resolve().parents[2] / "terraform" / "modules" / "storage"
LIMIT = 120
CHANGES = 2
"""What `plan -detailed-exitcode` says if there is something to do."""


def terraform() -> str:
    """The program; without it the test is skipped, and fails in CI."""
    found = shutil.which("terraform")
    if found is None:
        require(Missing("terraform", "terraform is not installed.", "See developer.hashicorp.com/terraform/install."))
    return str(found)


class Declared:
    """A folder with one module, whose inputs a test changes between applies."""

    def __init__(self, folder: Path, token: str, **inputs: Any) -> None:
        self.folder = folder
        self.inputs = inputs
        self.said = ""
        """All that was printed so far."""
        folder.mkdir()
        (folder / "no.tfrc").touch()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_", "SLUICE_"))}
        kept |= {
            "TF_CLI_CONFIG_FILE": str(folder / "no.tfrc"),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
        }
        self.env = {**kept, "SLUICE_TOKEN": token}
        self._write()
        self._run("init")

    def _write(self) -> None:
        module = {"source": str(MODULE), "secrets": "${var.secrets}", **self.inputs}
        outputs = {name: {"value": f"${{module.storage.{name}}}"} for name in ("name", "path", "list_url")}
        secrets = {"type": "map(string)", "ephemeral": True, "default": {}}
        declared = {"module": {"storage": module}, "variable": {"secrets": secrets}, "output": outputs}
        (self.folder / "main.tf.json").write_text(json.dumps(declared))

    def _command(self, *arguments: str) -> list[str]:
        return [terraform(), *arguments, "-no-color"]

    def _run(self, *arguments: str, code: int = 0, **env: str) -> str:
        done = subprocess.run(
            self._command(*arguments),
            cwd=self.folder,
            env=self.env | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        self.said += done.stdout
        assert done.returncode == code, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def apply(self, *arguments: str, code: int = 0, secrets: dict[str, str] | None = None, **inputs: Any) -> str:
        """Applies with these inputs changed, and returns what was printed."""
        self.inputs |= inputs
        self._write()
        return self._run("apply", "-auto-approve", *arguments, code=code, **self._secrets(secrets))

    def apply_until(self, reached: threading.Event, secrets: dict[str, str] | None = None) -> None:
        """Applies, and kills Terraform with -9 when the event is set."""
        with subprocess.Popen(
            self._command("apply", "-auto-approve"),
            cwd=self.folder,
            env=self.env | self._secrets(secrets),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert reached.wait(LIMIT)
            process.kill()

    def unchanged(self) -> bool:
        """Whether there is nothing to do."""
        done = subprocess.run(
            self._command("plan", "-detailed-exitcode"),
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        self.said += done.stdout + done.stderr
        assert done.returncode in {0, CHANGES}, done.stdout + done.stderr
        return done.returncode == 0

    def plan(self, secrets: dict[str, str]) -> str:
        """All that a saved plan holds."""
        self._run("plan", "-out=saved.plan", **self._secrets(secrets))
        with ZipFile(self.folder / "saved.plan") as saved:
            return "".join(saved.read(name).decode(errors="replace") for name in saved.namelist())

    def destroy(self, *, code: int = 0, **env: str) -> str:
        return self._run("destroy", "-auto-approve", code=code, **env)

    def outputs(self) -> dict[str, str]:
        return {name: it["value"] for name, it in json.loads(self._run("output", "-json")).items()}

    def kept(self) -> str:
        """All that Terraform left in the folder: states, their backups, what is there of plans."""
        files = [it for it in self.folder.rglob("*") if it.is_file()]
        assert self.folder / "terraform.tfstate" in files
        return "".join(it.read_text(errors="replace") for it in files)

    @staticmethod
    def _secrets(secrets: dict[str, str] | None) -> dict[str, str]:
        return {"TF_VAR_secrets": json.dumps(secrets)} if secrets else {}
