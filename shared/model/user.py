"""A user: who calls the API, and what of it they may see. And the tokens they prove it with."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["admin", "member"]
TokenKind = Literal["legacy", "refresh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Admins may do everything; members everything within their projects, and nothing outside."""

    id: int
    email: str
    username: str
    first_name: str = ""
    last_name: str = ""
    role: Role = "member"
    projects: frozenset[int] = frozenset()
    """Of a member. Admins need none; ids of projects that were deleted may stay."""
    active: bool = True
    """False: none of the user's tokens is good."""
    created_at: float

    @property
    def admin(self) -> bool:
        """Whether the user may do everything."""
        return self.role == "admin"

    def may_see(self, project: int) -> bool:
        """Whether the project, if it exists, is there for this user."""
        return self.admin or project in self.projects


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is kept of a token that was given out; the token itself is not."""

    user: int
    kind: TokenKind = "legacy"
    first: bool = False
    """The one that comes with the server: its settings or its data directory hold it."""
    created_at: float
    expires_at: float | None = None
    """None: never."""
