"""The real SDK as the tests use it: `sdk.import_storage.gcs.create(project=1)` is that call, made by `worker.py`."""

import contextlib
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.emulators import Missing
from tests.sdk.scope import COVERED, REFUSED

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("worker.py")
ENVIRONMENT = ROOT / ".venv-sdk"
RETRIED = frozenset({408, 409, 429})
"""Beside all from 500 on: what the SDK sends again by itself."""


def find() -> Path | Missing:
    """The Python that has the SDK."""
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (ENVIRONMENT / ".ready").exists():
        return Missing("label-studio-sdk", f"{ENVIRONMENT.name} is not there or not complete.", "make sdk")
    return python


class SdkError(Exception):
    """What the SDK raised: the name of its class, the status and the body of the answer."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.name: str = error["class"]
        self.status: int | None = error["status_code"]
        self.body: Any = error["body"]
        super().__init__(f"{self.name} {self.status}: {error['text']}")


@dataclass(frozen=True, slots=True)
class Sent:
    """An exchange with the server."""

    method: str
    path: str
    status: int
    authorization: str
    """The first word of the header."""
    api_key: bool
    """Whether there was an X-API-Key header."""


class Worker:
    """The process that has the SDK. One call at a time."""

    def __init__(self, python: Path) -> None:
        hidden = ("LABEL_STUDIO_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        env = {name: value for name, value in os.environ.items() if not name.upper().startswith(hidden)}
        command = [str(python), "-I", str(WORKER)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """The answer to a request."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the SDK's process ended at {do} {more.get('method', '')}"
        return dict(json.loads(line))

    def close(self) -> None:
        with self._process:
            assert self._process.stdin
            self._process.stdin.close()


class Sdk:
    """A client of the SDK. Every call checks that the server made it neither try again nor go elsewhere."""

    def __init__(self, worker: Worker, base_url: str, api_key: str, headers: dict[str, str] | None = None) -> None:
        self._worker, self._name = worker, uuid.uuid4().hex
        self.url, self.token = base_url, api_key
        self.called: set[str] = set()
        self.sent: list[Sent] = []
        """By the last call."""
        self.type = ""
        """The class of what the last call returned."""
        self._ask("connect", base_url=base_url, api_key=api_key, headers=headers)

    def client(self, api_key: str, headers: dict[str, str] | None = None, *, base_url: str = "") -> "Sdk":
        """Another client of the same server."""
        return Sdk(self._worker, base_url or self.url, api_key, headers)

    def __getattr__(self, name: str) -> "Resource":
        return Resource(self, name)

    def call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.called.add(method)
        return self._ask("call", method=method, args=args, kwargs=kwargs)

    def at_once(self, times: int, method: str, **kwargs: Any) -> list[Any]:
        """What so many equal calls at the same moment return."""
        return list(self._ask("call_at_once", method=method, times=times, kwargs=kwargs))

    def asynchronously(self, api_key: str, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
        """What calls of the SDK's asynchronous client return."""
        return list(self._ask("call_async", base_url=self.url, api_key=api_key, calls=calls))

    def label_interface(self, project: int) -> dict[str, Any]:
        """What `projects.get(project).get_label_interface()` knows."""
        return dict(self._ask("label_interface", project=project))

    def version(self) -> str:
        """The version of the SDK."""
        return str(self._ask("version"))

    def somehow(self, method: str) -> Any:
        """What a method returns for arguments that mean nothing."""
        return self._ask("call_somehow", method=method)

    def methods(self) -> dict[str, list[str]]:
        """All public methods that the SDK has, by resource."""
        return dict(self._ask("methods"))

    @contextlib.contextmanager
    def covering(self, resource: str) -> Iterator[None]:
        """A test in which every public method of a resource has to be called: what the SDK gets new, it fails for.

        Apart from those that `refused` lists.
        """
        assert resource in COVERED, f"{resource} is not listed as covered"
        yield
        wanted = {f"{resource}.{name}" for name in self.methods()[resource]} - REFUSED.keys()
        left = wanted - self.called
        assert not left, f"the SDK can do more than this test calls: {', '.join(sorted(left))}"

    def _ask(self, do: str, **more: Any) -> Any:
        answer = self._worker.ask(do, **({} if do == "call_async" else {"client": self._name}), **more)
        self.sent = [Sent(**sent) for sent in answer["requests"]]
        again = [sent for sent in self.sent if sent.status in RETRIED or sent.status >= 500 or 300 <= sent.status < 400]
        assert not again, f"{more}: the SDK retries or is sent elsewhere: {again}"
        if "error" in answer:
            raise SdkError(answer["error"])
        self.type = answer["type"]
        return answer["ok"]


class Resource:
    """A resource or method of the SDK, by its path."""

    def __init__(self, sdk: Sdk, path: str) -> None:
        self._sdk, self._path = sdk, path

    def __getattr__(self, name: str) -> "Resource":
        return Resource(self._sdk, f"{self._path}.{name}")

    def __getitem__(self, name: str) -> "Resource":
        return Resource(self._sdk, f"{self._path}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._sdk.call(self._path, args, kwargs)
