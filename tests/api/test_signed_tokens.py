"""Refresh and access tokens: good for what they are for, while they are, and never kept."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jwt
import pytest

from shared.errors import AuthenticationError
from shared.services.accounts import issuing, jwts, tokens, users
from shared.services.secrets import Vault
from shared.settings import Settings
from tests.api.client import TOKEN, Api

NOT_VALID = "Given token not valid for any token type"


@pytest.fixture
def refresh(api: Api) -> str:
    return issuing.new_refresh(api.ctx, users.first(api.ctx)).token


def bearer(api: Api, token: str, status: int = 200, header: str = "Authorization") -> dict:
    api.http.headers.pop("Authorization", None)
    value = f"Bearer {token}" if header == "Authorization" else token
    answer: dict = api.get("/api/current-user/whoami", status, headers={header: value})
    return answer


def test_an_access_token_is_its_users(api: Api, refresh: str):
    access = tokens.access(api.ctx, refresh)
    assert bearer(api, access)["id"] == bearer(api, access, header="X-API-Key")["id"] == 1
    said = jwt.decode(access, options={"verify_signature": False})
    assert set(said) == {"token_type", "exp", "iat", "jti", "user_id"}
    assert (said["token_type"], said["user_id"], said["exp"] - said["iat"]) == ("access", "1", 300)
    longer = jwt.decode(refresh, options={"verify_signature": False})
    assert (longer["token_type"], longer["exp"] - longer["iat"]) == ("refresh", 3650 * 86_400)
    assert longer["jti"] != said["jti"]


def test_it_ends_with_its_time(api: Api, refresh: str):
    access = tokens.access(api.ctx, refresh)
    ends = jwt.decode(access, options={"verify_signature": False})["exp"]
    for now, status in ((ends - 1, 200), (ends, 401)):
        api.ctx.clock = lambda now=now: now  # type: ignore[misc]
        answer = bearer(api, access, status)
    assert answer["detail"] == "Token is expired"
    api.ctx.clock = lambda: time.time() + 3651 * 86_400
    with pytest.raises(AuthenticationError, match="expired"):
        tokens.access(api.ctx, refresh)


def test_neither_is_taken_for_the_other(api: Api, refresh: str):
    assert "exchanged" in bearer(api, refresh, 401)["detail"]
    assert "exchanged" in bearer(api, refresh, 401, "X-API-Key")["detail"]
    api.get("/api/current-user/whoami", 401, headers={"Authorization": f"Token {refresh}"})
    access = tokens.access(api.ctx, refresh)
    with pytest.raises(AuthenticationError, match="a refresh token is needed"):
        tokens.access(api.ctx, access)
    for wrong in (TOKEN, "", "nonsense", "a.b.c"):
        with pytest.raises(AuthenticationError, match=NOT_VALID):
            tokens.access(api.ctx, wrong)


def test_a_revoked_one_gives_no_more(api: Api, refresh: str):
    api.ctx.documents.commit([tokens.Delete(api.ctx.tokens.ref(api.ctx.tokens.digest(refresh)), None)])
    with pytest.raises(AuthenticationError, match="revoked"):
        tokens.access(api.ctx, refresh)


def resigned(change: Callable[[dict], None], algorithm: str = "HS256") -> Callable[[Vault, str], str]:
    """The same token with other claims, under the right key."""

    def forge(vault: Vault, token: str) -> str:
        said = jwt.decode(token, options={"verify_signature": False})
        change(said)
        return jwt.encode(said, vault.derived(jwts.KEY_LABEL)[0] if algorithm != "none" else None, algorithm=algorithm)

    return forge


FORGED: dict[str, Callable[[Vault, str], str]] = {
    "unsigned": resigned(lambda said: None, "none"),
    "another algorithm": resigned(lambda said: None, "HS384"),
    "another key": lambda _vault, token: resigned(lambda said: None)(Vault.throwaway(), token),
    "without its signature": lambda _vault, token: token[: token.rindex(".") + 1],
    "changed": lambda _vault, token: ".".join([*token.split(".")[:1], "e30", *token.split(".")[2:]]),
    "too long": lambda vault, token: resigned(lambda said: said.update(jti="x" * 2000))(vault, token),
    **{f"without {name}": resigned(lambda said, name=name: said.pop(name)) for name in jwts._CLAIMS},
    "a number for a user": resigned(lambda said: said.update(user_id=1)),
    "no number for a user": resigned(lambda said: said.update(user_id="../tokens/1")),
    "a text for a time": resigned(lambda said: said.update(exp=str(said["exp"]))),
    "a fraction for a time": resigned(lambda said: said.update(exp=said["exp"] + 0.5)),
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_one_is_refused(api: Api, refresh: str, name: str):
    access = tokens.access(api.ctx, refresh)
    assert resigned(lambda said: None)(api.ctx.vault, access) == access
    assert bearer(api, FORGED[name](api.ctx.vault, access), 401)["detail"] == NOT_VALID


def test_a_user_who_is_not_there_is_refused(api: Api, refresh: str):
    forged = resigned(lambda said: said.update(user_id="7"))(api.ctx.vault, tokens.access(api.ctx, refresh))
    assert bearer(api, forged, 401)["detail"] == "User inactive or deleted."


def test_processes_with_one_secret_key_agree_and_others_do_not(api: Api, refresh: str, tmp_path: Path):
    access = tokens.access(api.ctx, refresh)
    key = (Path(api.ctx.settings.data_dir) / "secret.key").read_text().strip()
    now = time.time()
    same = Vault.of(Settings(secret_key=key))
    assert jwts.verify(same, access, "access", now).user == 1
    with pytest.raises(AuthenticationError):
        jwts.verify(Vault.throwaway(), access, "access", now)
    assert same.derived("one purpose") != same.derived("another") != same.derived(jwts.KEY_LABEL)
    assert len(same.derived("one purpose")[0]) == 32


def test_none_is_kept(api: Api, refresh: str):
    """Neither whole nor the part that proves it."""
    access = tokens.access(api.ctx, refresh)
    legacy = issuing.reset_legacy(api.ctx, users.first(api.ctx))
    bearer(api, access)
    assert api.get("/api/current-user/whoami", headers={"Authorization": f"Token {legacy}"})["id"] == 1
    parts = [token.rpartition(".")[2].encode() for token in (refresh, access, legacy)]
    files = [file for file in Path(api.ctx.settings.data_dir).rglob("*") if file.is_file()]
    assert any(api.ctx.tokens.digest(refresh).encode() in file.read_bytes() for file in files)
    assert not [(file.name, part) for file in files for part in parts if part in file.read_bytes()]


def test_how_long_a_refresh_token_lasts_is_a_setting(api: Api):
    api.ctx.settings = replace(api.ctx.settings, refresh_token_days=0.5)
    said = jwts.verify(api.ctx.vault, issuing.new_refresh(api.ctx, users.first(api.ctx)).token, "refresh", time.time())
    assert said.expires_at - said.issued_at in {43_199, 43_200}
