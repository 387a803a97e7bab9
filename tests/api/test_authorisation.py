"""Who may call what: every route and method that the application has, called by everybody there is.

A new route is tested at once if its path names a thing that `world` has one of. Any other has to be described here:
what is asked, and what it means to somebody of another project.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from functions.app import create_app
from shared.model.fields import DIRECTIONS
from shared.model.providers import PROVIDERS
from shared.ports import Query
from shared.records.collection import Collection
from shared.services.accounts import jwts
from tests.api.client import Api, base
from tests.api.world import BUCKET, CANARY, RECEIVER, World, make

REFUSED = "object does not exist|not known|not one of the available choices"
OPEN = {
    *(f"{method} {path}" for path in ("/docs", "/docs/oauth2-redirect", "/redoc") for method in ("GET", "HEAD")),
    *(f"{method} /openapi.json" for method in ("GET", "HEAD")),
    "GET /health",
    "GET /api/version",
    "POST /api/token/refresh",
}
"""Nothing of anybody is in them, or (refreshing) the body is what proves who calls."""

Outside = Literal["missing", "invalid", "admin", "own", "nothing"]
"""To somebody of another project: 404 | 400 | 403 (to this one's members too) | what is theirs alone | []."""


@dataclass(frozen=True)
class Call:
    """How a route is called in a world, and what comes of it."""

    outside: Outside = "missing"
    query: Callable[[World], dict[str, Any]] = lambda _: {}
    body: Callable[[World], Any] = lambda _: None
    status: frozenset[int] = frozenset({200, 201, 204})
    """What who may call it is answered."""


def of(outside: Outside, **fields: Any) -> Call:
    """A call with a body of these fields; `PROJECT` and the like stand for what the world has."""
    return Call(outside, body=lambda world: {name: filled(world, value) for name, value in fields.items()})


def asked(outside: Outside, **fields: Any) -> Call:
    """A call with a query of these fields."""
    return Call(outside, query=lambda world: {name: filled(world, value) for name, value in fields.items()})


def filled(world: World, value: Any) -> Any:
    if isinstance(value, list):
        return [filled(world, item) for item in value]
    return value(world) if callable(value) else value


def id_of(path: str) -> Callable[[World], Any]:
    return lambda world: world.ids[path]


PROJECT, TASK = id_of("/api/projects/{id}"), id_of("/api/tasks/{id}")
ANNOTATION, USER = id_of("/api/annotations/{id}"), id_of("/api/users/{id}")


def refresh(world: World) -> str:
    return world.refresh


BASES = [base("", direction) for direction in ("import", "export")]
KINDS = {
    base("", direction): [it.type for it in PROVIDERS.values() if direction in it.directions]
    for direction in DIRECTIONS
}
DATASETS = base("", "dataset")
# A field that is refused comes before a look into the bucket, which is not there.
STORAGE = Call("invalid", body=lambda world: {"project": world.project, "regex_filter": "("}, status=frozenset({400}))
ADMINS_STORAGE = Call("admin", body=lambda _: {"regex_filter": "("}, status=frozenset({400}))
CALLS: dict[str, Call | list[Call]] = {
    "GET /api/projects": Call("own"),
    "POST /api/projects": of("admin", title="Another"),
    "GET /api/projects/counts": Call("own"),
    "PATCH /api/projects/{id}": of("missing", title="Renamed"),
    "PUT /api/projects/{id}": of("missing", title="Renamed"),
    "POST /api/projects/{id}/validate": of("missing", label_config="<View/>"),
    "POST /api/projects/{id}/duplicate": of("admin", title="A copy", mode="settings"),
    "DELETE /api/projects/{id}": Call("admin"),
    "POST /api/projects/{id}/import": Call(body=lambda _: [{"image": "x"}]),
    "POST /api/projects/{id}/import/predictions": Call(body=lambda world: [{"task": TASK(world), "result": []}]),
    **{
        f"{method} {base}{path}": call
        for base in BASES
        for method, path, call in [
            ("GET", "", asked("nothing", project=PROJECT)),
            ("GET", "/types", Call("own")),
            *(
                (method, f"/{kind}{path}", call)
                for kind in PROVIDERS
                for method, path, call in [
                    ("GET", "", asked("missing", project=PROJECT)),
                    ("POST", "", STORAGE),
                    ("GET", "/form", Call("own")),
                    ("POST", "/validate", STORAGE),
                    ("PATCH", "/{id}", of("missing", title="Renamed")),
                    ("PUT", "/{id}", Call(body=lambda _: {"regex_filter": "("}, status=frozenset({400}))),
                ]
            ),
        ]
    },
    **{f"POST /api/storages/{kind}/files": STORAGE for kind in PROVIDERS},
    # Of datasets nobody but admins sees anything.
    f"GET {DATASETS}": Call("admin"),
    f"GET {DATASETS}/types": Call("own"),
    **{
        f"{method} {DATASETS}/{kind}{path}": call
        for kind in KINDS[DATASETS]
        for method, path, call in [
            ("GET", "", Call("admin")),
            ("GET", "/form", Call("own")),
            *(("POST", path, ADMINS_STORAGE) for path in ("", "/validate", "/files")),
            *((method, "/{id}", Call("admin")) for method in ("GET", "DELETE")),
            ("PATCH", "/{id}", of("admin", title="Renamed")),
            ("PUT", "/{id}", ADMINS_STORAGE),
            ("POST", "/{id}/sync", Call("admin")),
            # Most of the world's datasets have no bucket yet, which is told to those who may ask.
            ("GET", "/{id}/records", Call("admin", status=frozenset({200, 400}))),
            ("GET", "/{id}/records/count", Call("admin")),
            ("GET", "/{id}/records/{record}", Call("admin", status=frozenset({200, 400}))),
            *(
                ("GET", f"/{{id}}/records/{{record}}/{way}", Call("admin", status=frozenset({200, 400})))
                for way in ("columns", "rows")
            ),
            ("POST", "/{id}/snapshots", of("admin", title="Another")),
            ("GET", "/{id}/snapshots", Call("admin")),
            *((method, "/{id}/snapshots/{snapshot}", Call("admin")) for method in ("GET", "DELETE")),
            (
                "GET",
                "/{id}/snapshots/{snapshot}/diff",
                asked("admin", to=id_of(f"{DATASETS}/{kind}/{{id}}/snapshots/{{snapshot}}")),
            ),
            ("GET", "/{id}/snapshots/{snapshot}/manifest", Call("admin", status=frozenset({200, 400}))),
            ("POST", "/{id}/records/add-to-project", of("admin", project=PROJECT, filter={})),
            ("GET", "/{id}/additions", Call("admin")),
            ("GET", "/{id}/additions/{addition}", Call("admin")),
        ]
    },
    # Most of the world's targets have no bucket yet, which is told to those who may ask.
    **{f"GET /api/storages/export/{kind}/{{id}}/verify": Call(status=frozenset({200, 400})) for kind in PROVIDERS},
    "GET /api/webhooks": [Call("own"), asked("invalid", project=PROJECT), asked("own", project="isnull")],
    "POST /api/webhooks": [of("invalid", project=PROJECT, url=RECEIVER), of("admin", url=RECEIVER)],
    "GET /api/webhooks/info": Call("own"),
    "PATCH /api/webhooks/{id}": of("missing", is_active=False),
    "PUT /api/webhooks/{id}": of("missing", url=RECEIVER),
    "GET /api/tasks": [asked("missing", project=PROJECT), asked("missing", project=PROJECT, fields="all")],
    "POST /api/tasks": of("invalid", project=PROJECT, data={"image": "x"}),
    "POST /api/tasks/{id}/annotations": of("missing", result=[]),
    "POST /api/annotations/bulk": [
        of("invalid", tasks=[TASK], result=[]),
        of("invalid", task=TASK, result=[]),
        of("invalid", project=PROJECT, selected_items={"all": True, "excluded": []}, result=[]),
    ],
    "POST /api/annotations/bulk-delete": of("invalid", project=PROJECT, ids=[ANNOTATION]),
    **{
        f"{method} /{kind}/{{id}}/{way}": Call(
            query=lambda _: {"fileuri": f"s3://{BUCKET}/key"}, status=frozenset({303})
        )
        for method in ("GET", "HEAD")
        for kind in ("tasks", "projects")
        for way in ("resolve", "presign")
    },
    **{f"{method} /data/local-files": asked("missing", d="digits/0000.png") for method in ("GET", "HEAD")},
    "POST /api/projects/{id}/resolve/batch": of("missing", uris=[f"s3://{BUCKET}/key"]),
    "GET /api/predictions": [
        asked("missing", task=TASK),
        asked("missing", project=PROJECT),
        asked("missing", task__project=PROJECT),
    ],
    "POST /api/predictions": of("invalid", task=TASK, result=[]),
    "GET /api/users": Call("own"),
    "POST /api/users": of("admin", email="new@example.org"),
    "DELETE /api/users/{id}": Call("admin"),
    "GET /api/current-user": Call("own"),
    "PATCH /api/current-user": of("own", first_name="Another"),
    "GET /api/current-user/whoami": Call("own"),
    "GET /api/current-user/token": Call("own"),
    "POST /api/current-user/reset-token": Call("own"),
    "GET /api/token": [Call("own"), asked("missing", user=USER)],
    "POST /api/token": Call("own"),
    "POST /api/token/blacklist": of("missing", refresh=refresh),
    "POST /api/token/rotate": of("invalid", refresh=refresh),
}
"""By method and path. A route that is not here and names a thing in its path is called without a body."""

NOBODYS = {
    f"{method} {base}/{path}"
    for base in KINDS
    for path in ("{type}", "{type}/{rest:path}")
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
}
"""Answer for types that are not there: 404 to whoever is known."""


def routes() -> list[str]:
    """Every method and path, those that are not documented among them."""
    found = []
    for route in iter_route_contexts(create_app(lambda: None).routes):  # type: ignore[arg-type, return-value]
        assert route.path is not None, f"{route}: say here how it is called"
        assert route.methods, f"{route.path}: say here how it is called"
        found += [f"{method} {route.path}" for method in sorted(route.methods)]
    return found


ROUTES = routes()


def calls_of(route: str) -> list[Call]:
    known = CALLS.get(route)
    if known is None:
        assert "{" in route, f"{route}: it names nothing in its path; describe it in CALLS"
        return [Call()]
    return known if isinstance(known, list) else [known]


def ask(api: Api, route: str, world: World, call: Call, **more: Any) -> httpx.Response:
    method, template = route.split(" ", 1)
    try:
        path = world.path(template)
    except KeyError as error:
        pytest.fail(f"{route}: `world` has nothing for {error}")
    body = call.body(world)
    given = {} if body is None else {"json": body}
    return api.http.request(method, path, params=call.query(world), **given, **more)


def snapshot(api: Api) -> dict[Any, str]:
    """The revision of everything that is stored, but for users and tokens, which callers may change of themselves."""
    names = [one.name for one in vars(api.ctx).values() if isinstance(one, Collection)]
    kept = sorted({*names, "trash"} - {"users", "tokens"})
    return {
        document.ref: document.revision
        for name in kept
        for document in api.ctx.documents.query(Query(collection=name, limit=1000))
    }


@pytest.mark.parametrize("route", [route for route in ROUTES if route not in OPEN])
def test_who_may_call(api: Api, route: str):
    worlds = iter([make(api, f"world-{number}", route) for number in range(2 * len(calls_of(route)))])
    outsider = api.as_user(api.project(title="Another project"))
    for call in calls_of(route):
        world = next(worlds)
        before = snapshot(api)
        unknown_is_refused(api, route, world, call)
        answer = ask(outsider, route, world, call)
        assert snapshot(api) == before
        outside_is_nothing(answer, "nobody's" if route in NOBODYS else call.outside)
        if route in NOBODYS:
            assert ask(world.member, route, world, call).status_code == 404
            continue
        inside = ask(world.member, route, world, call)
        if call.outside == "admin":
            assert inside.status_code == 403, inside.text
            assert snapshot(api) == before
        else:
            allowed(inside, call)
        allowed(ask(api, route, next(worlds), call), call)


def unknown_is_refused(api: Api, route: str, world: World, call: Call) -> None:
    """Without a token, with a wrong one, with one whose time is over."""
    ended = int(time.time()) - 1
    expired = jwts.issue(api.ctx.vault, jwts.Claims("access", world.user.id, "x", ended - 300, ended))
    for header, detail in (
        ("", "Authentication credentials were not provided."),
        ("Token nonsense", "Invalid token."),
        (f"Bearer {expired}", "Token is expired"),
    ):
        answer = ask(Api(api.ctx, api.nobody), route, world, call, headers={"Authorization": header} if header else {})
        assert answer.status_code == 401, answer.text
        assert route.startswith("HEAD ") or answer.json()["detail"] == detail


def outside_is_nothing(answer: httpx.Response, outside: str) -> None:
    assert CANARY not in answer.text
    wanted = {"missing": {404}, "nobody's": {404}, "invalid": {400}, "admin": {403}}.get(outside, {200, 201})
    assert answer.status_code in wanted, answer.text
    if outside == "invalid":
        assert re.search(REFUSED, answer.text)
    if outside == "nothing":
        assert answer.json() == []


def allowed(answer: httpx.Response, call: Call) -> None:
    assert answer.status_code in call.status, answer.text
    assert not re.search(REFUSED, answer.text)


@pytest.mark.parametrize("route", sorted(OPEN))
def test_what_is_open_answers_everybody(api: Api, route: str):
    method, path = route.split(" ", 1)
    body = {"refresh": make(api, "world").refresh} if "refresh" in path else None
    answer = api.nobody.request(method, path, json=body)
    assert answer.status_code == 200
    assert CANARY not in answer.text


def test_every_description_is_of_a_route():
    assert ({*CALLS} | OPEN | NOBODYS) - {*ROUTES} == set()
    assert len(ROUTES) > 60
