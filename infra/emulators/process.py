"""A server process for development and tests: what it is, starting it, waiting until it answers, stopping all of it.

For a new emulator write a module beside this one with `find() -> Emulator | Missing`, and name it in `__init__`:

    def find() -> Emulator | Missing:
        binary = shutil.which("some-server")
        if binary is None:
            return Missing("some", "some-server is not installed.", "npm install some-server")
        return Emulator(
            name="some",
            command=lambda port: [binary, "--port", str(port)],
            ready="/",                                                    # or a function of the port
            env=lambda port: {"SOME_EMULATOR_HOST": f"{HOST}:{port}"},
        )

    with running(found) as some:     # some.port, some.host ("127.0.0.1:1234"), some.url, some.env

Tests ask `tests.emulators` for a running one, which skips or fails where it is missing.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

HOST = "127.0.0.1"
PORTS = range(12_000, 32_000)
"""Below those that systems hand out by themselves."""
TRIED_PORTS = 100
_LOG_TAIL = 2_000
_DIRECT = build_opener(ProxyHandler({}))
"""A proxy that the machine may have set is not asked for loopback addresses."""


class EmulatorError(Exception):
    """An emulator that is there did not start."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no such emulator on this machine, and what installs it."""

    name: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason} {self.remedy}"


def _nothing(port: int) -> dict[str, str]:  # noqa: ARG001 - has the shape of `Emulator.env`
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """How to run a server that was found. It must listen on `HOST` alone."""

    name: str
    command: Callable[[int], list[str]]
    """The command line that serves the given port."""
    ready: str | Callable[[int], bool] = "/"
    """A path that answers below 500 once it serves, or a function that says so (it may raise `OSError`)."""
    env: Callable[[int], Mapping[str, str]] = _nothing
    """The variables that lead clients to it."""
    own_env: Mapping[str, str] = field(default_factory=dict)
    """Variables for the server itself, beside those of this process."""
    start_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """An emulator that serves."""

    name: str
    port: int
    env: Mapping[str, str]
    pid: int

    @property
    def host(self) -> str:
        """`127.0.0.1:port`."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """`http://127.0.0.1:port`."""
        return f"http://{self.host}"


def free_port() -> int:
    """A loopback port that nobody listens on at this moment.

    None that the system hands out by itself: such a one may be taken before it is listened on, or between two lives.
    """
    for port in random.SystemRandom().sample(PORTS, TRIED_PORTS):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise EmulatorError(f"No port between {PORTS[0]} and {PORTS[-1]} is free.")


@contextmanager
def running(emulator: Emulator, *, port: int | None = None) -> Iterator[Running]:
    """Starts an emulator, waits until it answers, and stops its whole process group in the end.

    Raises `EmulatorError` with the end of what it printed if it dies or does not answer in time.
    """
    port = port or free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            emulator.command(port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | dict(emulator.own_env),
            start_new_session=True,  # a group of its own: Ctrl-C is for its starter, and stopping reaches children
        )
        try:
            _wait(emulator, process, port, log)
            yield Running(emulator.name, port, dict(emulator.env(port)), process.pid)
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes], *, patience: float = 5.0) -> None:
    """Ends a process that leads its own group, and the group: asks first, then kills."""
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def _wait(emulator: Emulator, process: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    deadline = time.monotonic() + emulator.start_seconds
    while not _answers(emulator.ready, port):
        if process.poll() is not None:
            raise EmulatorError(f"{emulator.name} ended with status {process.returncode}.{_tail(log)}")
        if time.monotonic() > deadline:
            raise EmulatorError(f"{emulator.name} did not answer within {emulator.start_seconds:g} s.{_tail(log)}")
        time.sleep(0.05)


def _answers(ready: str | Callable[[int], bool], port: int) -> bool:
    try:
        if not isinstance(ready, str):
            return ready(port)
        with _DIRECT.open(f"http://{HOST}:{port}{ready}", timeout=2):
            return True
    except HTTPError as error:
        with error:
            return error.code < 500
    except (URLError, OSError):
        return False


def _tail(log: IO[bytes]) -> str:
    end = log.seek(0, os.SEEK_END)
    log.seek(max(0, end - _LOG_TAIL))
    text = log.read().decode(errors="replace").strip()
    return f" It printed:\n{text}" if text else ""
