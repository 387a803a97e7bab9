"""Users, and their tokens under the hashes of these."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from shared.model.user import Token, User
from shared.ports import DocumentStore
from shared.records.collection import Collection, Stored

_USER = tuple(field.name for field in fields(User) if field.name not in {"id", "projects"})
_TOKEN = tuple(field.name for field in fields(Token))


def _encode_user(user: User) -> dict[str, Any]:
    return {name: getattr(user, name) for name in _USER} | {"projects": sorted(user.projects)}


def _decode_user(id: str, data: Mapping[str, Any]) -> User:  # noqa: A002
    plain = {name: data[name] for name in _USER if name in data}
    return User(id=int(id), projects=frozenset(data.get("projects", ())), **plain)


class Users(Collection[User]):
    """Everybody who ever had access; who has it no longer is not active."""

    def __init__(self, documents: DocumentStore) -> None:
        super().__init__(documents, "users", _encode_user, _decode_user)


class Tokens(Collection[Token]):
    """Tokens; a document's id is the token's `digest`, so who reads the database can't use it."""

    def __init__(self, documents: DocumentStore) -> None:
        super().__init__(
            documents,
            "tokens",
            lambda token: {name: getattr(token, name) for name in _TOKEN},
            lambda _id, data: Token(**{name: data[name] for name in _TOKEN if name in data}),
        )

    @staticmethod
    def digest(token: str) -> str:
        """Under what a token is kept; any text has one."""
        return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

    def first(self) -> list[Stored[Token]]:
        """The token that comes with the server; more than one only while several processes start."""
        return self.find(("first", "==", True))
