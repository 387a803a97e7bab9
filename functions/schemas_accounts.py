"""The shapes of users and tokens for the documentation at /docs; see `schemas`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class UserIn(BaseModel):
    """Fields of a user."""

    email: str | None = Field(None, description="Needed to make one, fixed afterwards. No two users have the same.")
    username: str | None = Field(None, description="Without it: what the address begins with.")
    first_name: str | None = None
    last_name: str | None = None
    role: Literal["admin", "member"] | None = Field(None, description="Members see only their projects.")
    projects: list[int] | None = Field(None, description="Ids of a member's projects.")


class UserOut(BaseModel):
    """A user; there are more fields, as in Label Studio."""

    model_config = ConfigDict(extra="allow")
    id: int
    email: str
    username: str
    first_name: str
    last_name: str
    role: Literal["admin", "member"]
    projects: list[int]
    date_joined: str


class TokenIn(BaseModel):
    """Whom a token is for."""

    user: int | None = Field(None, description="For admins. Without it: the caller.")


class TokenOut(BaseModel):
    """A refresh token; whole only in the answer to its creation."""

    id: str
    token: str
    created_at: str
    expires_at: str


class RefreshIn(BaseModel):
    """A refresh token."""

    refresh: str


class Refresh(BaseModel):
    """A new refresh token."""

    refresh: str


class Access(BaseModel):
    """An access token for `Authorization: Bearer ...`."""

    access: str
