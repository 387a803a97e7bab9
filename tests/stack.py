"""A Sluice to test against: in this process, or as a process of its own that can be killed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from infra.processes import LocalProcess

OVER = {"completed", "completed_with_errors", "failed"}


class Api:
    """A client of the API that speaks of storages and tasks."""

    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Token {token}"}, timeout=60, verify=False)

    def project(self, title: str = "a project") -> int:
        config = '<View><Image name="image" value="$image"/></View>'
        return int(self._ok(self.http.post("/api/projects/", json={"title": title, "label_config": config}))["id"])

    def storage(self, project: int, *, kind: str = "", direction: str = "import", **settings: Any) -> dict[str, Any]:
        kind = kind or ("s3" if "bucket" in settings else "localfiles")
        base = {"import": "", "dataset": "dataset/"}[direction]
        return self._ok(self.http.post(f"/api/storages/{base}{kind}/", json={"project": project, **settings}))

    def s3_storage(self, project: int, endpoint: str, **settings: Any) -> dict[str, Any]:
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "s3_endpoint": endpoint}
        defaults = {"bucket": "bucket", "recursive_scan": True, "use_blob_urls": True}
        return self.storage(project, **keys, **(defaults | settings))

    def path(self, storage: dict[str, Any]) -> str:
        """Of a storage; a dataset is one without a project. A type may also be given with its direction."""
        base = "" if "project" in storage or "/" in storage["type"] else "dataset/"
        return f"/api/storages/{base}{storage['type']}/{storage['id']}"

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

    def records(self, storage: dict[str, Any]) -> list[dict[str, Any]]:
        """All records of a dataset, part by part."""
        found: list[dict[str, Any]] = []
        after: str | None = ""
        while after is not None:
            query = {"after": after, "page_size": 1000}
            part = self._ok(self.http.get(f"{self.path(storage)}/records", params=query))
            found, after = found + part["records"], part["next"]
        return found

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
        assert answer.status_code < 300, (
            f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
        )
        return answer.json()

    def close(self) -> None:
        self.http.close()


class Server:
    """A process that can be killed, and a client for its present life."""

    def __init__(self, data_dir: Path, files_root: Path, **env: str) -> None:
        self.process = LocalProcess(data_dir, files_root, **env)
        self.api: Api | None = None

    def start(self) -> Api:
        """Starts it, or starts it again, and waits until it serves."""
        self.process.start()
        self.api = Api(self.process.url, self.process.token)
        return self.api

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self._close()

    def peak_memory(self) -> float:
        """The most memory the present process ever held, in MB."""
        return self.process.peak_memory()

    def stop(self) -> None:
        self.process.stop()
        self._close()

    def _close(self) -> None:
        if self.api is not None:
            self.api.close()
            self.api = None


@contextmanager
def server(data_dir: Path, files_root: Path, **env: str) -> Iterator[Server]:
    """A server that is stopped in the end, in whichever life."""
    one = Server(data_dir, files_root, **env)
    try:
        yield one
    finally:
        one.stop()
