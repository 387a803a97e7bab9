"""Users: make, find, edit, and take their access away."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from shared.errors import CommitRefusedError, CommitUnknownError, ForbiddenError, InvalidInputError, NotFoundError
from shared.log import logger
from shared.model.user import User, clean_user
from shared.ports import Delete
from shared.records.collection import Stored
from shared.records.storages import next_id
from shared.services.accounts.tokens import FIRST_USER
from shared.services.context import Context

RETRIES = 20
MAX_READ = 500
UNKNOWN = "No User matches the given query."


def first(ctx: Context) -> User:
    """The admin who came with the server."""
    stored = ctx.users.get(FIRST_USER)
    if stored is None:
        raise NotFoundError("There is no first user: the server has not been started on this store yet.")
    return stored.value


def named(ctx: Context, ids: Iterable[int], caller: User, *, project: int | None = None) -> dict[int, User]:
    """The users of these ids, without those that are not there; reads nobody if they are all the caller.

    Members learn the names only of those who may see the `project` too: anybody can write an id into an annotation.
    """
    others = sorted({*ids} - {caller.id})
    slices = (others[at : at + MAX_READ] for at in range(0, len(others), MAX_READ))
    found = [stored.value for some in slices for stored in ctx.users.get_many(some) if stored is not None]
    known = [user for user in found if caller.admin or project is None or user.may_see(project)]
    return {user.id: user for user in [caller, *known]}


def visible(ctx: Context, caller: User) -> list[User]:
    """Who is there for the caller: for an admin everybody active, for a member they themselves."""
    return ctx.users.active() if caller.admin else [caller]


def find(ctx: Context, number: int, *, caller: User) -> User:
    """An active user, if the caller may see them. Raises `NotFoundError`, else and for an unknown one alike."""
    if number == caller.id:
        return caller
    return _stored(ctx, number if caller.admin else 0).value


def create(ctx: Context, given: Mapping[str, Any]) -> User:
    """Makes a user, who has no token yet. Raises `InvalidInputError`."""
    values = clean_user(given, partial=False, max_projects=ctx.settings.max_member_projects)
    values["username"] = values.get("username") or values["email"].partition("@")[0]
    _check_projects(ctx, values.get("projects", frozenset()))
    if ctx.users.count() >= ctx.settings.max_users:
        raise InvalidInputError(f"There can be {ctx.settings.max_users} users (SLUICE_MAX_USERS): delete one first.")
    _check_email(ctx, values["email"])
    user = User(id=next_id(ctx.documents, "users"), created_at=ctx.clock(), **values)
    for _ in range(RETRIES):
        try:
            ctx.documents.commit([ctx.users.create(user.id, user), ctx.users.claim(user.email, user.id)])
        except (CommitRefusedError, CommitUnknownError):
            if ctx.users.get(user.id) is None:
                _check_email(ctx, user.email)
                continue
        logger.info("user created", action="user.create", user=user.id, role=user.role)
        return user
    raise CommitRefusedError("users are being changed by others; try again")


def update(ctx: Context, number: int, given: Mapping[str, Any], *, caller: User) -> User:
    """Edits a user whom the caller may see. Raises `NotFoundError`, `InvalidInputError`, `ForbiddenError`.

    Role and projects are for admins to give, and count from the user's next request on.
    """
    values = clean_user(given, partial=True, max_projects=ctx.settings.max_member_projects)
    for _ in range(RETRIES):
        stored = _stored(ctx, number)
        user = replace(stored.value, **values)
        if user.email.casefold() != stored.value.email.casefold():
            raise InvalidInputError.of("email", "An e-mail address can't be changed: make another user.")
        if (user.role, user.projects) != (stored.value.role, stored.value.projects) and not caller.admin:
            raise ForbiddenError("You do not have permission to change a role or projects: only an admin has.")
        if number == FIRST_USER and not user.admin:
            raise InvalidInputError.of("role", "The first user, whose token comes with the server, stays an admin.")
        if user == stored.value:
            return user
        _check_projects(ctx, user.projects - stored.value.projects)
        try:
            ctx.documents.commit([ctx.users.update(stored, user)])
        except (CommitRefusedError, CommitUnknownError):
            continue
        logger.info("user edited", action="user.edit", user=number, fields=sorted(values), by=caller.id)
        return user
    raise CommitRefusedError(f"user {number} is being changed by others; try again")


def deactivate(ctx: Context, number: int) -> None:
    """Takes a user's access away: their tokens are worthless at once, their address is free. Their name stays known.

    Raises `NotFoundError`, `ForbiddenError` for the first user.
    """
    if number == FIRST_USER:
        raise ForbiddenError("The first user, whose token comes with the server, can't be deleted.")
    tried = False
    for _ in range(RETRIES):
        try:
            stored = _stored(ctx, number)
        except NotFoundError:
            if tried:
                return  # by the commit whose answer was lost
            raise
        tried = True
        held = [Delete(token.ref, None) for token in ctx.tokens.of_user(number)]
        gone = ctx.users.update(stored, replace(stored.value, active=False))
        try:
            ctx.documents.commit([gone, Delete(ctx.users.email_ref(stored.value.email), None), *held])
        except (CommitRefusedError, CommitUnknownError):
            continue
        logger.info("user deleted", action="user.delete", user=number, tokens=len(held))
        return
    raise CommitRefusedError(f"user {number} is being changed by others; try again")


def _stored(ctx: Context, number: int) -> Stored[User]:
    stored = ctx.users.get(number)
    if stored is None or not stored.value.active:
        raise NotFoundError(UNKNOWN)
    return stored


def _check_email(ctx: Context, email: str) -> None:
    if ctx.users.of_email(email) is not None:
        raise InvalidInputError.of("email", "user with this email address already exists.")


def _check_projects(ctx: Context, numbers: Iterable[int]) -> None:
    """Raises `InvalidInputError` if one of them is not there."""
    wanted = sorted(numbers)
    for at in range(0, len(wanted), MAX_READ):
        page = wanted[at : at + MAX_READ]
        for number, found in zip(page, ctx.projects.get_many(page), strict=True):
            if found is None:
                raise InvalidInputError.of("projects", f'Invalid pk "{number}" - object does not exist.')
