"""Giving tokens out, and taking them back. A token is shown once, by the call that makes it."""

import secrets
from collections.abc import Callable
from typing import NamedTuple

from shared.errors import (
    AuthenticationError,
    CommitRefusedError,
    CommitUnknownError,
    InvalidInputError,
    NotFoundError,
)
from shared.log import logger
from shared.model.user import Token, User
from shared.ports import Create, Delete, Update, Write
from shared.records.collection import Stored
from shared.services.accounts import jwts, tokens
from shared.services.context import Context

RETRIES = 20
UNKNOWN = "Token is not known, or revoked already."
LEGACY_BYTES, NAME_BYTES = 20, 16


class Issued(NamedTuple):
    """A refresh token, and what is kept of it. Of a listed one the signature is left out, which makes it worthless."""

    token: str
    about: Token


def new_refresh(ctx: Context, user: User) -> Issued:
    """A refresh token for the user, beside others they have. Raises `InvalidInputError` if they have too many."""
    made = _signed(ctx, user.id)

    def writes(held: list[Stored[Token]]) -> list[Write]:
        if sum(one.value.kind == "refresh" for one in held) >= ctx.settings.max_tokens:
            raise InvalidInputError(f"A user can have {ctx.settings.max_tokens} refresh tokens: revoke one first.")
        return [_create(ctx, made)]

    _commit(ctx, user.id, made.token, writes)
    logger.info("token created", action="token.create", user=user.id, token=made.about.jti)
    return made


def reset_legacy(ctx: Context, user: User) -> str:
    """A new legacy token for the user; the one they had is worthless at once.

    The token that comes with the server stays good: the settings say it anew at each start.
    """
    token = secrets.token_hex(LEGACY_BYTES)

    def writes(held: list[Stored[Token]]) -> list[Write]:
        old = [one for one in held if one.value.kind == "legacy" and not one.value.first]
        about = Token(user=user.id, created_at=ctx.clock())
        return [*(Delete(one.ref, None) for one in old), ctx.tokens.create(ctx.tokens.digest(token), about)]

    _commit(ctx, user.id, token, writes)
    logger.info("token reset", action="token.reset", user=user.id)
    return token


def listed(ctx: Context, user: int) -> list[Issued]:
    """A user's refresh tokens that are good, oldest first, without their signatures."""
    now = ctx.clock()
    held = [stored.value for stored in ctx.tokens.of_user(user)]
    good = [about for about in held if about.kind == "refresh" and (about.expires_at or 0) > now]
    good.sort(key=lambda about: (about.created_at, about.jti))
    return [Issued(_token(ctx, about).rpartition(".")[0], about) for about in good]


def revoke(ctx: Context, token: str, *, by: User) -> None:
    """Makes a refresh token worthless. Raises `NotFoundError` if it is not the caller's, unless an admin calls."""
    _revoke(ctx, ctx.tokens.get(ctx.tokens.digest(token)), by)


def revoke_named(ctx: Context, jti: str, *, by: User) -> None:
    """The same by the token's name, for one that is lost."""
    _revoke(ctx, ctx.tokens.named(jti), by)


def rotate(ctx: Context, token: str, *, by: User) -> Issued:
    """A new refresh token in place of one that is good; of several callers at once one gets it.

    Raises `InvalidInputError`.
    """
    try:
        claims = jwts.verify(ctx.vault, token, "refresh", ctx.clock())
        user = tokens.active(ctx, claims.user)
    except AuthenticationError as error:
        raise InvalidInputError.of("refresh", error.message) from None
    held = ctx.tokens.get(ctx.tokens.digest(token))
    if held is None or not _may_revoke(held, by):
        raise InvalidInputError.of("refresh", UNKNOWN)
    made = _signed(ctx, user.id)
    try:
        ctx.documents.commit([held.delete, _create(ctx, made)])
    except CommitRefusedError:
        raise InvalidInputError.of("refresh", UNKNOWN) from None
    except CommitUnknownError:
        if ctx.tokens.get(ctx.tokens.digest(made.token)) is None:
            raise
    logger.info("token rotated", action="token.rotate", user=user.id, token=made.about.jti)
    return made


def forget_expired(ctx: Context, limit: int) -> int:
    """Removes at most `limit` (a commit's worth) of the tokens whose time is over; returns how many."""
    over = ctx.tokens.expired(ctx.clock(), limit)
    if over:
        ctx.documents.commit([Delete(stored.ref, None) for stored in over])
    return len(over)


def _signed(ctx: Context, user: int) -> Issued:
    """A new refresh token; it is good once `_create` is committed."""
    now = ctx.clock()
    expires = float(int(now + ctx.settings.refresh_token_days * 86_400))
    jti = secrets.token_hex(NAME_BYTES)
    about = Token(user=user, kind="refresh", jti=jti, created_at=now, expires_at=expires)
    return Issued(_token(ctx, about), about)


def _token(ctx: Context, about: Token) -> str:
    claims = jwts.Claims("refresh", about.user, about.jti, int(about.created_at), int(about.expires_at or 0))
    return jwts.issue(ctx.vault, claims)


def _create(ctx: Context, made: Issued) -> Create:
    return ctx.tokens.create(ctx.tokens.digest(made.token), made.about)


def _commit(ctx: Context, user: int, token: str, writes: Callable[[list[Stored[Token]]], list[Write]]) -> None:
    """Commits a new token with its user, which orders it against others of theirs and against their removal."""
    digest = ctx.tokens.digest(token)
    for _ in range(RETRIES):
        stored = ctx.users.get(user)
        if stored is None or not stored.value.active:
            raise AuthenticationError(tokens.INACTIVE)
        newest = Update(stored.ref, {"newest_token": digest}, stored.revision)
        try:
            ctx.documents.commit([newest, *writes(ctx.tokens.of_user(user))])
        except (CommitRefusedError, CommitUnknownError):
            if ctx.tokens.get(digest) is None:
                continue
        return
    raise CommitRefusedError(f"the tokens of user {user} are being changed by others; try again")


def _revoke(ctx: Context, held: Stored[Token] | None, by: User) -> None:
    if held is None or not _may_revoke(held, by):
        raise NotFoundError(UNKNOWN)
    try:
        ctx.documents.commit([held.delete])
    except CommitRefusedError:
        raise NotFoundError(UNKNOWN) from None
    except CommitUnknownError:
        if ctx.tokens.get(held.ref.id) is not None:
            raise
    logger.info("token revoked", action="token.revoke", user=held.value.user, token=held.value.jti)


def _may_revoke(held: Stored[Token], by: User) -> bool:
    return held.value.kind == "refresh" and (by.admin or by.id == held.value.user)
