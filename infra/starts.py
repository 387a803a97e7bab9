"""How long each function takes from its start to its first answer, and how much memory it then holds.

From the zip that is deployed, with its own requirements, on Firestore's emulator; one function at a time, the best of
some starts.
"""

import base64
import os
import signal
import tempfile
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from infra.emulators import Missing, Running, firestore, running
from infra.function_process import Code, FunctionProcess
from infra.functions import API, load
from infra.installing import install
from infra.package import build
from infra.processes import cpu_seconds

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
        print(f"{'from start to first answer':30} {'s':>8} {'CPU s':>8} {'MB':>8}   of")
        for function in load().functions.values():
            it = best(function.name, code, documents, folder)
            print(f"{function.name:30} {it.seconds:8.2f} {it.cpu:8.2f} {it.memory:8.0f}   {function.memory}")


def best(target: str, code: Code, documents: Running, folder: Path) -> Start:
    """The least of `RUNS` starts: what other processes of the machine take is not ours."""
    starts = [start(target, code, documents, folder) for _ in range(RUNS)]
    return Start(*(min(getattr(one, name) for one in starts) for name in Start.__slots__))


def start(target: str, code: Code, documents: Running, folder: Path) -> Start:
    """Starts a function, asks it for one answer, and kills it."""
    process = FunctionProcess(target, folder / f"{target}.log", code)
    process.env = settings(documents, folder)
    begun = time.monotonic()
    process.start()
    try:
        status = process.wait("/api/projects" if target == API else "/", Authorization=f"Token {TOKEN}")
        seconds = time.monotonic() - begun
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise SystemExit(f"{target} answered {status}. It printed:\n{process.printed()}")
        return Start(seconds, sum(map(cpu_seconds, process.members())), process.memory())
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
