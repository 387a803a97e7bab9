"""The HTTP API as Python calls: how the command line and the demo talk to a server, on this machine or deployed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import NoneType
from typing import Any, NamedTuple, Self

import httpx

from infra.bearer import authentication
from shared.model.providers import PROVIDERS

ACTIVE = frozenset({"queued", "in_progress"})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PROJECTS_AT_ONCE = 100
TASKS_AT_ONCE = 1000
TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_TEMPORARY = frozenset({408, 429, 502, 503, 504})

Json = dict[str, Any]


class ApiError(Exception):
    """A request that did not succeed; the text is a sentence for people, the server's own where it gave one.

    `status` is the answer's, 0 if there was none. `temporary`: the same request may succeed later.
    """

    def __init__(self, message: str, status: int = 0, *, temporary: bool = False) -> None:
        self.status = status
        self.temporary = temporary or status in _TEMPORARY
        super().__init__(message)


class Counts(NamedTuple):
    """What the last sync of a storage did, or the one under way has done so far."""

    listed: int = 0
    excluded: int = 0
    imported: int = 0
    failed: int = 0
    bad_rows: int = 0
    gone: int = 0
    created: int = 0
    existed: int = 0
    updated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project; its counters are 0 right after it was made."""

    id: int
    title: str
    tasks: int
    predictions: int

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """The project in an answer."""
        return cls(
            id=answer["id"],
            title=answer["title"],
            tasks=answer.get("task_number") or 0,
            predictions=answer.get("total_predictions_number") or 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A storage and the state of its sync. `settings` holds everything the server shows of it."""

    id: int
    type: str
    project: int
    status: str
    traceback: str
    last_sync: str | None
    counts: Counts
    seconds: float
    """How long the sync took, by the server's clock."""
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, answer: Mapping[str, Any], kind: str) -> Self:
        """The storage in an answer; some answers lack the type, so the caller gives it."""
        meta = answer.get("meta") or {}
        counts = Counts(
            listed=meta.get("objects_listed") or 0,
            excluded=meta.get("objects_excluded") or 0,
            imported=meta.get("objects_imported") or 0,
            failed=meta.get("objects_failed") or 0,
            bad_rows=meta.get("tasks_failed_validation") or 0,
            gone=meta.get("objects_gone") or 0,
            created=answer.get("last_sync_count") or 0,
            existed=meta.get("tasks_existed") or 0,
            updated=meta.get("tasks_updated") or 0,
        )
        return cls(
            id=answer["id"],
            type=kind,
            project=answer["project"],
            status=answer["status"],
            traceback=answer.get("traceback") or "",
            last_sync=answer.get("last_sync"),
            counts=counts,
            seconds=meta.get("duration") or 0.0,
            settings=answer,
        )

    @property
    def active(self) -> bool:
        """Whether a sync is under way."""
        return self.status in ACTIVE

    @property
    def place(self) -> str:
        """Where its objects are, for people."""
        if self.type == "localfiles":
            return str(self.settings.get("path") or "")
        if self.type == "redis":
            return f"redis {self.settings.get('host') or 'localhost'}: {self.settings.get('path') or ''}*"
        store = PROVIDERS[self.type].store if self.type in PROVIDERS else self.type
        scheme = {"gcs": "gs", "azure": "azure-blob"}.get(store, store)
        bucket = self.settings.get("bucket") or self.settings.get("container") or ""
        return f"{scheme}://{bucket}/{self.settings.get('prefix') or ''}"


class Client:
    """A connection to one server; close it, or use it as a context manager.

    Every call raises `ApiError` and nothing else. Redirects are not followed: the token stays with the host it was
    given for.
    """

    def __init__(self, url: str, token: str = "", *, timeout: httpx.Timeout = TIMEOUT) -> None:
        self.url = url.rstrip("/")
        try:
            parsed = httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise ApiError(f"{url!r} is no URL: {error}.") from None
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise ApiError(f"{url!r} is no URL: write it like http://127.0.0.1:8080.")
        if not (token.isascii() and token.isprintable()):
            raise ApiError("The token holds characters that no token has.", HTTPStatus.UNAUTHORIZED)
        self._http = httpx.Client(
            base_url=self.url,
            auth=authentication(token.strip(), self.url),
            timeout=timeout,
            trust_env=not is_loopback(self.url),  # a proxy from the environment can't reach this machine's own servers
        )

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def is_sluice(self) -> bool:
        """Whether a Sluice server answers, whatever it thinks of the token."""
        try:
            return "sluice" in self.call("GET", "/api/version")
        except ApiError:
            return False

    def project(self, number: int) -> Project:
        """One project."""
        return Project.of(self.call("GET", f"/api/projects/{number}/"))

    def projects(self) -> Iterator[Project]:
        """All projects, newest first, fetched as they are asked for."""
        page, more = 0, True
        while more:
            page += 1
            answer = self.call("GET", "/api/projects/", params={"page": page, "page_size": PROJECTS_AT_ONCE})
            yield from map(Project.of, answer["results"])
            more = bool(answer["next"])

    def create_project(self, title: str, label_config: str | None = None) -> Project:
        """Makes a project; its label config names the data of blob tasks."""
        fields = {"title": title, "label_config": label_config}
        return Project.of(self.call("POST", "/api/projects/", json={k: v for k, v in fields.items() if v is not None}))

    def delete_project(self, number: int) -> None:
        """Deletes a project with its storages and tasks."""
        self.call("DELETE", f"/api/projects/{number}/", expect=NoneType)

    def storages(self, project: int) -> list[Storage]:
        """A project's import storages; none for a project that is not there."""
        answer = self.call("GET", "/api/storages/", params={"project": project}, expect=list)
        return [Storage.of(item, item["type"]) for item in answer]

    def targets(self, project: int) -> list[Storage]:
        """A project's export storages; none for a project that is not there."""
        answer = self.call("GET", "/api/storages/export", params={"project": project}, expect=list)
        return [Storage.of(item, item["type"]) for item in answer]

    def verify_target(self, storage: Storage) -> Iterator[Json]:
        """What is missing, changed or surplus in a target, part by part."""
        after: str | None = ""
        while after is not None:
            path = f"/api/storages/export/{storage.type}/{storage.id}/verify"
            part = self.call("GET", path, params={"after": after})
            yield part
            after = part["next"]

    def create_storage(self, kind: str, project: int, settings: Mapping[str, Any]) -> Storage:
        """Adds a storage to a project, after the server looked into its bucket."""
        return Storage.of(self.call("POST", f"/api/storages/{kind}/", json={"project": project, **settings}), kind)

    def update_storage(self, storage: Storage, settings: Mapping[str, Any]) -> Storage:
        """Edits the given settings of a storage."""
        return Storage.of(self.call("PATCH", _path(storage), json=dict(settings)), storage.type)

    def storage(self, storage: Storage) -> Storage:
        """The storage as it is now."""
        return Storage.of(self.call("GET", _path(storage)), storage.type)

    def validate(self, storage: Storage) -> None:
        """Has the server look into the bucket. Raises `ApiError` with what is wrong."""
        body = {"id": storage.id, "project": storage.project}
        self.call("POST", f"/api/storages/{storage.type}/validate", json=body, expect=NoneType)

    def files(self, storage: Storage, limit: int) -> list[Json]:
        """The first objects that a sync would take; one without a size says that there may be more."""
        body = {"id": storage.id, "project": storage.project, "limit": limit}
        return list(self.call("POST", f"/api/storages/{storage.type}/files", json=body)["files"])

    def resolve(self, project: int, uris: Sequence[str]) -> list[Json]:
        """URLs for objects that storages of a project cover: `url`, `expires_at`, `error` for each."""
        path = f"/api/projects/{project}/resolve/batch"
        return list(self.call("POST", path, json={"uris": list(uris)})["results"])

    def sync(self, storage: Storage) -> Storage:
        """Starts a sync, or joins the one under way; `storage` tells how it goes."""
        return Storage.of(self.call("POST", f"{_path(storage)}/sync"), storage.type)

    def tasks(self, project: int, limit: int) -> tuple[list[Json], int]:
        """The first tasks of a project as the API gives them, and how many there are."""
        found: list[Json] = []
        size, page, total = min(limit, TASKS_AT_ONCE), 0, 1
        while len(found) < min(limit, total):
            page += 1
            answer = self.call("GET", "/api/tasks/", params={"project": project, "page": page, "page_size": size})
            total = answer["total"]
            found += answer["tasks"]
            if not answer["tasks"]:
                break
        return found[:limit], total

    def call(self, method: str, path: str, *, expect: type = dict, **request: Any) -> Any:
        """A request; its answer must be of the type. Raises `ApiError`."""
        answer = self.answer(method, path, **request)
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not answer.is_success:
            raise ApiError(_sentence(answer, body), answer.status_code)
        if not isinstance(body, expect):
            raise ApiError(f"{answer.url} is not Sluice's API: its answer is not what Sluice would say.")
        return body

    def answer(self, method: str, path: str, **request: Any) -> httpx.Response:
        """What a request is answered with, whatever that is. Raises `ApiError` where nobody answers."""
        try:
            return self._http.request(method, path, **request)
        except httpx.TimeoutException:
            raise ApiError(f"{self.url} does not answer in time.", temporary=True) from None
        except httpx.TransportError as error:
            raise ApiError(f"{self.url} can't be reached: {error or type(error).__name__}.", temporary=True) from None


def is_loopback(url: str) -> bool:
    """Whether a URL is one of this machine."""
    try:
        return httpx.URL(url).host in LOOPBACK
    except httpx.InvalidURL:
        return False


def _path(storage: Storage) -> str:
    return f"/api/storages/{storage.type}/{storage.id}"


def _sentence(answer: httpx.Response, body: Any) -> str:
    """What the server says is wrong: the fields and their sentences, its detail, or at least its status."""
    if isinstance(body, dict):
        fields = body.get("validation_errors")
        if isinstance(fields, dict) and fields:
            return " ".join(_about(name, texts) for name, texts in fields.items())
        for name in ("detail", "message"):  # a refused sync has only "message"
            if isinstance(body.get(name), str) and body[name]:
                return str(body[name])
    hint = f", and sends to {answer.headers['location']}" if answer.has_redirect_location else ""
    return f"{answer.url} answers {answer.status_code} {answer.reason_phrase}{hint}, which is not Sluice's API."


def _about(name: str, texts: Any) -> str:
    text = " ".join(map(str, texts)) if isinstance(texts, list) else str(texts)
    return text if name == "non_field_errors" else f"{name}: {text}"
