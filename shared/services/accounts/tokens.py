"""Whose a token is. Tokens are kept as hashes; role and projects of their user are read at each use.

A legacy token is 40 hex digits and good until it is removed. A refresh token is signed, expires, can be revoked, and
is exchanged for access tokens, which are signed too, kept nowhere, and good for five minutes.
"""

import os
import secrets

from shared.errors import AuthenticationError, CommitRefusedError, CommitUnknownError
from shared.model.user import Token, User
from shared.ports import Create, Delete, DocumentStore, Ref, Write
from shared.records.schema import Schemas
from shared.records.users import Tokens, Users
from shared.services.accounts import jwts
from shared.services.context import Context
from shared.services.secrets import private_file
from shared.settings import Settings

TOKEN_FILE = "token"  # noqa: S105  a file's name
FIRST_USER = 1
ACCESS_SECONDS = 300
RETRIES = 20
INVALID = "Invalid token."
INACTIVE = "User inactive or deleted."
REVOKED = "Token is revoked"


def first_token(settings: Settings) -> str:
    """The first user's token: from the settings, or from a file in the data directory, made once."""
    if settings.token:
        return settings.token
    return private_file(os.path.join(settings.data_dir, TOKEN_FILE), lambda: secrets.token_hex(20))


def admit_first(documents: DocumentStore, token: str, now: float) -> None:
    """Makes `token` the first user's, who is an admin, and an earlier first token worthless.

    Processes that start together may call it at the same time.
    """
    tokens, users = Tokens(documents), Users(documents)
    wanted = tokens.digest(token)
    for _ in range(RETRIES):
        held = tokens.first()
        writes: list[Write] = [Delete(stored.ref, None) for stored in held if stored.ref.id != wanted]
        if len(writes) == len(held):
            writes.append(tokens.create(wanted, Token(user=FIRST_USER, first=True, created_at=now)))
        if users.get(FIRST_USER) is None:
            admin = User(id=FIRST_USER, email="admin@localhost", username="admin", role="admin", created_at=now)
            writes += [users.create(FIRST_USER, admin), users.claim(admin.email, FIRST_USER)]
            counter = Ref("counters", users.name)
            if documents.get(counter) is None:
                writes.append(Create(counter, {"value": FIRST_USER}))
            schemas = Schemas(documents)
            if schemas.current() is None:  # nothing is here yet, so nothing is of an earlier release
                writes.append(schemas.of_new())
        if not writes:
            return
        try:
            documents.commit(writes)
        except (CommitRefusedError, CommitUnknownError):
            continue  # another process that starts was faster, or the answer was lost
        return
    raise CommitRefusedError("the first token is being changed by others; start again")


def user_of(ctx: Context, token: str) -> User:
    """The user of a legacy or an access token. Raises `AuthenticationError`."""
    return user_of_access(ctx, token) if jwts.looks_like(token) else user_of_legacy(ctx, token)


def user_of_legacy(ctx: Context, token: str) -> User:
    """The user of a legacy token. Raises `AuthenticationError`."""
    held = ctx.tokens.get(ctx.tokens.digest(token))
    if held is None or held.value.kind != "legacy":
        raise AuthenticationError(INVALID)
    return active(ctx, held.value.user)


def user_of_access(ctx: Context, token: str) -> User:
    """The user of an access token. Raises `AuthenticationError`."""
    return active(ctx, jwts.verify(ctx.vault, token, "access", ctx.clock()).user)


def access(ctx: Context, refresh: str) -> str:
    """An access token for a refresh token that is neither revoked nor expired. Raises `AuthenticationError`."""
    now = ctx.clock()
    claims = jwts.verify(ctx.vault, refresh, "refresh", now)
    held = ctx.tokens.get(ctx.tokens.digest(refresh))
    if held is None or held.value.kind != "refresh":
        raise AuthenticationError(REVOKED)
    user = active(ctx, claims.user)
    issued = int(now)
    return jwts.issue(ctx.vault, jwts.Claims("access", user.id, secrets.token_hex(16), issued, issued + ACCESS_SECONDS))


def active(ctx: Context, number: int) -> User:
    """The user of that id. Raises `AuthenticationError` if they have no access any more."""
    stored = ctx.users.get(number)
    if stored is None or not stored.value.active:
        raise AuthenticationError(INACTIVE)
    return stored.value
