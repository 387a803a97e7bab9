"""Writes an object into a bucket with the provider's own program, and removes it again."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from shared.model.providers import PROVIDERS

SECONDS = 60
LONGEST_SAID = 400
PROGRAMS = {
    "gcs": (["gcloud", "storage", "cp"], ["gcloud", "storage", "rm"]),
    "s3": (["aws", "s3", "cp"], ["aws", "s3", "rm"]),
}
SCHEMES = {"gcs": "gs", "s3": "s3"}


class WritingError(Exception):
    """A program did not do what it was told; the text is what it said."""


@dataclass(slots=True)
class Writer:
    """One object of a bucket. `begun`: it may be there; `written`: it is."""

    copy: list[str]
    remove: list[str]
    uri: str
    begun: bool = False
    written: bool = False

    def __str__(self) -> str:
        """Its URI, for people who look for it."""
        return self.uri if self.written else f"perhaps {self.uri}"

    def write(self) -> None:
        """Puts the object. Raises `WritingError`."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "object.txt"
            file.write_text("Written by Sluice's smoke test, which removes it.\n", encoding="utf-8")
            self.begun = True
            _run([*self.copy, str(file), self.uri])
            self.written = True

    def undo(self) -> None:
        """Removes it, if it may be there. Raises `WritingError`."""
        if self.begun:
            _run([*self.remove, self.uri])
            self.begun = self.written = False


def writer(kind: str, bucket: str, key: str) -> Writer | str:
    """What writes into buckets of this type here, or why nothing does."""
    store = PROVIDERS[kind].store
    if store not in PROGRAMS:
        return f"nothing here writes into buckets of {PROVIDERS[kind].title}"
    copy, remove = PROGRAMS[store]
    if shutil.which(copy[0]) is None:
        return f"{copy[0]} is not installed, which would write an object"
    return Writer(copy, remove, f"{SCHEMES[store]}://{bucket}/{key}")


def _run(command: list[str]) -> None:
    try:
        # A session of its own: an interrupt is for us, and what is written is removed by us.
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        raise WritingError(f"{' '.join(command[:3])} takes longer than {SECONDS} s") from None
    except OSError as error:
        raise WritingError(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        said = " ".join(done.stderr.split())[:LONGEST_SAID]
        raise WritingError(f"{' '.join(command[:3])}: {said or f'exit code {done.returncode}'}")
