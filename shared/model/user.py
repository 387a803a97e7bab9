"""A user: who calls the API, and what of it they may see. And the tokens they prove it with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.errors import InvalidInputError

Role = Literal["admin", "member"]
TokenKind = Literal["legacy", "refresh"]
ROLES = ("admin", "member")
MAX_EMAIL, MAX_NAME = 254, 150
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Admins may do everything; members everything within their projects, and nothing outside."""

    id: int
    email: str
    """No two active users have the same, however it is capitalised."""
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

    @property
    def signature(self) -> str:
        """What annotations name their author by: names, address and number."""
        name = f"{self.first_name} {self.last_name}".strip()
        return f"{name} {self.email}, {self.id}"

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
    jti: str = ""
    """Names a refresh token where it can't be shown; is one of its claims."""
    created_at: float
    expires_at: float | None = None
    """None: never."""


def clean_user(given: Mapping[str, Any], *, partial: bool, max_projects: int) -> dict[str, Any]:
    """The fields of a request, checked. Raises `InvalidInputError` naming every bad field."""
    values: dict[str, Any] = {}
    problems: dict[str, list[str]] = {}
    limits = {"email": MAX_EMAIL, "username": MAX_NAME, "first_name": MAX_NAME, "last_name": MAX_NAME}
    for name in limits.keys() & given.keys():
        value = "" if given[name] is None else given[name]
        if not isinstance(value, str) or not (value.isprintable() or not value):
            problems[name] = ["Not a valid string."]
        elif len(value) > limits[name]:
            problems[name] = [f"Ensure this field has no more than {limits[name]} characters."]
        else:
            values[name] = value.strip()
    if not partial and not values.get("email") and "email" not in problems:
        problems["email"] = ["This field is required."]
    elif "email" in values and not _EMAIL.fullmatch(values["email"]):
        problems["email"] = ["Enter a valid email address."]
    if "role" in given:
        values["role"] = given["role"]
        if given["role"] not in ROLES:
            problems["role"] = [f"Not a valid choice: write {' or '.join(ROLES)}."]
    if "projects" in given:
        try:
            values["projects"] = _projects(given["projects"], max_projects)
        except ValueError as error:
            problems["projects"] = [str(error)]
    if given.get("password"):
        problems["password"] = ["There are no passwords: a user is known by a token. Leave this field out."]
    if problems:
        raise InvalidInputError(fields=problems)
    return values


def _projects(given: Any, limit: int) -> frozenset[int]:
    if not isinstance(given, list) or not all(type(number) is int and 0 < number < 10**18 for number in given):
        raise ValueError("Expected a list of projects' ids.")
    if len(set(given)) > limit:
        raise ValueError(f"A member can have {limit} projects: make who needs more an admin.")
    return frozenset(given)
