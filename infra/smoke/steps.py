"""The steps. Each needs the one before; the first that fails says what it expected, what it found, where to look."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx

from infra.client import ApiError, Client, Json, Storage, is_loopback
from infra.smoke import hints
from infra.smoke.cleaning import Made, undisturbed
from infra.smoke.writing import Writer, WritingError, writer
from shared import __version__
from shared.model.providers import PROVIDERS
from shared.model.storage import listing_prefix

CONFIG = '<View><Image name="image" value="$image"/></View>'
MOST = 1000
"""Objects of a bucket that is tiny."""
OPEN = frozenset({"health", "version"})
"""Steps for which nobody needs a token."""
PAUSE = 0.5
LOAD_SECONDS = 60.0
NAMED = 3
"""Keys that a sentence names."""

Say = Callable[[str], None]


class StepError(Exception):
    """What was expected, what was found, and where to look: each a text for people."""

    def __init__(self, expected: str, found: object, look: str) -> None:
        self.expected, self.found, self.look = expected, str(found), look
        super().__init__(f"expected {expected}, found {found}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is tested: a bucket, and how long things may take."""

    kind: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str]
    objects: int | None
    """How many there must be, if that is known."""
    sync_seconds: float
    notification_seconds: float | None
    """None: notifications are not tested."""
    name: str
    """What the names of deployed functions start with."""

    @property
    def bucket(self) -> str:
        """The bucket, or container."""
        return str(self.settings[PROVIDERS[self.kind].bucket])


@dataclass(slots=True)
class Smoke:
    """One test of one deployment. `made` is what has to be removed in the end."""

    client: Client
    wish: Wish
    say: Say
    made: Made
    step: str = ""
    begun: float = field(default=0.0)

    def run(self) -> bool:
        """All steps; whether all is well."""
        try:
            self._steps()
        except StepError as error:
            self._told("FAILED", "")
            for name in ("expected", "found", "look"):
                self.say(f"        {name + ':':10}{getattr(error, name)}")
            return False
        return True

    def _told(self, word: str, text: str) -> None:
        self.say(f"{word:8}{time.monotonic() - self.begun:6.1f} s  {self.step:15}{text}".rstrip())

    @contextmanager
    def _step(self, step: str, expected: str, look: str) -> Iterator[list[str]]:
        """A step: what is put into the list is said of it in the end. What the server refuses makes it fail."""
        self.step, self.begun = step, time.monotonic()
        texts: list[str] = []
        try:
            yield texts
        except ApiError as error:
            if not error.status:
                look = hints.address(self.wish.name)
            elif error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and step not in OPEN:
                look = hints.caller(self.wish.name)
            raise StepError(expected, error, look) from None
        self._told("ok", "; ".join(texts))

    def _steps(self) -> None:
        wish, kind = self.wish, self.wish.kind
        self._server()
        with self._step("project", "a new project", hints.caller(wish.name)) as texts, undisturbed():
            texts.append(f'{self.made.project(CONFIG)} "{self.made.title}"')
        with self._step("storage", f"a storage of {wish.bucket}", hints.bucket(wish.name, kind, "api")) as texts:
            storage = self._storage()
            texts.append(f"{storage.id}, {storage.place}")
        with self._step("validation", f"{wish.bucket} to be read", hints.bucket(wish.name, kind, "api")):
            self.client.validate(storage)
        with self._step("objects", self._wanted, hints.bucket(wish.name, kind, "api")) as texts:
            objects = self._objects(storage)
            texts.append(f"{len(objects)} in the bucket")
        with self._step("sync", "a sync that completes", hints.bucket(wish.name, kind, "sync_chunk")) as texts:
            first = self._synced(storage)
            texts.append(f"{first.counts.created} tasks created in {first.seconds:.1f} s by the server's clock")
        with self._step("tasks", "a task for each object", hints.log(wish.name, "sync_chunk")) as texts:
            tasks = self._tasks(objects)
            texts.append(f"{len(tasks)}, one for each object")
        with self._step("second sync", "a sync that completes", hints.bucket(wish.name, kind, "sync_chunk")) as texts:
            self._again(storage, objects)
            texts.append("no task created")
        with self._step("medium", "an object as browsers load it", hints.signing(wish.name, kind)) as texts:
            texts.append(self._medium(storage, objects, tasks))
        if wish.notification_seconds is not None:
            self._notified(wish.notification_seconds)

    def _server(self) -> None:
        look = hints.address(self.wish.name)
        with self._step("health", 'the answer {"status": "UP"}', look):
            answer = self.client.call("GET", "/health")
            if answer.get("status") != "UP":
                raise StepError('the answer {"status": "UP"}', answer, look)
        with self._step("version", "the version of a Sluice", look) as texts:
            found = self.client.call("GET", "/api/version").get("sluice")
            if not isinstance(found, dict):
                raise StepError("the version of a Sluice", "another server's", look)
            version = found.get("version")
            texts.append(str(version) if version == __version__ else f"{version}; this test is of {__version__}")

    def _storage(self) -> Storage:
        fields = {**self.wish.settings, **self.wish.secrets, "title": self.made.title}
        fields |= {"use_blob_urls": True, "recursive_scan": True}
        if self.wish.notification_seconds is not None:
            fields["auto_sync"] = True
        return self.client.create_storage(self.wish.kind, self.made.number, fields)

    @property
    def _wanted(self) -> str:
        return f"{self.wish.objects or 'some'} objects, fewer than {MOST}"

    def _objects(self, storage: Storage) -> dict[str, int]:
        """Keys and sizes of all objects, as the preview of the storage lists them."""
        listed = self.client.files(storage, MOST)
        if any(it["size"] is None for it in listed):
            raise StepError(self._wanted, f"{MOST} and perhaps more", "take a tiny bucket, or a folder: --prefix")
        if not listed or self.wish.objects not in {None, len(listed)}:
            look = "upload an object, or choose another folder with --prefix"
            raise StepError(self._wanted, f"{len(listed)} in {storage.place}", look)
        return {it["key"]: it["size"] for it in listed}

    def _synced(self, storage: Storage) -> Storage:
        """The storage after a sync. The wait for its end is bounded."""
        limit = self.wish.sync_seconds
        until = time.monotonic() + limit
        now = self.client.sync(storage)
        while now.active:
            if time.monotonic() > until:
                look = hints.queue(self.wish.name, storage.id)
                raise StepError(f"the end of the sync within {limit:g} s", f"it is still {now.status}", look)
            time.sleep(PAUSE)
            try:
                now = self.client.storage(storage)
            except ApiError as error:
                if not error.temporary:
                    raise
        if now.status != "completed":
            look = hints.bucket(self.wish.name, self.wish.kind, "sync_chunk")
            raise StepError("a sync that completes", f"{now.status}: {now.traceback}", look)
        return now

    def _tasks(self, objects: Mapping[str, int]) -> list[Json]:
        """All tasks; there must be one for each object, and no other."""
        tasks, total = self.client.tasks(self.made.number, MOST)
        keys = [task["storage_filename"] for task in tasks]
        missing, others = sorted(objects.keys() - set(keys)), sorted(set(keys) - objects.keys())
        if missing or others or not len(objects) == len(keys) == total:
            found = f"{total} tasks for {len(objects)} objects{_some('without a task', missing)}"
            look = f"somebody may have changed the bucket meanwhile; {hints.log(self.wish.name, 'sync_chunk')}"
            raise StepError("a task for each object", found + _some("without an object", others), look)
        return tasks

    def _again(self, storage: Storage, objects: Mapping[str, int]) -> None:
        counts = self._synced(storage).counts
        if counts.created or counts.existed != len(objects):
            found = f"{counts.created} created, {counts.existed} existed"
            look = f"somebody may have changed the bucket meanwhile; {hints.log(self.wish.name, 'sync_chunk')}"
            raise StepError(f"0 created, {len(objects)} existed", found, look)
        self._tasks(objects)

    def _medium(self, storage: Storage, objects: Mapping[str, int], tasks: list[Json]) -> str:
        """Loads the smallest object by the address in its task. A signed URL is told to nobody."""
        key = min(objects, key=lambda it: (objects[it], it))
        shown = str(next(task["data"]["image"] for task in tasks if task["storage_filename"] == key))
        look = hints.signing(self.wish.name, self.wish.kind)
        parts = urlsplit(shown)
        if not parts.path.startswith("/tasks/"):
            raise StepError("an address of this server in the task", shown, look)
        answer = self.client.answer("GET", f"{parts.path}?{parts.query}")
        host = "Sluice"
        if storage.settings.get("presign"):
            if answer.status_code != HTTPStatus.SEE_OTHER:
                raise StepError("a redirect (303) to a signed URL", _said(answer), look)
            host = urlsplit(answer.headers["location"]).netloc
            answer = _load(answer.headers["location"], host, look)
        if answer.status_code != HTTPStatus.OK or len(answer.content) != objects[key]:
            found = f"{_said(answer)}, {len(answer.content)} bytes from {host}"
            raise StepError(f"200 and the {objects[key]} bytes of {key}", found, look)
        return f"{objects[key]} bytes of {key} from {host}"

    def _notified(self, seconds: float) -> None:
        key = f"{listing_prefix(self.wish.settings.get('prefix'))}sluice-smoke-{uuid.uuid4().hex}.txt"
        found = writer(self.wish.kind, self.wish.bucket, key)
        look = hints.notifications(self.wish.name, self.wish.kind)
        if not isinstance(found, Writer):
            self.step, self.begun = "notification", time.monotonic()
            self._told("skipped", found)
            return
        self.made.object = found
        with self._step("notification", f"a task for {key}", look) as texts:
            try:
                found.write()
            except WritingError as error:
                raise StepError(
                    f"an object at {found.uri}", error, "whoever runs this must be allowed to write"
                ) from None
            written = time.monotonic()
            while not self._has_task(key):
                if time.monotonic() - written > seconds:
                    raise StepError(f"a task for {key} within {seconds:g} s", "none", look)
                time.sleep(PAUSE)
            texts.append(f"a task {time.monotonic() - written:.1f} s after the upload")

    def _has_task(self, key: str) -> bool:
        return any(task["storage_filename"] == key for task in self.client.tasks(self.made.number, 2 * MOST)[0])


def _load(url: str, host: str, look: str) -> httpx.Response:
    """What a signed URL gives to who has no token."""
    try:
        return httpx.get(url, timeout=LOAD_SECONDS, trust_env=not is_loopback(url))
    except httpx.HTTPError as error:
        raise StepError(f"an answer of {host}", type(error).__name__, look) from None


def _said(answer: httpx.Response) -> str:
    """Status and, of Sluice's own errors, the reason; what a bucket says may repeat the signature."""
    try:
        detail = answer.json().get("detail")
    except (ValueError, AttributeError):
        detail = None
    return f"{answer.status_code} {answer.reason_phrase}{f': {detail}' if detail else ''}"


def _some(what: str, keys: list[str]) -> str:
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return f"; {what}: {', '.join(keys[:NAMED])}{more}" if keys else ""
