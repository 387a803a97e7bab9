"""Makes of the zip that is deployed what the platform makes of it: its files, and an environment for them alone."""

import subprocess
import sys
import zipfile
from pathlib import Path

from infra.function_process import Code


def install(package: Path, folder: Path) -> Code:
    """Unpacks a zip into `folder/source`, and installs its requirements, and nothing else, into `folder/env`.

    Raises `RuntimeError` with the end of what pip said if they can't be installed.
    """
    source, env = folder / "source", folder / "env"
    with zipfile.ZipFile(package) as opened:
        opened.extractall(source)
    subprocess.run([sys.executable, "-m", "venv", str(env)], check=True)
    command = [str(env / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "--requirement", str(source / "requirements.txt")], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"The requirements of {package.name} can't be installed: {done.stderr.strip()[-2000:]}")
    return Code(source, (str(env / "bin" / "functions-framework"),), {"PATH": f"{env / 'bin'}:/usr/bin:/bin"})
