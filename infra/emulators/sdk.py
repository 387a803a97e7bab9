"""Where the gcloud SDK keeps its emulators."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

_PLACES = (
    "/usr/lib/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/usr/local/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/opt/homebrew/share/google-cloud-sdk",
    "/usr/local/share/google-cloud-sdk",
    "/snap/google-cloud-sdk/current",
    "~/google-cloud-sdk",
)


def find_jar(variable: str, pattern: str) -> tuple[str, Path] | str:
    """Java and the jar that the variable names or that lies under an SDK's `platform`; a sentence if one is missing."""
    java = shutil.which("java")
    if java is None:
        return "Java is not installed."
    if named := os.environ.get(variable):
        jar = Path(named).expanduser()
        return (java, jar) if jar.is_file() else f"{variable} names {named}, which is no file."
    for root in _sdk_roots():
        if jars := sorted((root / "platform").glob(pattern)):
            return java, jars[-1]
    return "The emulator is in no gcloud SDK of this machine."


def _sdk_roots() -> Iterator[Path]:
    if named := os.environ.get("CLOUDSDK_ROOT_DIR"):
        yield Path(named)
    if gcloud := shutil.which("gcloud"):
        yield Path(gcloud).resolve().parents[1]
    yield from (Path(place).expanduser() for place in _PLACES)
