"""Users, their e-mail addresses, and their tokens under the hashes of these."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from shared.model.user import Token, User
from shared.ports import Create, DocumentStore, Ref
from shared.records.collection import Collection, Stored

MAX_READ = 500
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

    def active(self) -> list[User]:
        """All active users, by id; read in pages."""
        found: list[Stored[User]] = []
        page = self.find(("active", "==", True), limit=MAX_READ)
        while page:
            found += page
            more = len(page) == MAX_READ
            page = self.find(("active", "==", True), after=(page[-1].ref.id,), limit=MAX_READ) if more else []
        return sorted((stored.value for stored in found), key=lambda user: user.id)

    def count(self) -> int:
        """How many users are active."""
        return self.documents.count(self.query(("active", "==", True)))

    def of_email(self, email: str) -> int | None:
        """The id of the active user who has the address."""
        found = self.documents.get(self.email_ref(email))
        return int(found.data["user"]) if found else None

    def claim(self, email: str, user: int) -> Create:
        """Part of the commit that makes a user: the address is theirs, or the commit is refused."""
        return Create(self.email_ref(email), {"user": user})

    @staticmethod
    def email_ref(email: str) -> Ref:
        """Names the document that an address has while a user has it. Hashed: an id can't hold every character."""
        return Ref("emails", hashlib.sha256(email.casefold().encode()).hexdigest())


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

    def of_user(self, user: int) -> list[Stored[Token]]:
        """A user's tokens of every kind."""
        return self.find(("user", "==", user), limit=MAX_READ)

    def named(self, jti: str) -> Stored[Token] | None:
        """The refresh token of that name."""
        found = self.find(("jti", "==", jti), ("kind", "==", "refresh"), limit=1)
        return found[0] if found else None

    def expired(self, now: float, limit: int) -> list[Stored[Token]]:
        """Tokens whose time is over, those that ended first first."""
        return self.find(("expires_at", "<=", now), order=("expires_at",), limit=limit)
