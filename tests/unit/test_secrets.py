"""Credentials at rest."""

import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from shared.errors import AuthenticationError, CredentialsError
from shared.services.accounts.jwts import Claims, issue, verify
from shared.services.secrets import Vault, masked, private_file
from shared.settings import Settings

SECRETS = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "s/e+c=r é"}


def test_sealed_and_opened():
    vault = Vault.throwaway()
    sealed = vault.seal({**SECRETS, "empty": ""})
    assert vault.open(sealed) == SECRETS
    assert b"AKIA" not in sealed
    assert vault.seal(SECRETS) != sealed
    assert vault.seal({"empty": ""}) == b""
    assert vault.open(b"") == {}


def test_another_key_says_what_to_do():
    with pytest.raises(CredentialsError, match="Enter them again"):
        Vault.throwaway().open(Vault.throwaway().seal(SECRETS))


def test_one_key_replaces_another():
    """First the new key is known everywhere, then it encrypts: nothing that is stored is unreadable at any time."""
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    before, meanwhile, after = (Vault.of(Settings(secret_key=key)) for key in (old, f"{old},{new}", f"{new}, {old}"))
    claims = Claims("refresh", 7, "id", 1_000, 2_000)

    assert SECRETS == after.open(before.seal(SECRETS)) == meanwhile.open(after.seal(SECRETS))
    assert SECRETS == Vault(new.encode()).open(after.seal(SECRETS))
    assert claims == verify(after, issue(before, claims), "refresh", 1_500)
    assert claims == verify(meanwhile, issue(after, claims), "refresh", 1_500)
    with pytest.raises(AuthenticationError):
        verify(before, issue(after, claims), "refresh", 1_500)


def test_the_key_is_given_or_kept_in_a_file(tmp_path: Path):
    key = Fernet.generate_key().decode()
    given = Vault.of(Settings(secret_key=key, data_dir=str(tmp_path)))
    assert not list(tmp_path.iterdir())
    assert Vault(key.encode()).open(given.seal(SECRETS)) == SECRETS
    kept = Settings(data_dir=str(tmp_path / "new"))
    assert Vault.of(kept).open(Vault.of(kept).seal(SECRETS)) == SECRETS


def test_a_key_that_is_none_is_named_and_not_shown(tmp_path: Path):
    with pytest.raises(ValueError, match="SLUICE_SECRET_KEY is no Fernet key") as raised:
        Vault.of(Settings(secret_key="hunter2"))
    assert "hunter2" not in str(raised.value)
    (tmp_path / "secret.key").write_text("hunter2")
    with pytest.raises(ValueError, match=r"secret\.key is no Fernet key"):
        Vault.of(Settings(data_dir=str(tmp_path)))


def test_a_private_file_is_made_by_one(tmp_path: Path):
    barrier = threading.Barrier(8)
    read: list[str] = []

    def make(number: int) -> None:
        barrier.wait(10)
        read.append(private_file(str(tmp_path / "deep" / "file"), lambda: str(number)))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == 8
    assert len(set(read)) == 1
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["file"]


def test_masked():
    assert masked("key s/e+c=r é of AKIA", SECRETS) == "key *** of ***"
    assert masked("a bad day", {"x": "a"}) == "a bad day"
