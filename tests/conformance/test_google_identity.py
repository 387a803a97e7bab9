"""ID tokens of the machine's service account: how long they are kept, by how many threads, what is said without."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from shared.adapters.objects import google_identity
from shared.adapters.objects.google_identity import IdentityToken
from shared.errors import CredentialsError, StoreError, StoreUnavailableError, StoreUnreachableError
from tests.google_machine import UNIQUE_ID, Machine
from tests.identities import identities, refused
from tests.identity_servers import Identities

__all__ = ["identities"]


@pytest.fixture
def machine(identities: Identities) -> Machine:
    return identities.machine


@pytest.fixture
def token(identities: Identities) -> Iterator[IdentityToken]:
    made = IdentityToken(identities.url.removeprefix("http://"), "api://a b&c", wanted_by="SLUICE_X")
    yield made
    made.close()


@pytest.fixture
def clock(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What time it is, for both sides."""
    now = SimpleNamespace(now=google_identity.time.time())
    monkeypatch.setattr(google_identity, "time", SimpleNamespace(time=lambda: now.now))
    machine.clock = lambda: now.now
    return now


def test_it_is_signed_for_the_audience_and_says_who_it_is(token: IdentityToken, machine: Machine) -> None:
    text = token.text()

    claims = machine.verified(text, "api://a b&c")
    assert claims["sub"] == token.subject == UNIQUE_ID
    assert claims["email_verified"]
    assert text not in repr(token)


def test_it_is_kept_until_five_minutes_before_its_end(
    token: IdentityToken, machine: Machine, clock: SimpleNamespace
) -> None:
    first, began = token.text(), clock.now

    clock.now = began + 3290
    kept = token.text()
    clock.now = began + 3301
    second = token.text()

    assert kept == first
    assert second != first
    assert len(machine.issued) == 2
    assert machine.verified(second, "api://a b&c")


def test_a_token_that_is_nearly_over_is_not_asked_for_at_each_use(
    token: IdentityToken, machine: Machine, clock: SimpleNamespace
) -> None:
    """The metadata server hands out some for twice, so one may come late in its life."""
    machine.life = 200.0
    first = token.text()

    clock.now += 90

    assert token.text() == first
    assert len(machine.issued) == 1


def test_it_serves_to_its_end_while_there_is_no_other(
    token: IdentityToken, machine: Machine, clock: SimpleNamespace
) -> None:
    first, began = token.text(), clock.now
    machine.busy = True

    clock.now = began + 3590
    kept = token.text()
    clock.now = began + 3601

    assert kept == first
    refused(token.text, StoreUnavailableError)


def test_many_threads_have_one_fetched(token: IdentityToken, machine: Machine) -> None:
    with ThreadPoolExecutor(16) as pool:
        texts = list(pool.map(lambda _: token.text(), range(64)))

    assert set(texts) == {machine.issued[0]}
    assert len(machine.issued) == 1


def test_no_proxy_is_told(token: IdentityToken, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    host = token._named["host"]

    made = IdentityToken(host, "sluice", wanted_by="SLUICE_X")

    assert made.text() == machine.issued[0]
    made.close()


def test_nobody_there() -> None:
    token = IdentityToken("127.0.0.1:9", "sluice", wanted_by="SLUICE_X")

    error = refused(token.text, StoreUnreachableError)

    assert error.message == (
        "SLUICE_X needs a Google service account for this server to be, but nothing answers at 127.0.0.1:9: it runs "
        "nowhere on Google Cloud"
    )
    token.close()


@pytest.mark.parametrize(
    ("change", "kind", "message", "detail"),
    [
        ({"busy": True}, StoreUnavailableError, "gives no ID token just now", "503: Try again"),
        ({"account": False}, CredentialsError, "must run as a service account", "404: Service account default not"),
        ({"page": "<html>Log in to the network</html>"}, CredentialsError, "does not give", "200: no ID token"),
        ({"page": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"}, CredentialsError, "does not give", "200: no ID token"),
    ],
    ids=["busy", "no account", "another's page", "another's token"],
)
def test_what_is_no_token(
    change: dict[str, object],
    kind: type[StoreError],
    message: str,
    detail: str,
    token: IdentityToken,
    machine: Machine,
) -> None:
    for name, value in change.items():
        setattr(machine, name, value)

    error = refused(token.text, kind)

    assert message in error.message
    assert error.detail.startswith(detail)


def test_an_empty_audience_is_named(identities: Identities) -> None:
    token = IdentityToken(identities.url.removeprefix("http://"), "", wanted_by="SLUICE_X")

    error = refused(token.text, CredentialsError)

    assert "for audience ''" in error.message
    assert error.detail == "400: non-empty audience parameter required"
    token.close()


def test_an_address_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(StoreError, match="metadata server at a b has no valid address"):
        IdentityToken("a b", "sluice", wanted_by="SLUICE_X")
