"""Who may call the queue's and the timer's functions: tokens of a real issuer, good and bad."""

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
from functions_framework.aio import create_asgi_app

from functions import callers, runtime
from functions.callers import SIGNATURE_REMOVED, CallerRefusedError, Callers, Keys
from infra.emulators.cloud_tasks.oidc import Issuer, serving_keys
from shared.services.context import QUEUE_FUNCTIONS, Context
from shared.settings import Settings

ACCOUNT, TIMER = "queue@project.iam.gserviceaccount.com", "timer@project.iam.gserviceaccount.com"
URL, SWEEP_URL = "https://functions.example.org/sync_chunk", "https://functions.example.org/sweep"
WEBHOOK_URL = "https://functions.example.org/deliver_webhook"
EXPORT_URL = "https://functions.example.org/export_annotations"
RECORDS_URL = "https://functions.example.org/add_records"


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def settings(issuer: Issuer) -> Iterator[Settings]:
    with serving_keys(issuer) as url:
        yield Settings(
            sync_chunk_url=URL,
            sweep_url=SWEEP_URL,
            deliver_webhook_url=WEBHOOK_URL,
            export_annotations_url=EXPORT_URL,
            add_records_url=RECORDS_URL,
            caller_service_account=ACCOUNT,
            allowed_callers=f"{TIMER}, other@example.org",
            caller_keys_url=url,
        )


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is logged, of every level."""
    found: list[dict[str, Any]] = []

    class Logger:
        def warning(self, event: str, **fields: Any) -> None:
            found.append({"event": event, **fields})

    monkeypatch.setattr(callers, "logger", Logger())
    return found


def check(settings: Settings, token: str, function: str = "sync_chunk") -> int:
    return callers.check(settings, function, f"Bearer {token}")


def test_queue_and_timer_may_call(settings: Settings, issuer: Issuer) -> None:
    assert check(settings, issuer.token(ACCOUNT, URL)) == 0
    assert check(settings, issuer.token(TIMER, SWEEP_URL), "sweep") == 0
    assert callers.check(settings, "sync_chunk", f"bearer  {issuer.token(ACCOUNT, URL)} ") == 0


def tampered(token: str) -> str:
    head, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["email"] = TIMER
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{head}.{changed}.{signature}"


NOW = int(time.time())
BAD = {
    "expired": lambda issuer: issuer.token(ACCOUNT, URL, iat=NOW - 4000, exp=NOW - 400),
    "not yet issued": lambda issuer: issuer.token(ACCOUNT, URL, iat=int(time.time()) + 400),
    "for the other function": lambda issuer: issuer.token(ACCOUNT, SWEEP_URL),
    "of another issuer": lambda issuer: issuer.token(ACCOUNT, URL, iss="https://example.org"),
    "without an end": lambda issuer: issuer.token(ACCOUNT, URL, exp=None),
    "tampered with": lambda issuer: tampered(issuer.token(ACCOUNT, URL)),
    "cut": lambda issuer: issuer.token(ACCOUNT, URL)[:-10],
    "of another key": lambda issuer: Issuer().token(ACCOUNT, URL),
    "unsigned": lambda issuer: jwt.encode({"email": ACCOUNT, "aud": URL}, "", algorithm="none"),
    "with the public key as a secret": lambda issuer: jwt.encode(
        {"email": ACCOUNT, "aud": URL, "iss": "https://accounts.google.com", "iat": NOW, "exp": NOW + 100},
        "n" * 64,
        algorithm="HS256",
        headers={"kid": issuer.key_set["keys"][0]["kid"]},
    ),
    "with its signature removed": lambda issuer: f"{issuer.token(ACCOUNT, URL).rpartition('.')[0]}.{SIGNATURE_REMOVED}",
    "no token": lambda issuer: "secret-canary",
    "empty": lambda issuer: "",
    "of strange letters": lambda issuer: "é.ü.ß",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_token_is_401_and_is_not_logged(
    settings: Settings, issuer: Issuer, kind: str, logs: list[dict[str, Any]]
) -> None:
    token = BAD[kind](issuer)
    assert check(settings, token) == 401
    [log] = logs
    assert (log["action"], log["status"], log["function"]) == ("caller.refused", 401, "sync_chunk")
    assert not token or not any(part in json.dumps(log) for part in token.split(".") if len(part) > 3)


@pytest.mark.parametrize("header", ["", "Basic dTpw", "Token abc", "Bearer"])
def test_without_a_bearer_token_it_is_401(settings: Settings, header: str) -> None:
    assert callers.check(settings, "sync_chunk", header) == 401


@pytest.mark.parametrize(
    "claims",
    [{"email": "eve@example.org"}, {"email_verified": False}, {"email": None}, {"email": [ACCOUNT]}],
    ids=repr,
)
def test_a_good_token_of_somebody_else_is_403(
    settings: Settings, issuer: Issuer, claims: dict[str, Any], logs: list[dict[str, Any]]
) -> None:
    assert check(settings, issuer.token(ACCOUNT, URL, **claims)) == 403
    assert [log["status"] for log in logs] == [403]


def test_without_settings_nobody_may_call(issuer: Issuer) -> None:
    for settings in (Settings(), Settings(sync_chunk_url=URL), Settings(caller_service_account=ACCOUNT)):
        assert check(settings, issuer.token(ACCOUNT, URL)) == 403
    assert check(Settings(trust_callers=True), "") == 0


def test_where_the_platform_checks_the_claims_still_count(settings: Settings, issuer: Issuer) -> None:
    accepts = Callers(URL, frozenset([ACCOUNT]), Keys("", lambda url: b"{}"), platform_checks=True)

    def header(token: str) -> str:
        return f"Bearer {token.rpartition('.')[0]}.{SIGNATURE_REMOVED}"

    accepts.admit(header(issuer.token(ACCOUNT, URL)))
    bad = {401: (issuer.token(ACCOUNT, SWEEP_URL), BAD["expired"](issuer)), 403: (issuer.token(TIMER, URL),)}
    for status, tokens in bad.items():
        for token in tokens:
            with pytest.raises(CallerRefusedError) as caught:
                accepts.admit(header(token))
            assert caught.value.status == status


# ---- keys


class Source:
    """Keys of issuers, with a clock and a count."""

    def __init__(self, *issuers: Issuer) -> None:
        self.issuers, self.now, self.asked, self.broken = list(issuers), 0.0, 0, False
        self.keys = Keys("here", self.fetch, lambda: self.now)

    def fetch(self, url: str) -> bytes:
        self.asked += 1
        if self.broken:
            raise OSError("no network")
        return json.dumps({"keys": [key for issuer in self.issuers for key in issuer.key_set["keys"]]}).encode()

    def status(self, issuer: Issuer) -> int:
        try:
            Callers(URL, frozenset([ACCOUNT]), self.keys).admit(f"Bearer {issuer.token(ACCOUNT, URL)}")
        except CallerRefusedError as error:
            return error.status
        return 0


def test_keys_are_kept_and_a_new_one_is_looked_for_but_not_often(issuer: Issuer) -> None:
    source, new = Source(issuer), Issuer()
    assert [source.status(issuer) for _ in range(5)] == [0] * 5
    assert source.asked == 1
    assert [source.status(new) for _ in range(5)] == [401] * 5
    assert source.asked == 1
    source.issuers.append(new)
    source.now += 31
    assert (source.status(new), source.asked) == (0, 2)
    source.now += 3601
    assert (source.status(issuer), source.asked) == (0, 3)


def test_without_keys_the_queue_is_asked_to_come_again(issuer: Issuer) -> None:
    source = Source(issuer)
    source.broken = True
    assert [source.status(issuer), source.status(issuer)] == [503, 503]
    assert source.asked == 1
    source.broken, source.now = False, 31
    assert source.status(issuer) == 0
    source.broken, source.now = True, 4000
    assert source.status(issuer) == 0  # keys that are known stay good


# ---- over HTTP


@pytest.mark.parametrize("function", [*QUEUE_FUNCTIONS, "sweep"])
def test_a_function_answers_only_who_may_call(
    settings: Settings, issuer: Issuer, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []

    class Stand:
        pass

    stand: Context = Stand()  # type: ignore[assignment]
    stand.settings = settings
    module = __import__(f"functions.{function}", fromlist=["handle"])
    monkeypatch.setattr(runtime, "_context", [stand])
    monkeypatch.setattr(module, "handle", lambda *_: called.append(function) or 200)
    url = getattr(settings, f"{function}_url")

    async def ask(**headers: str) -> int:
        transport = httpx.ASGITransport(create_asgi_app(function, "main.py"))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return (await client.post("/", content=b"{}", headers=headers)).status_code

    assert asyncio.run(ask()) == 401
    assert asyncio.run(ask(Authorization=f"Bearer {issuer.token('eve@example.org', url)}")) == 403
    assert called == []
    assert asyncio.run(ask(Authorization=f"Bearer {issuer.token(ACCOUNT, url)}")) == 200
    assert called == [function]
