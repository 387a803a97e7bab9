"""Functions as the platform runs them: a `functions-framework` process each, told by environment variables alone."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from infra.emulators.process import HOST, free_port
from infra.processes import ROOT, peak_memory, shared_memory

START_SECONDS = 60.0
LOG_TAIL = 3000


@dataclass(frozen=True, slots=True)
class Code:
    """Where the functions' code is, what starts one, and what its environment has before anything is set for it."""

    folder: Path
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


CHECKOUT = Code(ROOT, (sys.executable, "-m", "functions_framework"), {"PATH": os.environ["PATH"]})
"""This source tree and the environment it runs in."""


class FunctionProcess:
    """One function, over many lives on one port."""

    def __init__(self, target: str, log: Path, code: Code = CHECKOUT) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.log = log
        self._code, self._target = code, target
        self._process: subprocess.Popen[bytes] | None = None
        self.env: dict[str, str] = {}
        """What is set for it; counts from its next start on."""

    def start(self) -> None:
        """Starts it; a request that comes too early is refused."""
        told = {"FUNCTION_TARGET": self._target, "FUNCTION_USE_ASGI": "true", "HOST": HOST, "PORT": str(self.port)}
        env = {**self._code.env, **told, **self.env}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._code.command, cwd=self._code.folder, env=env, stdout=log, stderr=log, start_new_session=True
            )

    def end(self, number: signal.Signals) -> None:
        """Sends the signal to the process and its workers, and waits for its end."""
        if self._process is not None:
            with suppress(ProcessLookupError):  # it may have ended by itself
                os.killpg(self._process.pid, number)
            self._process.wait(20)
            self._process = None

    def wait(self, path: str = "/", **headers: str) -> int:
        """Returns once it answers, whatever that is: the status. Raises `RuntimeError` if it never does."""
        pause, deadline = threading.Event(), time.monotonic() + START_SECONDS
        while self._running.poll() is None and time.monotonic() < deadline:
            connection = HTTPConnection(HOST, self.port, timeout=START_SECONDS)
            try:
                connection.request("GET", path, headers=headers)
                return connection.getresponse().status
            except (OSError, HTTPException):
                pause.wait(0.02)
            finally:
                connection.close()
        raise RuntimeError(f"{self._target} does not answer. It printed:\n{self.printed()}")

    def printed(self) -> str:
        """The end of what it printed, in all its lives."""
        return self.log.read_text(errors="replace")[-LOG_TAIL:]

    def members(self) -> list[int]:
        """The ids of the process and of all that it started (Linux only)."""
        group = self._running.pid
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _group(pid) == group]

    def memory(self) -> float:
        """What all of its processes hold now, in MB."""
        return sum(map(shared_memory, self.members()))

    def peak_memory(self) -> float:
        """The most memory that one of its processes ever held, in MB."""
        return max(map(peak_memory, self.members()))

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self._target} does not run")
        return self._process


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0
