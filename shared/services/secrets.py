"""Credentials at rest: encrypted with Fernet, under a key from the settings or from a file made once."""

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Mapping

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.errors import CredentialsError
from shared.settings import Settings

KEY_FILE = "secret.key"
MASK = "***"
SHORTEST_MASKED = 4
"""Shorter values are left alone: masking them would only spoil the text around."""


class Vault:
    """Encrypts and decrypts the secret fields of storages, and derives keys for other purposes.

    The first key encrypts; each of them decrypts, so that one can replace another.
    """

    def __init__(self, *keys: bytes) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._keys = [base64.urlsafe_b64decode(key) for key in keys]

    @classmethod
    def throwaway(cls) -> "Vault":
        """A vault whose key nobody keeps."""
        return cls(Fernet.generate_key())

    @classmethod
    def of(cls, settings: Settings) -> "Vault":
        """The vault of `secret_key`, or of the key file in the data directory, which is made if it is not there."""
        key = settings.secret_key or private_file(
            os.path.join(settings.data_dir, KEY_FILE), lambda: Fernet.generate_key().decode()
        )
        try:
            return cls(*(one.strip().encode() for one in key.split(",")))
        except ValueError:
            where = "SLUICE_SECRET_KEY" if settings.secret_key else os.path.join(settings.data_dir, KEY_FILE)
            text = f"{where} is no Fernet key: write 32 bytes as URL-safe base64, several with commas between."
            raise ValueError(text) from None

    def seal(self, values: Mapping[str, str]) -> bytes:
        """Encrypts a storage's secrets; empty ones are left out."""
        kept = {name: value for name, value in values.items() if value}
        return self._fernet.encrypt(orjson.dumps(kept)) if kept else b""

    def open(self, sealed: bytes) -> dict[str, str]:
        """The secrets again. Raises `CredentialsError` if they were encrypted under another key."""
        if not sealed:
            return {}
        try:
            opened: dict[str, str] = orjson.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise CredentialsError(
                "The stored credentials can't be read with this server's key. Enter them again, or restore the key."
            ) from None
        return opened

    def derived(self, label: str) -> list[bytes]:
        """Keys of 32 bytes for another purpose, one of each key: of the same label always the same."""
        return [hmac.digest(key, label.encode(), hashlib.sha256) for key in self._keys]


def masked(text: str, values: Mapping[str, str]) -> str:
    """The text without the secrets: a second line of defence behind the adapters, who never let one in."""
    for value in sorted(values.values(), key=len, reverse=True):
        if len(value) >= SHORTEST_MASKED:
            text = text.replace(value, MASK)
    return text


def private_file(path: str, make: Callable[[], str]) -> str:
    """The content of a file only its owner can read; made with `make` if it is not there, by one process alone."""
    while True:
        try:
            with open(path, encoding="ascii") as file:
                return file.read().strip()
        except FileNotFoundError:
            pass
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        temporary = f"{path}.{secrets.token_hex(6)}"
        try:
            # Written whole before it gets its name, and the name is taken only if it is free.
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(make() + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)
        except FileExistsError:
            continue
        finally:
            if os.path.exists(temporary):
                os.unlink(temporary)
