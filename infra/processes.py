"""The local stack as a process of its own, which can be measured and killed: for tests and benchmarks."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from infra.emulators.process import free_port

ROOT = Path(__file__).resolve().parents[1]


class LocalProcess:
    """`python -m infra.local` on one data directory and one port, over many lives."""

    def __init__(self, data_dir: Path, files_root: Path, **env: str) -> None:
        self.url = self.token = ""
        self._command = [sys.executable, "-m", "infra.local", "--data-dir", str(data_dir)]
        self._command += ["--files-root", str(files_root), "--port"]
        self._env = {**os.environ, "SLUICE_LOG_LEVEL": "ERROR", **env}
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Starts it, again on the same port, and returns once it serves."""
        port = self.url.rpartition(":")[2] or str(free_port())
        self._process = subprocess.Popen(
            [*self._command, port], cwd=ROOT, env=self._env, stdout=subprocess.PIPE, text=True
        )
        self.url, self.token = self._line("Sluice is at "), self._line("Token: ")

    def _line(self, start: str) -> str:
        line = self._running.stdout.readline() if self._running.stdout else ""
        if not line.startswith(start):
            raise RuntimeError(f"the server did not start; it said {line!r}")
        return line.removeprefix(start).strip()

    def kill(self) -> None:
        """Ends it as `kill -9` does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ends it in good order, if it runs."""
        if self._process is not None:
            self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        process = self._running
        process.send_signal(number)
        process.wait(timeout=60)
        if process.stdout:
            process.stdout.close()
        self._process = None

    @property
    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process

    def peak_memory(self) -> float:
        """The most memory the process ever held, in MB (Linux only)."""
        return peak_memory(self._running.pid)

    def cpu_seconds(self) -> float:
        """CPU time of the process so far, user and system (Linux only)."""
        return cpu_seconds(self._running.pid)


def peak_memory(pid: int) -> float:
    """The most memory a process ever held, in MB (Linux only)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM in /proc")


def shared_memory(pid: int) -> float:
    """What a process holds now in MB, where what it shares with others counts for each in part (Linux only)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no Pss in /proc")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, user and system (Linux only)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
