"""A Sluice to test against: in this process, or as a process of its own that can be killed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
OVER = {"completed", "completed_with_errors", "failed"}


class Api:
    """A client of the API that speaks of storages and tasks."""

    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Token {token}"}, timeout=60)

    def project(self, title: str = "a project") -> int:
        config = '<View><Image name="image" value="$image"/></View>'
        return int(self._ok(self.http.post("/api/projects/", json={"title": title, "label_config": config}))["id"])

    def storage(self, project: int, **settings: Any) -> dict[str, Any]:
        kind = "s3" if "bucket" in settings else "localfiles"
        return self._ok(self.http.post(f"/api/storages/{kind}/", json={"project": project, **settings}))

    def s3_storage(self, project: int, endpoint: str, **settings: Any) -> dict[str, Any]:
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "s3_endpoint": endpoint}
        defaults = {"bucket": "bucket", "recursive_scan": True, "use_blob_urls": True}
        return self.storage(project, **keys, **(defaults | settings))

    def path(self, storage: dict[str, Any]) -> str:
        return f"/api/storages/{storage['type']}/{storage['id']}"

    def sync(self, storage: dict[str, Any]) -> dict[str, Any]:
        return self._ok(self.http.post(self.path(storage) + "/sync"))

    def read(self, storage: dict[str, Any]) -> dict[str, Any]:
        return self._ok(self.http.get(self.path(storage)))

    def wait(self, storage: dict[str, Any], seconds: float = 120) -> dict[str, Any]:
        """The storage once its sync is over."""
        tick = threading.Event()
        for _ in range(int(seconds / 0.05)):
            now = self.read(storage)
            if now["status"] in OVER:
                return now
            tick.wait(0.05)
        raise AssertionError(f"still {now['status']} after {seconds} s: {now}")

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """All tasks of a project, page by page."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            query = {"project": project, "page": page, "page_size": 1000}
            answer = self.http.get("/api/tasks/", params=query)
            if answer.status_code == 404:
                return found
            found += self._ok(answer)["tasks"]
            page += 1

    def total(self, project: int) -> int:
        return int(self._ok(self.http.get("/api/tasks/", params={"project": project, "page_size": 1}))["total"])

    @staticmethod
    def _ok(answer: httpx.Response) -> Any:
        assert answer.status_code < 300, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
        return answer.json()

    def close(self) -> None:
        self.http.close()


class Server:
    """`python -m infra.local` in a process of its own, on one data directory and one port over many lives."""

    def __init__(self, data_dir: Path, files_root: Path, **env: str) -> None:
        self.data_dir, self.files_root = data_dir, files_root
        self.port = "0"
        self._env = {**os.environ, "SLUICE_LOG_LEVEL": "ERROR", **env}
        self.process: subprocess.Popen[str] | None = None
        self.api: Api | None = None

    def start(self) -> Api:
        """Starts it, or starts it again, and waits until it serves."""
        command = [sys.executable, "-m", "infra.local", "--port", self.port]
        command += ["--data-dir", str(self.data_dir), "--files-root", str(self.files_root)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self._env, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        url = self._line("Sluice is at ")
        token = self._line("Token: ")
        self.port = url.rpartition(":")[2]
        self.api = Api(url, token)
        return self.api

    def _line(self, start: str) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith(start), f"the server said {line!r}"
        return line.removeprefix(start).strip()

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=30)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None
        if self.api is not None:
            self.api.close()
            self.api = None

    def peak_memory(self) -> float:
        """The most memory the process ever held, in MB."""
        assert self.process is not None
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmHWM")


@contextmanager
def server(data_dir: Path, files_root: Path, **env: str) -> Iterator[Server]:
    """A server that is stopped in the end, in whichever life."""
    one = Server(data_dir, files_root, **env)
    try:
        yield one
    finally:
        one.stop()
