"""Every recorded endpoint: method, path and body, the status, and the exact keys and types of the answer."""

import shutil
from dataclasses import dataclass, replace
from typing import Any

import pytest

from shared.settings import Settings
from tests.api.client import Api
from tests.api.shapes import check, check_fields

CONFIG = (
    '<View><Image name="image" value="$image"/><Choices name="ch" toName="image"><Choice value="a"/></Choices></View>'
)
RESULT = [{"from_name": "ch", "to_name": "image", "type": "choices", "value": {"choices": ["a"]}}]
TITLE = {"title": "A title"}


@dataclass(frozen=True)
class Case:
    """A request. `{name}` in the path and "$name" in the body stand for the id of that thing of the world."""

    method: str
    path: str
    status: int
    shape: str = ""
    """Empty: no body, and no type of one."""
    body: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status}"


class World(dict[str, Any]):
    """One of each thing, made when it is asked for."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def __missing__(self, name: str) -> Any:
        self[name] = getattr(self, name)()
        return self[name]

    def project(self) -> int:
        return self._api.project(label_config=CONFIG, description="All there is")

    def path(self) -> str:
        return self._api.folder("pictures", files=2)

    def storage(self) -> int:
        return int(self._api.local(self["project"], path=self["path"])["id"])

    def idle(self) -> int:
        return int(self._api.local(self["project"], path=self["path"], synchronizable=False)["id"])

    def target(self) -> int:
        body = {"project": self["project"], "path": self._api.folder("out")}
        return int(self._api.post("/api/storages/export/localfiles", body, 201)["id"])

    def task(self) -> int:
        """One that a sync made, and somebody annotated."""
        self._api.post(f"/api/storages/localfiles/{self['storage']}/sync")
        self._api.work()
        task = self._api.get(f"/api/tasks/?project={self['project']}")["tasks"][0]["id"]
        self["annotation"] = self._part(f"/api/tasks/{task}/annotations/", {"result": RESULT, "lead_time": 1.5})
        self["prediction"] = self._part("/api/predictions/", {"task": task, "result": RESULT, "score": 0.5})
        return int(task)

    def annotation(self) -> int:
        self["task"]
        return int(self["annotation"])

    def prediction(self) -> int:
        self["task"]
        return int(self["prediction"])

    def webhook(self) -> int:
        return self._part("/api/webhooks/", {"project": self["project"], "url": "http://127.0.0.1:9/"})

    def refresh(self) -> str:
        return str(self._api.post("/api/token/", {}, 201)["token"])

    def _part(self, path: str, body: dict[str, Any]) -> int:
        return int(self._api.post(path, body, 201)["id"])


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, webhook_allow_private=True)


@pytest.fixture
def world(api: Api) -> World:
    return World(api)


LOCAL = {"project": "$project", "path": "$path", "use_blob_urls": True}
CASES = [
    # Storages; every type and direction is below
    Case("GET", "/api/storages/types", 200, "[TYPE]"),
    Case("GET", "/api/storages/export/types", 200, "[TYPE]"),
    Case("GET", "/api/storages/?project={project}", 200, "[LOCALFILES_IMPORT]"),
    Case("GET", "/api/storages/export?project={project}", 200, "[LOCALFILES_EXPORT]"),
    Case("GET", "/api/storages/localfiles/?project={project}", 200, "[LOCALFILES_IMPORT]"),
    Case("GET", "/api/storages/localfiles/?project={project}&ordering=id", 200, "[LOCALFILES_IMPORT]"),
    Case("GET", "/api/storages/export/localfiles?project={project}", 200, "[LOCALFILES_EXPORT]"),
    Case("GET", "/api/storages/gcs/?project={project}", 200, "[GCS_IMPORT]"),
    Case("GET", "/api/storages/localfiles/", 400, "FIELD_ERROR"),
    Case("GET", "/api/storages/localfiles/?project=99999", 404, "ERROR"),
    Case("GET", "/api/storages/localfiles/?project=x", 404, "ERROR"),
    Case("POST", "/api/storages/localfiles/", 201, "LOCALFILES_IMPORT", LOCAL),
    Case("POST", "/api/storages/export/localfiles", 201, "LOCALFILES_EXPORT", LOCAL),
    Case("POST", "/api/storages/localfiles/", 400, "FIELD_ERROR", {**LOCAL, "project": 99999}),
    Case("GET", "/api/storages/localfiles/{storage}", 200, "LOCALFILES_IMPORT"),
    Case("GET", "/api/storages/export/localfiles/{target}", 200, "LOCALFILES_EXPORT"),
    Case("GET", "/api/storages/export/localfiles/{storage}", 404, "ERROR"),
    Case("GET", "/api/storages/localfiles/99999", 404, "ERROR"),
    Case("PATCH", "/api/storages/localfiles/{storage}", 200, "LOCALFILES_IMPORT", TITLE),
    Case("PATCH", "/api/storages/export/localfiles/{target}", 200, "LOCALFILES_EXPORT", TITLE),
    Case("PUT", "/api/storages/localfiles/{storage}", 200, "LOCALFILES_IMPORT", LOCAL),
    Case("PUT", "/api/storages/export/localfiles/{target}", 200, "LOCALFILES_EXPORT", LOCAL),
    Case("DELETE", "/api/storages/localfiles/{storage}", 204),
    Case("DELETE", "/api/storages/export/localfiles/{target}", 204),
    Case("DELETE", "/api/storages/localfiles/99999", 404, "ERROR"),
    Case("POST", "/api/storages/localfiles/{storage}/sync", 200, "LOCALFILES_IMPORT"),
    Case("POST", "/api/storages/export/localfiles/{target}/sync", 200, "LOCALFILES_EXPORT"),
    Case("POST", "/api/storages/localfiles/{idle}/sync", 400, "MESSAGE"),
    Case("POST", "/api/storages/localfiles/99999/sync", 404, "ERROR"),
    Case("POST", "/api/storages/localfiles/validate", 200, "", LOCAL),
    Case("POST", "/api/storages/localfiles/validate", 200, "", {**LOCAL, "id": "$storage"}),
    Case("POST", "/api/storages/export/localfiles/validate", 200, "", LOCAL),
    Case("POST", "/api/storages/localfiles/validate", 400, "FIELD_ERROR", {**LOCAL, "path": "/nowhere"}),
    Case("POST", "/api/storages/localfiles/files", 200, "FILES", LOCAL),
    Case("POST", "/api/storages/localfiles/files", 200, "FILES", {**LOCAL, "limit": 1}),
    Case("GET", "/api/storages/localfiles/form", 200, "[FORM_ROW]"),
    Case("GET", "/api/storages/export/localfiles/form", 200, "[FORM_ROW]"),
    # Projects
    Case("GET", "/api/projects/", 200, "PROJECT_PAGE"),
    Case("GET", "/api/projects/?page=2", 404, "ERROR"),
    Case("POST", "/api/projects/", 201, "PROJECT", {"title": "A project", "label_config": CONFIG}),
    Case("POST", "/api/projects/", 400, "FIELD_ERROR", {"title": "ab"}),
    Case("GET", "/api/projects/{project}/", 200, "PROJECT"),
    Case("GET", "/api/projects/99999/", 404, "ERROR"),
    Case("PATCH", "/api/projects/{project}/", 200, "PROJECT", TITLE),
    Case("PUT", "/api/projects/{project}/", 200, "PROJECT", TITLE),
    Case("DELETE", "/api/projects/{project}/", 204),
    Case("GET", "/api/projects/counts/", 200, "COUNTS_PAGE"),
    Case("POST", "/api/projects/{project}/validate/", 200, "CONFIG_CHECK", {"label_config": CONFIG}),
    Case("POST", "/api/projects/{project}/duplicate/", 201, "NUMBER", {**TITLE, "mode": "settings"}),
    Case("POST", "/api/projects/{project}/import", 201, "IMPORT", [{"data": {"image": "x"}}]),
    Case("POST", "/api/projects/{project}/import", 400, "FIELD_ERROR", ["no task"]),
    Case(
        "POST",
        "/api/projects/{project}/import/predictions",
        201,
        "CREATED",
        [{"task": "$task", "result": RESULT}],
    ),
    Case("DELETE", "/api/projects/{project}/tasks/", 204),
    # Tasks
    Case("GET", "/api/tasks/?fields=all&page=1&project={project}", 200, "TASK_PAGE"),
    Case("GET", "/api/tasks/?fields=task_only&project={project}", 200, "BRIEF_TASK_PAGE"),
    Case("GET", "/api/tasks/?project={project}&page=2", 404, "ERROR"),
    Case("GET", "/api/tasks/", 404, "DETAIL"),
    Case("POST", "/api/tasks/", 201, "NEW_TASK", {"project": "$project", "data": {"image": "x"}}),
    Case("POST", "/api/tasks/", 400, "FIELD_ERROR", {"project": "$project", "data": {"other": "x"}}),
    Case("GET", "/api/tasks/{task}/", 200, "TASK"),
    Case("GET", "/api/tasks/99999/", 404, "ERROR"),
    Case("PATCH", "/api/tasks/{task}/", 200, "NEW_TASK", {"meta": {"a": 1}}),
    Case("DELETE", "/api/tasks/{task}/", 204),
    # Annotations and predictions
    Case("GET", "/api/tasks/{task}/annotations/", 200, "[ANNOTATION]"),
    Case("POST", "/api/tasks/{task}/annotations/", 201, "ANNOTATION", {"result": RESULT}),
    Case("POST", "/api/tasks/{task}/annotations/?was_cancelled=1", 201, "ANNOTATION", {}),
    Case("POST", "/api/tasks/{task}/annotations/", 400, "FIELD_ERROR", {"result": {}}),
    Case("POST", "/api/tasks/99999/annotations/", 404, "ERROR", {"result": []}),
    Case("GET", "/api/annotations/{annotation}/", 200, "ANNOTATION"),
    Case("PATCH", "/api/annotations/{annotation}/", 200, "ANNOTATION", {"result": []}),
    Case("DELETE", "/api/annotations/{annotation}/", 204),
    Case("GET", "/api/annotations/99999/", 404, "ERROR"),
    Case("GET", "/api/predictions/?task={task}", 200, "[PREDICTION]"),
    Case("POST", "/api/predictions/", 201, "PREDICTION", {"task": "$task", "result": RESULT, "model_version": "v"}),
    Case("GET", "/api/predictions/{prediction}/", 200, "PREDICTION"),
    Case("PATCH", "/api/predictions/{prediction}/", 200, "PREDICTION", {"score": 0.75}),
    Case("DELETE", "/api/predictions/{prediction}/", 204),
    # People, tokens, webhooks, the server
    Case("GET", "/api/current-user/whoami", 200, "WHOAMI"),
    Case("POST", "/api/token/", 201, "TOKEN", {}),
    Case("GET", "/api/token/", 200, "[TOKEN]"),
    Case("POST", "/api/token/refresh/", 200, "ACCESS", {"refresh": "$refresh"}),
    Case("POST", "/api/token/refresh/", 401, "ERROR", {"refresh": "no token"}),
    Case("POST", "/api/token/rotate/", 200, "REFRESH", {"refresh": "$refresh"}),
    Case("POST", "/api/token/blacklist/", 204, "", {"refresh": "$refresh"}),
    Case("POST", "/api/token/blacklist/", 404, "ERROR", {"refresh": "no token"}),
    Case("GET", "/api/webhooks/", 200, "[WEBHOOK]"),
    Case("GET", "/api/webhooks/?project={project}", 200, "[WEBHOOK]"),
    Case("POST", "/api/webhooks/", 201, "WEBHOOK", {"project": "$project", "url": "http://127.0.0.1:9/hook"}),
    Case("POST", "/api/webhooks/", 400, "FIELD_ERROR", {"project": "$project", "url": "nonsense"}),
    Case("GET", "/api/webhooks/{webhook}/", 200, "WEBHOOK"),
    Case("PATCH", "/api/webhooks/{webhook}/", 200, "WEBHOOK", {"is_active": False}),
    Case("DELETE", "/api/webhooks/{webhook}/", 204),
    Case("GET", "/api/nothing/", 404, "ERROR"),
    Case("PUT", "/api/tasks/{task}/", 405, "ERROR", {}),
]


def filled(value: Any, world: World) -> Any:
    """A body with the world's ids."""
    if isinstance(value, dict):
        return {name: filled(item, world) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, world) for item in value]
    return world[value[1:]] if isinstance(value, str) and value.startswith("$") else value


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_answer_has_its_recorded_shape(api: Api, world: World, case: Case):
    path, body = case.path.format_map(world), filled(case.body, world)
    for way in {path, other_slash(path)} if case.method == "GET" else {path}:
        sent = {} if body is None else {"json": body}
        answer = api.http.request(case.method, way, **sent)
        assert answer.status_code == case.status, answer.text
        if not case.shape:
            assert answer.content == b""
            assert "content-type" not in answer.headers
            continue
        assert answer.headers["content-type"] == "application/json"
        check(case.shape, answer.json())
        if case.shape in {"ERROR", "FIELD_ERROR"}:
            assert answer.json()["status_code"] == case.status


def other_slash(path: str) -> str:
    """The path with the slash at its end if it has none, without if it has one."""
    path, mark, query = path.partition("?")
    return (path.removesuffix("/") if path.endswith("/") else f"{path}/") + mark + query


def test_an_answer_without_its_token(api: Api):
    del api.http.headers["Authorization"]
    for headers, detail in {
        (): "Authentication credentials were not provided.",
        (("Authorization", f"Token {'0' * 40}"),): "Invalid token.",
    }.items():
        answer = api.http.get("/api/projects/", headers=dict(headers))
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Token")
        check("ERROR", answer.json())
        assert answer.json()["detail"] == detail


def test_what_is_said_of_the_server(api: Api):
    assert api.get("/api/version/")["release"]


def test_the_types_in_their_order(api: Api):
    known = [
        {"name": "s3", "title": "AWS S3"},
        {"name": "gcs", "title": "Google Cloud Storage"},
        {"name": "azure", "title": "Microsoft Azure"},
        {"name": "redis", "title": "Redis"},
        {"name": "localfiles", "title": "Local files"},
    ]
    for path in ("/api/storages/types", "/api/storages/export/types"):
        assert api.get(path)[: len(known)] == known


@pytest.mark.parametrize("meta", ["completed", "failed"])
def test_the_meta_of_a_sync(api: Api, meta: str):
    project = api.project()
    path = api.folder(files=1)
    storage = api.local(project, path=path)
    if meta == "failed":
        shutil.rmtree(path)
    api.post(f"/api/storages/localfiles/{storage['id']}/sync")
    queued = api.get(f"/api/storages/localfiles/{storage['id']}")
    assert list(queued["meta"]) == ["attempts", "time_queued"]
    api.work()
    done = api.get(f"/api/storages/localfiles/{storage['id']}")
    assert done["status"] == meta
    names = ["attempts", "time_queued", "time_in_progress", "time_last_ping"]
    names.append("time_completed" if meta == "completed" else "time_failure")
    assert list(done["meta"])[:7] == [*names, "duration", "tasks_existed"]
    fields = "attempts:int " + " ".join(f"{name}:loose" for name in names[1:]) + " duration:number"
    check_fields(fields, {name: done["meta"][name] for name in [*names, "duration"]}, "meta")


def test_ids_stay_exact_numbers(api: Api, world: World):
    """JavaScript's numbers are exact below 2**53."""
    assert max(world[name] for name in ("task", "annotation", "prediction")) < 2**53


PERSON = {"id": 1, "first_name": "", "last_name": "", "email": "a@b.example", "avatar": None}


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ("PERSON", {**PERSON, "more": 1}),
        ("PERSON", {name: PERSON[name] for name in list(PERSON)[1:]}),
        ("PERSON", dict(reversed(PERSON.items()))),
        ("PERSON", {**PERSON, "id": "1"}),
        ("PERSON", {**PERSON, "id": True}),
        ("PERSON", {**PERSON, "email": None}),
        ("PERSON", [PERSON]),
        ("[PERSON]", PERSON),
        ("[PERSON]", [PERSON, {}]),
        ("COUNTS_PAGE", {"count": 1, "next": None, "previous": None, "results": [{"id": 1}]}),
        ("FILE", {"key": "a", "last_modified": "2026-01-01 00:00:00", "size": 1}),
        ("ERROR", {"id": "1", "status_code": 400, "version": "", "detail": "", "exc_info": None}),
    ],
)
def test_another_shape_is_noticed(shape: str, value: Any):
    check("PERSON", PERSON)
    with pytest.raises((AssertionError, ValueError)):
        check(shape, value)
