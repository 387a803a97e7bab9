"""How long each function takes from its start to its first answer, and how much memory it then holds.

From the zip that is deployed, with its own requirements, on Firestore's emulator; one function at a time.
"""

import base64
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.emulators import Missing, Running, firestore, running
from infra.function_process import Code, FunctionProcess
from infra.functions import API, load
from infra.installing import install
from infra.package import build
from infra.processes import cpu_seconds, shared_memory

RUNS = 5
TOKEN = "the-token-of-a-measurement"  # noqa: S105
NOBODY = "127.0.0.1:9"
"""Where the queue would be: no first answer needs it."""


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a function, up to its first answer."""

    seconds: float
    cpu: float
    memory: float
    """In MB, of the server and its worker together."""


def measure() -> None:
    """Prints a table. Exits with what is missing if there is no emulator of Firestore."""
    found = firestore.find()
    if isinstance(found, Missing):
        raise SystemExit(str(found))
    with tempfile.TemporaryDirectory() as name, running(found) as documents:
        folder = Path(name)
        code = install(build(folder), folder)
        print("from start to first answer, best of 5       s    CPU s      MB of   without byte code: s    CPU s")
        for function in load().functions.values():
            # A new instance of the platform finds byte code only if its image was built with it.
            bare = best(starts(function.name, code, documents, folder, PYTHONDONTWRITEBYTECODE="1"))
            with_byte_code = starts(function.name, code, documents, folder)
            next(with_byte_code)  # writes it
            it = best(with_byte_code)
            limit = function.memory
            print(f"{function.name:36} {it.seconds:8.2f} {it.cpu:8.2f} {it.memory:7.0f} {limit:>7}", end="")
            print(f"{bare.seconds:20.2f} {bare.cpu:8.2f}")


def best(runs: Iterator[Start]) -> Start:
    """The least of `RUNS` of them: what other processes of the machine take is not ours."""
    taken = [next(runs) for _ in range(RUNS)]
    return Start(*(min(getattr(one, name) for one in taken) for name in Start.__slots__))


def starts(target: str, code: Code, documents: Running, folder: Path, **env: str) -> Iterator[Start]:
    """One start after the other."""
    while True:
        process = FunctionProcess(target, folder / f"{target}.log", code)
        process.env = settings(documents, folder) | env
        begun = time.monotonic()
        process.start()
        try:
            process.wait("/api/projects" if target == API else "/", Authorization=f"Token {TOKEN}")
            seconds, members = time.monotonic() - begun, process.members()
            yield Start(seconds, sum(map(cpu_seconds, members)), sum(map(shared_memory, members)))
        finally:
            process.end(signal.SIGKILL)


def settings(documents: Running, folder: Path) -> dict[str, str]:
    """Those of a deployment."""
    return {
        **documents.env,
        "SLUICE_DOCUMENTS": "firestore",
        "SLUICE_QUEUE": "cloudtasks",
        "SLUICE_GOOGLE_PROJECT": "sluice-starts",
        "SLUICE_GOOGLE_LOCATION": "europe-west1",
        "SLUICE_CLOUD_TASKS_ENDPOINT": NOBODY,
        "SLUICE_CALLER_SERVICE_ACCOUNT": "queue@sluice-starts.iam.gserviceaccount.com",
        **{f"SLUICE_{name.upper()}_URL": f"http://{NOBODY}" for name in load().functions},
        "SLUICE_SECRET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "SLUICE_TOKEN": TOKEN,
        "SLUICE_DATA_DIR": str(folder / "data"),
    }
