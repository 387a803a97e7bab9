"""Users and tokens over the HTTP API, as the command line asks for them."""

from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any

from infra.client import Client


def users(client: Client) -> list[Mapping[str, Any]]:
    """Everybody whom the caller may see."""
    return list(client.call("GET", "/api/users/", expect=list))


def add_user(client: Client, email: str, *, role: str, projects: Iterable[int]) -> Mapping[str, Any]:
    """Makes a user, who has no token yet."""
    body = {"email": email, "role": role, "projects": sorted(set(projects))}
    return dict(client.call("POST", "/api/users/", json=body))


def remove_user(client: Client, number: int) -> None:
    """Takes a user's access away."""
    client.call("DELETE", f"/api/users/{number}/", expect=NoneType)


def create_token(client: Client, user: int | None = None) -> Mapping[str, Any]:
    """A refresh token for the caller, or for another user; `token` is shown this once."""
    return dict(client.call("POST", "/api/token/", json={} if user is None else {"user": user}))


def tokens(client: Client, user: int | None = None) -> list[Mapping[str, Any]]:
    """The refresh tokens of the caller, or of another user, that are good."""
    return list(client.call("GET", "/api/token/", params={} if user is None else {"user": user}, expect=list))


def revoke_token(client: Client, name: str) -> None:
    """Makes a refresh token worthless, by its id."""
    client.call("DELETE", f"/api/token/{name}", expect=NoneType)
