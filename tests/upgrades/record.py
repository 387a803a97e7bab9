"""Records the state that a release leaves behind, for later releases to go on from.

    git archive v0.1.0 | tar -x -C /tmp/release
    python -m tests.upgrades.record /tmp/release tests/upgrades/0.1.0

Runs the local stack of the code in the first folder through a history, kills it in the middle of nearly everything,
and writes its state into the second: the databases as SQL, and `expected.json`, which says what was answered before.
Key and tokens are throw-away ones, made for this recording.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from infra.bench.s3_process import S3Server, s3_server
from tests.receiver import Receiver, receiving
from tests.stack import Api
from tests.upgrades import places, state

RESULT = [{"from_name": "ch", "to_name": "img", "type": "choices", "value": {"choices": ["cat"]}}]
SECRET = "a-throw-away-secret-of-notices"
KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "a-throw-away-secret"}


class Stack:
    """The local stack of a release, over several lives."""

    def __init__(self, code: Path, data: Path, root: Path, key: str, token: str) -> None:
        self._command = [sys.executable, "-m", "infra.local", "--port", "0", "--data-dir", str(data)]
        self._command += ["--files-root", str(root)]
        self._code, self.token = code, token
        self._env = {
            **os.environ,
            "SLUICE_SECRET_KEY": key,
            "SLUICE_TOKEN": token,
            "SLUICE_LOG_LEVEL": "ERROR",
            "SLUICE_CHUNK_TARGET": "10",
            "SLUICE_BATCH_WRITES": "100",
            "SLUICE_MAX_LANES": "2",
            "SLUICE_NOTICE_SECRETS": SECRET,
        }

    def start(self, **env: str) -> Api:
        self._process = subprocess.Popen(
            self._command, cwd=self._code, env=self._env | env, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        url = self._process.stdout.readline().removeprefix("Sluice is at ").strip()
        return Api(url, self.token)

    def end(self, number: signal.Signals) -> None:
        """Sends the signal and waits for the end; harmless if it has ended."""
        self._process.send_signal(number)
        self._process.wait(60)
        if self._process.stdout:
            self._process.stdout.close()


def until(true: Callable[[], Any], seconds: float = 60, every: float = 0.02) -> Any:
    """What it finds in the end."""
    tick = threading.Event()
    for _ in range(int(seconds / every)):
        if found := true():
            return found
        tick.wait(every)
    raise AssertionError("it did not happen")


class History:
    """What happens, and what is expected of it."""

    def __init__(self, s3: S3Server, receiver: Receiver, root: Path) -> None:
        self.s3, self.receiver, self.root = s3, receiver, root
        self.rng = random.Random()
        self.expected: dict[str, Any] = {}
        self.storages: dict[str, Any] = {}

    def _keep(self, name: str, storage: Any) -> Any:
        self.storages[name] = storage
        return storage

    def first_life(self, api: Api) -> None:
        """Everything that comes to an end."""
        self.api = api
        self.pictures, self.rows, self.added = (api.project(title) for title in ("Pictures", "Rows", "Added"))
        self._people()
        self._imports()
        self._labels()
        self._told()
        self._target()
        self._dataset()

    def _people(self) -> None:
        post = self._post
        ann = post("/api/users/", {"email": "ann@example.org", "first_name": "Ann", "projects": [self.pictures]})
        refresh = post("/api/token/", {"user": ann["id"]})["token"]
        access = post("/api/token/refresh/", {"refresh": refresh})["access"]
        legacy = self.api.http.post("/api/current-user/reset-token/", headers={"Authorization": f"Bearer {access}"})
        self.expected["tokens"] = {"user": ann["id"], "refresh": refresh, "legacy": legacy.json()["token"]}

    def _imports(self) -> None:
        api = self.api
        s3 = {**KEYS, "s3_endpoint": self.s3.endpoint, "recursive_scan": True}
        blobs = s3 | {"use_blob_urls": True}
        self._keep(
            "pictures", api.storage(self.pictures, bucket=places.PICTURES, prefix="set", auto_sync=True, **blobs)
        )
        self._keep("many", api.storage(self.pictures, bucket=places.MANY, prefix="lot", **blobs))
        self._keep("rows", api.storage(self.rows, bucket=places.ROWS, prefix="rows", **s3))
        folder = str(self.root / "files")
        self._keep("files", api.storage(self.rows, kind="localfiles", path=folder, use_blob_urls=True))
        self.s3.bucket(places.LOST)
        self._keep("lost", api.storage(self.rows, bucket=places.LOST, **blobs))
        self.s3.drop(places.LOST)
        self.s3.delete(places.PICTURES, places.NEW_PICTURE)
        wanted = {"pictures": "completed", "rows": "completed_with_errors", "files": "completed", "lost": "failed"}
        for name, status in wanted.items():
            api.sync(self.storages[name])
            assert status == api.wait(self.storages[name])["status"], name
        api._ok(api.http.patch(api.path(self.storages["files"]), json={"sync_interval": 60}))

    def _labels(self) -> None:
        first, second, third, fourth = (task["id"] for task in self.api.tasks(self.pictures)[:4])
        made = self._post(f"/api/tasks/{first}/annotations/", {"result": RESULT})["id"]
        gone = self._post(f"/api/tasks/{second}/annotations/", {"result": RESULT})["id"]
        self._post("/api/predictions/", {"task": second, "result": RESULT, "model_version": "one"})
        self.api._ok(self.api.http.patch(f"/api/tasks/{third}/", json={"meta": {"said": "by a person"}}))
        assert self.api.http.delete(f"/api/tasks/{fourth}/").status_code == 204
        self.expected |= {"deleted_task": fourth, "annotation": made, "late_annotation": gone}

    def _told(self) -> None:
        headers = {"Authorization": "Bearer of-the-receiver"}
        body = {"project": self.pictures, "url": f"{self.receiver.url}/hook", "headers": headers}
        self.expected["webhook"] = self._post("/api/webhooks/", body)["id"]

    def _target(self) -> None:
        fields = {"project": self.pictures, "bucket": places.OUT, "prefix": "out", "can_delete_objects": True}
        made = self._post("/api/storages/export/s3", {**fields, **KEYS, "s3_endpoint": self.s3.endpoint})
        target = self._keep("target", {"type": "export/s3", "id": made["id"]})
        assert "completed" == self.api.wait(target)["status"]
        gone = self.expected["late_annotation"]
        assert self.api.http.delete(f"/api/annotations/{gone}/").status_code == 204
        until(lambda: self.s3.keys(places.OUT) == [f"out/{self.expected['annotation']}"])

    def _dataset(self) -> None:
        api, bucket = self.api, places.RECORDS
        keys = {**KEYS, "s3_endpoint": self.s3.endpoint}
        dataset = self._keep(
            "dataset", api._ok(api.http.post("/api/storages/dataset/s3", json={"bucket": bucket, **keys}))
        )
        late = "all/00000007.jpg"
        self.s3.delete(bucket, late)
        for title in ("before", "after"):
            api.sync(dataset)
            assert "completed" == api.wait(dataset)["status"]
            self._post(f"{api.path(dataset)}/snapshots", {"title": title})
            places.fill(self.s3, self.root)
        self.s3.delete(places.PICTURES, places.NEW_PICTURE)

    def answers(self) -> None:
        """What the release answers of what has come to its end."""
        dataset = self.api.path(self.storages["dataset"])
        one, other = (snapshot["id"] for snapshot in self._get(f"{dataset}/snapshots"))
        paths = ["/api/users/", "/api/webhooks/", "/api/current-user/whoami", f"{dataset}/snapshots"]
        paths += [f"/api/projects/{number}/" for number in (self.rows,)]
        paths += [f"/api/tasks/?project={self.rows}&page_size=100&fields=all"]
        paths += [f"{dataset}/snapshots/{other}/diff?to={one}"]
        paths += [f"{self.api.path(self.storages[name])}" for name in ("rows", "lost")]
        paths += [f"{dataset}/records?page_size=20", f"/api/annotations/{self.expected['annotation']}/"]
        self.expected["answers"] = {path: self._get(path) for path in paths}
        self.expected["manifests"] = {
            f"{dataset}/snapshots/{number}/manifest": self._digest(f"{dataset}/snapshots/{number}/manifest")
            for number in (one, other)
        }

    def last_life(self, api: Api) -> None:
        """Everything that does not come to its end: it is to be killed when this returns."""
        self.api, s3 = api, self.s3
        project = api.project("Gone")
        self.gone = api.storage(project, kind="localfiles", path=str(self.root / "files"), use_blob_urls=True)
        api.sync(self.gone)
        api.wait(self.gone)
        many = self.storages["many"]
        listing = {"action": "hold", "op": "list", "key": "^lot/", "count": -1, "skip": 3}
        writing = {"action": "hold", "op": "put", "bucket": places.OUT, "count": -1}
        s3.faults(listing, writing)
        api.sync(many)
        until(lambda: self._held_in_the_middle(many, listing, writing), every=0.3)
        self.receiver.posts.clear()
        self.receiver.answer = lambda _post: 503
        made = self.expected["annotation"]
        api._ok(api.http.patch(f"/api/annotations/{made}/", json={"result": [], "lead_time": 7.5}))
        s3.put(places.PICTURES, places.NEW_PICTURE, b"a new picture")
        event = {"bucket": {"name": places.PICTURES}, "object": {"key": places.NEW_PICTURE}}
        record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": event}
        told = api.http.post("/bucket_webhook", json={"Records": [record]}, headers={"X-Sluice-Secret": SECRET})
        assert told.json()["honoured"] == 1, told.text
        assert api.http.delete(f"/api/projects/{project}/").status_code == 204
        self.expected["delivery"] = self.receiver.next().headers["X-Sluice-Delivery"]
        self.answers()
        asked = {"project": self.added, "filter": {"prefix": "all/"}}
        path = api.path(self.storages["dataset"])
        addition = self._post(f"{path}/records/add-to-project", asked)["id"]
        self.expected["addition"] = f"{path}/additions/{addition}"
        threading.Event().wait(self.rng.uniform(0.0, 0.04))

    def _held_in_the_middle(self, many: Any, listing: dict[str, Any], writing: dict[str, Any]) -> bool:
        """Whether a sync can't go on, with some of its tasks made; if none are it is let go a step further."""
        now = self.api.read(many)
        made = now["last_sync_count"] or 0
        if made or now["status"] == "completed":
            return True
        if self.s3.stats()["held"]:
            self.s3.faults(listing | {"skip": 1}, writing)
        return False

    def summary(self) -> None:
        """What there is, for whoever goes on from it."""
        s3 = self.s3
        self.expected["storages"] = {name: {"type": it["type"], "id": it["id"]} for name, it in self.storages.items()}
        for name, storage in self.storages.items():
            if "project" in storage:
                self.expected["storages"][name]["project"] = storage["project"]
        self.expected["projects"] = {"pictures": self.pictures, "rows": self.rows, "added": self.added}
        self.expected["out"] = {key: (s3.get(places.OUT, key) or b"").decode() for key in s3.keys(places.OUT)}

    def _post(self, path: str, body: Any) -> Any:
        return self.api._ok(self.api.http.post(path, json=body))

    def _get(self, path: str) -> Any:
        answer = self.api.http.get(path)
        return answer.json() if answer.status_code < 500 else self.api._ok(answer)

    def _digest(self, path: str) -> str:
        answer = self.api.http.get(path)
        assert answer.status_code == 200, answer.text
        return hashlib.sha256(answer.content).hexdigest()


def record(code: Path, into: Path) -> None:
    """Runs the history until one was killed in the middle of everything, and writes what that leaves."""
    into.mkdir(parents=True, exist_ok=True)
    while not _recorded(code, into):
        print("killed too early or too late: once more")


def _recorded(code: Path, into: Path) -> bool:
    key, token = Fernet.generate_key().decode(), "a-throw-away-token-of-the-recording-0123"
    with tempfile.TemporaryDirectory() as folder, s3_server() as s3, receiving() as receiver:
        data, root = Path(folder) / "data", Path(folder) / "root"
        places.fill(s3, root)
        history = History(s3, receiver, root)
        stack = Stack(code, data, root, key, token)
        try:
            history.first_life(stack.start())
            stack.end(signal.SIGTERM)
            history.last_life(stack.start(SLUICE_EVENT_WINDOW="600"))
        finally:
            stack.end(signal.SIGKILL)
        history.summary()
        if not _in_the_middle(data):
            return False
        where = {s3.endpoint: state.S3, receiver.url: state.RECEIVER, str(root): state.ROOT}
        _assert_rule(data)
        state.move(data, key, where)
        state.dump(data, into)
        text = json.dumps({"secret_key": key, "token": token, **history.expected}, indent=1, sort_keys=True)
        for before, after in where.items():
            text = text.replace(before, after)
        (into / "expected.json").write_text(text + "\n")
        return True


def _in_the_middle(data: Path) -> bool:
    """Whether sync and addition have made some of their tasks."""
    with closing(state.opened(data)) as documents:
        keys = [it.data["key"] for it in state.everything(data, documents) if it.ref.collection == "tasks"]
    many, added = (len([key for key in keys if key.startswith(prefix)]) for prefix in ("lot/", "all/"))
    return 0 < many < places.MANY_OBJECTS and 0 < added < places.RECORD_OBJECTS


def _assert_rule(data: Path) -> None:
    """The rule by which places are moved is that of the release."""
    documents = state.opened(data)
    for document in state.everything(data, documents):
        if document.ref.collection == "storages":
            gate = documents.get(state.Ref("gates", document.ref.id))
            assert gate is not None
            assert gate.data["location"] == state.location_of(document)
    documents.close()


if __name__ == "__main__":
    record(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
