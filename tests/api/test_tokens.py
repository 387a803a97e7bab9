"""Refresh tokens over HTTP: made, listed, exchanged, rotated, revoked; also several at once, and after their time."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest

from functions.sweep import handle
from shared.ports import Check, DocumentStore, Write
from shared.services.accounts import issuing
from tests.api.client import Api

UNKNOWN = "Token is not known, or revoked already."


def refreshed(api: Api, refresh: str, status: int = 200) -> dict:
    answer = api.nobody.post("/api/token/refresh/", json={"refresh": refresh})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


class Meeting:
    """Documents whose first commit of each thread waits until all of them have read what they decide by."""

    def __init__(self, inner: DocumentStore, parties: int) -> None:
        self._inner, self._barrier, self._met = inner, threading.Barrier(parties), set[int]()

    def commit(self, writes: Sequence[Write], checks: Sequence[Check] = ()) -> list[str]:
        if threading.get_ident() not in self._met:
            self._met.add(threading.get_ident())
            self._barrier.wait(30)
        return self._inner.commit(writes, checks)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def together(api: Api, count: int, act: Callable[[], int]) -> list[int]:
    """What so many calls at once answer; none commits before all have read."""
    inner, answers = api.ctx.documents, []
    api.ctx.documents = Meeting(inner, count)
    threads = [threading.Thread(target=lambda: answers.append(act())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    api.ctx.documents = inner
    return sorted(answers)


def test_a_token_is_shown_once_and_lets_its_user_in(api: Api):
    member = api.as_user(api.project())
    made = member.post("/api/token/", status=201)
    assert set(made) == {"id", "token", "created_at", "expires_at"}
    access = refreshed(api, made["token"])["access"]
    bearer = {"Authorization": f"Bearer {access}"}
    assert api.get("/api/current-user/whoami", headers=bearer)["id"] == 2
    (listed,) = api.get("/api/token/", headers=bearer)
    assert {**listed, "token": made["token"]} == made
    assert listed["token"] == made["token"].rpartition(".")[0]
    for useless in (listed["token"], listed["token"] + "."):
        assert refreshed(api, useless, 401)["detail"] == "Given token not valid for any token type"


def test_a_list_is_the_callers_own_in_the_order_they_want(api: Api):
    member = api.as_user()
    made = [member.post("/api/token", status=201)["id"] for _ in range(3)]
    api.post("/api/token/", status=201)
    assert [one["id"] for one in member.get("/api/token/")] == made
    assert [one["id"] for one in member.get("/api/token/?ordering=-created_at")] == made[::-1]
    assert [one["id"] for one in member.get("/api/token/?ordering=nonsense")] == made
    assert [one["id"] for one in api.get("/api/token/?user=2")] == made
    assert member.get("/api/token/?user=2") == member.get("/api/token/")
    for user in ("1", "99", "x"):
        assert member.get(f"/api/token/?user={user}", 404)["detail"] == "No User matches the given query."


def test_an_admin_makes_tokens_for_others(api: Api):
    member = api.as_user()
    made = api.post("/api/token/", {"user": 2}, 201)
    assert jwt.decode(made["token"], options={"verify_signature": False})["user_id"] == "2"
    assert [one["id"] for one in member.get("/api/token/")] == [made["id"]]
    member.post("/api/token/", {"user": 2}, 201)
    assert "only an admin" in member.post("/api/token/", {"user": 1}, 403)["detail"]
    for user in (99, "x", True, [2], -1, 10**20):
        assert "does not exist" in api.post("/api/token/", {"user": user}, 400)["validation_errors"]["user"][0]


@pytest.mark.parametrize("path", ["refresh", "rotate", "blacklist"])
def test_what_is_no_token_is_said(api: Api, path: str):
    for body, text in (({}, "required"), ({"refresh": None}, "required"), ({"refresh": 7}, "Not a valid string")):
        assert text in api.post(f"/api/token/{path}/", body, 400)["validation_errors"]["refresh"][0]
    wrong = {"refresh": 401, "rotate": 400, "blacklist": 404}[path]
    legacy = api.post("/api/current-user/reset-token/", status=201)["token"]
    access = refreshed(api, api.post("/api/token/", status=201)["token"])["access"]
    for token in (
        "",
        "nonsense",
        "x" * 5000,
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
        legacy,
        access,
    ):
        answer = api.post(f"/api/token/{path}/", {"refresh": token}, wrong)
        assert not token or token not in str(answer)


def test_who_is_not_known_sends_small_bodies(api: Api):
    answer = api.nobody.post("/api/token/refresh/", json={"refresh": "x" * 20_000})
    assert answer.status_code == 413
    assert answer.json()["detail"] == "The body of the request is larger than 16384 bytes."


def test_a_revoked_token_is_worthless(api: Api):
    token, other = (api.post("/api/token/", status=201) for _ in range(2))
    api.post("/api/token/blacklist/", {"refresh": token["token"]}, 204)
    assert api.post("/api/token/blacklist/", {"refresh": token["token"]}, 404)["detail"] == UNKNOWN
    assert refreshed(api, token["token"], 401)["detail"] == "Token is revoked"
    api.post("/api/token/rotate/", {"refresh": token["token"]}, 400)
    assert [one["id"] for one in api.get("/api/token/")] == [other["id"]]
    api.call("DELETE", f"/api/token/{other['id']}", 204)
    api.call("DELETE", f"/api/token/{other['id']}", 404)
    refreshed(api, other["token"], 401)


def test_a_legacy_token_has_no_name_to_revoke_it_by(api: Api):
    api.post("/api/current-user/reset-token/", status=201)
    for name in ("", "%20", "x" * 3000):
        assert api.http.request("DELETE", f"/api/token/{name}").status_code in {404, 405}
    api.get("/api/current-user/whoami")


def test_a_rotated_token_is_another(api: Api):
    old = api.as_user().post("/api/token/", status=201)["token"]
    member = api.as_user()
    assert member.post("/api/token/rotate/", {"refresh": old}, 400)["validation_errors"] == {"refresh": [UNKNOWN]}
    new = api.post("/api/token/rotate/", {"refresh": old})["refresh"]
    assert jwt.decode(new, options={"verify_signature": False})["user_id"] == "2"
    refreshed(api, old, 401)
    refreshed(api, new)


def test_of_many_who_rotate_at_once_one_wins(api: Api):
    token = api.post("/api/token/", status=201)["token"]

    def rotate() -> int:
        return api.http.post("/api/token/rotate/", json={"refresh": token}).status_code

    assert together(api, 5, rotate) == [200, 400, 400, 400, 400]
    assert len(api.get("/api/token/")) == 1


def test_of_many_who_revoke_at_once_one_wins(api: Api):
    token = api.post("/api/token/", status=201)["token"]

    def revoke() -> int:
        return api.http.post("/api/token/blacklist/", json={"refresh": token}).status_code

    assert together(api, 5, revoke) == [204, 404, 404, 404, 404]


def test_how_many_tokens_a_user_has_is_bounded_also_at_once(api: Api):
    api.ctx.settings = replace(api.ctx.settings, max_tokens=3)
    api.as_user()

    def create() -> int:
        return api.http.post("/api/token/", json={"user": 2}).status_code

    assert together(api, 5, create) == [201, 201, 201, 400, 400]
    answer = api.post("/api/token/", {"user": 2}, 400)
    assert "3 refresh tokens: revoke one" in answer["validation_errors"]["non_field_errors"][0]
    assert len(api.get("/api/token/?user=2")) == 3


def test_a_token_ends_and_is_swept(api: Api):
    now = api.ctx.clock()
    api.ctx.clock = lambda: now
    api.ctx.settings = replace(api.ctx.settings, refresh_token_days=1)
    token = api.post("/api/token/", status=201)["token"]
    api.ctx.settings = replace(api.ctx.settings, refresh_token_days=2)
    kept = api.post("/api/token/", status=201)["id"]
    api.ctx.clock = lambda: now + 86_400 + 1
    assert refreshed(api, token, 401)["detail"] == "Token is expired"
    assert api.post("/api/token/rotate/", {"refresh": token}, 400)["validation_errors"] == {
        "refresh": ["Token is expired"]
    }
    assert [one["id"] for one in api.get("/api/token/")] == [kept]
    assert api.count("tokens") == 3
    assert handle(api.ctx, {}, b"") == handle(api.ctx, {}, b"") == 200
    assert api.count("tokens") == 2
    assert [one["id"] for one in api.get("/api/token/")] == [kept]


def test_a_sweep_removes_so_many_at_once(api: Api):
    for _ in range(5):
        api.post("/api/token/", status=201)
    api.ctx.clock = lambda: 10.0**11
    assert [issuing.forget_expired(api.ctx, 2) for _ in range(4)] == [2, 2, 1, 0]


def test_a_legacy_token_is_reset(api: Api):
    member = api.as_user()
    old = member.http.headers["Authorization"].split()[1]
    new = member.post("/api/current-user/reset-token/", status=201)["token"]
    assert (len(new), new != old) == (40, True)
    assert member.get("/api/current-user/whoami", 401)["detail"] == "Invalid token."
    assert api.with_token(new).get("/api/current-user/whoami")["id"] == 2
    assert "can't be shown again" in api.with_token(new).get("/api/current-user/token")["detail"]
    assert api.count("tokens") == 2  # of the admin and of the member


def test_the_servers_own_token_is_not_reset(api: Api):
    tokens = [api.post("/api/current-user/reset-token/", status=201)["token"] for _ in range(2)]
    api.get("/api/current-user/whoami")
    assert [api.http.get("/api/projects", headers={"Authorization": f"Token {one}"}).status_code for one in tokens] == [
        401,
        200,
    ]


def test_of_many_resets_at_once_one_token_stays(api: Api):
    member = api.as_user()
    assert together(api, 5, lambda: member.http.post("/api/current-user/reset-token/").status_code)[0] == 201
    assert api.count("tokens") == 2


def test_no_token_is_kept_logged_or_said_twice(api: Api, caplog: pytest.LogCaptureFixture, capfd):
    caplog.set_level(logging.DEBUG)
    member = api.as_user()
    first = member.post("/api/token/", status=201)["token"]
    second = member.post("/api/token/rotate/", {"refresh": first})["refresh"]
    access = refreshed(api, second)["access"]
    refreshed(api, access, 401)
    member.post("/api/token/blacklist/", {"refresh": access}, 404)
    said = [str(api.get(f"/api/{path}")) for path in ("token/?user=2", "users", "users/2")]
    member.post("/api/token/blacklist/", {"refresh": second}, 204)
    legacy = member.post("/api/current-user/reset-token/", status=201)["token"]
    secrets = [first.rpartition(".")[2], second.rpartition(".")[2], access.rpartition(".")[2], legacy]
    out = capfd.readouterr()
    files = [file.read_bytes() for file in Path(api.ctx.settings.data_dir).rglob("*") if file.is_file()]
    for secret in secrets:
        assert secret not in "".join((caplog.text, out.out, out.err, *said))
        assert not [file for file in files if secret.encode() in file]
    assert any(api.ctx.tokens.digest(legacy).encode() in file for file in files)
