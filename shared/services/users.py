"""Users: who they are, by their ids."""

from collections.abc import Iterable

from shared.errors import NotFoundError
from shared.model.user import User
from shared.services.context import Context
from shared.services.tokens import FIRST_USER


def first(ctx: Context) -> User:
    """The admin who came with the server."""
    stored = ctx.users.get(FIRST_USER)
    if stored is None:
        raise NotFoundError("There is no first user: the server has not been started on this store yet.")
    return stored.value


def named(ctx: Context, ids: Iterable[int], caller: User) -> dict[int, User]:
    """The users of these ids, without those that are not there; reads nobody if they are all the caller."""
    others = sorted({*ids} - {caller.id})
    found = [stored.value for stored in ctx.users.get_many(others) if stored is not None]
    return {user.id: user for user in [caller, *found]}
