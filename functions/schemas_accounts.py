"""The shapes of users and tokens for the documentation at /docs; see `schemas`."""

from typing import Literal

from pydantic import Field

from functions.schemas import Moment, Shape, example


class UserIn(Shape):
    """Fields of a user."""

    model_config = example(email="ann@example.org", first_name="Ann", role="member", projects=[1])
    email: str | None = Field(None, description="Needed to make one, fixed afterwards. No two users have the same.")
    username: str | None = Field(None, description="Without it: what the address begins with.")
    first_name: str | None = Field(None, description="First name.")
    last_name: str | None = Field(None, description="Last name.")
    role: Literal["admin", "member"] | None = Field(None, description="Members see only their projects.")
    projects: list[int] | None = Field(None, description="Ids of a member's projects.")


class UserEdit(UserIn):
    """Fields of a user to change; the address may only be repeated."""

    model_config = example(first_name="Ann", last_name="Other")


class OrganizationOut(Shape):
    """This server."""

    title: str = Field(description="Always Sluice.")
    email: str = Field(description="The user's own address.")


class UserOut(Shape):
    """A user."""

    id: int = Field(description="Id of the user.")
    first_name: str = Field(description="First name.")
    last_name: str = Field(description="Last name.")
    username: str = Field(description="What they are called in lists.")
    email: str = Field(description="Address; no two users have the same.")
    last_activity: None = Field(description="Always null.")
    avatar: None = Field(description="Always null.")
    initials: str = Field(description="Of the names, or the first letters of the username.")
    phone: str = Field(description="Always empty.")
    active_organization: int = Field(description="Always 1.")
    active_organization_meta: OrganizationOut = Field(description="This server, as an organization.")
    allow_newsletters: bool = Field(description="Always false.")
    date_joined: Moment = Field(description="When the user was made.")
    role: Literal["admin", "member"] = Field(description="Admins may do everything, members what is in their projects.")
    projects: list[int] = Field(description="Ids of a member's projects.")


class TokenIn(Shape):
    """Whom a token is for."""

    model_config = example(user=1)
    user: int | None = Field(None, description="Id of another user, for admins. Without it: the caller.")


class TokenOut(Shape):
    """A refresh token; whole only in the answer to its creation."""

    id: str = Field(description="What names it, where the token itself is lost.")
    token: str = Field(description="The token; in lists without its signature, so that it can't be used.")
    created_at: Moment = Field(description="When it was made.")
    expires_at: Moment = Field(description="When it ceases to be good.")


class RefreshIn(Shape):
    """A refresh token."""

    model_config = example(refresh="eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl")
    refresh: str = Field(description="The token, whole.")


class Refresh(Shape):
    """A new refresh token."""

    refresh: str = Field(description="The token.")


class Access(Shape):
    """An access token."""

    access: str = Field(description="For `Authorization: Bearer ...`, five minutes long.")


class LegacyToken(Shape):
    """A token that has no end."""

    token: str = Field(description="For `Authorization: Token ...`. It is shown this once.")
