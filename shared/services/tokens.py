"""API tokens: stored hashed, so that who reads the database can't use them."""

import hashlib
import os
import secrets
from dataclasses import dataclass

from shared.errors import AuthenticationError, CommitRefusedError
from shared.ports import Create, Delete, DocumentStore, Filter, Query, Ref, Value, Write
from shared.records.storages import tokens_of
from shared.services.secrets import private_file
from shared.settings import Settings

COLLECTION = "tokens"
TOKEN_FILE = "token"  # noqa: S105  a file's name
FIRST_USER = 1


@dataclass(frozen=True, slots=True)
class User:
    """Who calls."""

    id: int
    email: str
    username: str
    created_at: float


def first_token(settings: Settings) -> str:
    """The first user's token: from the settings, or from a file in the data directory, made once."""
    if settings.token:
        return settings.token
    return private_file(os.path.join(settings.data_dir, TOKEN_FILE), lambda: secrets.token_hex(20))


def admit_first(documents: DocumentStore, token: str, now: float) -> None:
    """Makes `token` the first user's, and an earlier first token worthless."""
    wanted = _ref(token)
    held = documents.query(Query(collection=COLLECTION, where=(Filter("first", "==", True),), select=()))
    writes: list[Write] = [Delete(document.ref, None) for document in held if document.ref != wanted]
    if len(writes) == len(held):
        user: dict[str, Value] = {
            "user": FIRST_USER,
            "email": "admin@localhost",
            "username": "admin",
            "created_at": now,
            "first": True,
        }
        writes.append(Create(wanted, user))
    if writes:
        try:
            documents.commit(writes)
        except CommitRefusedError:
            if documents.get(wanted) is None:
                raise  # else another process that starts was faster


def user_of(documents: DocumentStore, token: str) -> User:
    """The user of a token. Raises `AuthenticationError`."""
    found = tokens_of(documents, _ref(token).id)
    if found is None:
        raise AuthenticationError("Invalid token.")
    return User(int(found["user"]), str(found["email"]), str(found["username"]), float(found["created_at"]))


def _ref(token: str) -> Ref:
    return Ref(COLLECTION, hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest())
