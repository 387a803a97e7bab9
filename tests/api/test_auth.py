"""Who is let in, and what can be read without."""

import stat
import threading
from pathlib import Path

import httpx
import pytest

from functions.app import create_app
from functions.runtime import deliver
from shared import __version__, app
from shared.errors import AuthenticationError
from shared.ports import Delete, Query
from shared.records.storages import next_id
from shared.settings import Settings
from tests.api.client import TOKEN, Api

ROUTES = [
    ("GET", "/api/projects/"),
    ("POST", "/api/projects/"),
    ("GET", "/api/storages/"),
    ("GET", "/api/storages/types"),
    ("POST", "/api/storages/s3/"),
    ("POST", "/api/storages/s3/validate"),
    ("POST", "/api/storages/localfiles/1/sync"),
    ("DELETE", "/api/storages/localfiles/1"),
    ("GET", "/api/tasks/?project=1"),
    ("GET", "/api/current-user/whoami"),
]


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({}, "Authentication credentials were not provided."),
        ({"Authorization": "Token nonsense"}, "Invalid token."),
        ({"Authorization": f"Token {TOKEN}x"}, "Invalid token."),
        ({"Authorization": "Token"}, "Invalid token header. No credentials provided."),
        ({"Authorization": "Basic YTpi"}, "Authenticate with the header `Authorization: Token <your token>`."),
        ({"Authorization": "Bearer"}, "Invalid token header. No credentials provided."),
        ({"Authorization": "Bearer nonsense"}, "Given token not valid for any token type"),
        ({"Authorization": f"Bearer {TOKEN}"}, "Given token not valid for any token type"),
        ({"Authorization": "Bearer \xff\xfe.\xfc.\xfb"}, "Given token not valid for any token type"),
        ({"X-API-Key": "eyJ.e30.x"}, "Given token not valid for any token type"),
        ({"X-API-Key": "nonsense"}, "Invalid token."),
        ({"Authorization": "Token \xff\xfe"}, "Invalid token."),
    ],
)
def test_who_is_not_known_is_not_let_in(api: Api, headers: dict[str, str], detail: str):
    del api.http.headers["Authorization"]
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    for method, path in ROUTES:
        answer = api.http.request(method, path, headers=raw)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Token")
        error = answer.json()
        assert list(error) == ["id", "status_code", "version", "detail", "exc_info"]
        assert (error["status_code"], error["detail"], error["version"]) == (401, detail, __version__)


def test_who_is_not_known_does_not_get_a_body_read(api: Api):
    headers = {"Authorization": "Token nonsense", "Content-Type": "application/json"}
    api.call("POST", "/api/projects/", 401, content=b"{" * 1000, headers=headers)


def test_both_headers_are_taken(api: Api):
    me = api.get("/api/current-user/whoami")
    assert (me["id"], me["username"], me["email"]) == (1, "admin", "admin@localhost")
    assert api.get("/api/current-user/whoami/", headers={"Authorization": f"token  {TOKEN}"}) == me
    del api.http.headers["Authorization"]
    assert api.get("/api/current-user/whoami", headers={"X-API-Key": TOKEN}) == me


def test_docs_version_and_health_are_open(api: Api):
    del api.http.headers["Authorization"]
    assert api.get("/health") == {"status": "UP"}
    assert api.get("/api/version/")["release"] == __version__
    assert api.http.get("/docs").status_code == 200
    described = api.get("/openapi.json")
    assert described["info"]["version"] == __version__


def test_tokens_are_kept_as_hashes(api: Api, settings: Settings):
    api.get("/api/current-user/whoami")
    data = Path(settings.data_dir)
    assert all(TOKEN.encode() not in file.read_bytes() for file in data.iterdir() if file.is_file())


def test_a_new_first_token_makes_the_old_one_worthless(tmp_path: Path):
    for token in ("first-token", "second-token"):
        ctx = app.build(Settings(data_dir=str(tmp_path), token=token), deliver)
        held = [app.tokens.user_of(ctx, token).id]
        if token == "second-token":
            with pytest.raises(AuthenticationError):
                app.tokens.user_of(ctx, "first-token")
        app.close(ctx)
        assert held == [1]


def test_without_settings_token_and_key_are_made_once_for_the_owner_alone(tmp_path: Path):
    settings = Settings(data_dir=str(tmp_path / "data"))
    seen = set()
    for _ in range(2):
        ctx = app.build(settings, deliver)
        token = app.tokens.first_token(settings)
        seen.add((token, ctx.vault.open(ctx.vault.seal({"a": "b"}))["a"], (tmp_path / "data/secret.key").read_text()))
        assert app.tokens.user_of(ctx, token).id == 1
        app.close(ctx)
    assert len(seen) == 1
    for name in ("token", "secret.key"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) == 0o600


def test_a_context_that_cannot_be_built_is_a_500_without_words(switch, caplog: pytest.LogCaptureFixture):
    def broken():
        raise ValueError("the key is hunter2")

    switch[0].app = create_app(broken)
    answer = httpx.get(f"{switch[1]}/api/projects/", trust_env=False)
    assert answer.status_code == 500
    assert "hunter2" not in answer.text


def test_processes_that_start_together_admit_one_user(tmp_path: Path):
    settings = Settings(data_dir=str(tmp_path), token="the-token")
    ctx = app.build(settings, deliver)
    for name in ("users", "tokens", "emails", "counters"):
        for document in ctx.documents.query(Query(collection=name)):
            ctx.documents.commit([Delete(document.ref, None)])
    barrier = threading.Barrier(6)
    failed: list[Exception] = []

    def start(token: str) -> None:
        barrier.wait(10)
        try:
            app.tokens.admit_first(ctx.documents, token, 1.0)
        except Exception as error:  # noqa: BLE001  the test shows it
            failed.append(error)

    threads = [threading.Thread(target=start, args=(token,)) for token in ("one", "one", "one", "two", "two", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    admitted = [held.value.user for held in ctx.tokens.first()]
    people = ctx.documents.count(Query(collection="users"))
    number = next_id(ctx.documents, "users")
    app.close(ctx)
    assert failed == []
    assert admitted
    assert set(admitted) == {1}
    assert (people, number) == (1, 2)
