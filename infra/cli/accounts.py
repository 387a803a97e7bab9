"""`sluice users` and `sluice tokens`: who may do what, and what they prove it with."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from infra import accounts
from infra.cli import display
from infra.cli.options import AsJson, DataDir, Token, Url, aside, sentences
from infra.cli.server import DEFAULT_DATA_DIR, connected
from infra.client import Client

users = typer.Typer(no_args_is_help=True, help="Add users, list and remove them (for admins).")
tokens = typer.Typer(no_args_is_help=True, help="Make, list and revoke refresh tokens.")
ONCE = "Keep it: it is shown this once. Label Studio's SDK takes it as api_key, this command as SLUICE_TOKEN."

User = Annotated[int | None, typer.Option(help="Id of another user (for admins). Without it: yourself.")]


class Role(StrEnum):
    """Admins may do everything, members what is within their projects."""

    MEMBER = "member"
    ADMIN = "admin"


@users.command("add")
def add_user(
    email: Annotated[str, typer.Argument(help="No two users have the same.")],
    role: Annotated[Role, typer.Option(help="Admins may do everything, members what is within their projects.")] = (
        Role.MEMBER
    ),
    project: Annotated[list[int] | None, typer.Option(help="Id of a member's project; may be given again.")] = None,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Add a user, and print a refresh token for them."""
    with _client(url, token, data_dir) as client:
        user = accounts.add_user(client, email, role=role, projects=project or ())
        made = accounts.create_token(client, user["id"])
        aside(f"User {user['id']}, {user['email']}: {_access(user)}.")
        _print_token(made, user["id"], as_json=as_json)


@users.command("list")
def list_users(
    url: Url = None, token: Token = None, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False
) -> None:
    """Show who has access, and to what."""
    with _client(url, token, data_dir) as client:
        found = accounts.users(client)
        if as_json:
            print(json.dumps({"users": found}))
            return
        rows = [(one["id"], one["email"], one["role"], _access(one)) for one in found]
        display.plain_table(display.make_console(), ("Id", "E-mail", "Role", "Access"), rows)


@users.command("remove")
def remove_user(
    user: Annotated[int, typer.Argument(help="Id of the user.")],
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Take a user's access away: their tokens are worthless at once."""
    with _client(url, token, data_dir) as client:
        accounts.remove_user(client, user)


@tokens.command("create")
def create_token(
    user: User = None,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Make a refresh token, beside those that are there, and print it."""
    with _client(url, token, data_dir) as client:
        _print_token(accounts.create_token(client, user), user, as_json=as_json)


@tokens.command("list")
def list_tokens(
    user: User = None,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Show the refresh tokens that are good, without what makes them so."""
    with _client(url, token, data_dir) as client:
        found = accounts.tokens(client, user)
        if as_json:
            print(json.dumps({"tokens": found}))
            return
        rows = [(one["id"], _day(one["created_at"]), _day(one["expires_at"])) for one in found]
        display.plain_table(display.make_console(), ("Id", "Created", "Expires"), rows)


@tokens.command("revoke")
def revoke_token(
    id: Annotated[str, typer.Argument(help="Id of the token, as `sluice tokens list` shows it.")],  # noqa: A002
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Make a refresh token worthless. Access that it gave ends within five minutes."""
    with _client(url, token, data_dir) as client:
        accounts.revoke_token(client, id)


@contextmanager
def _client(url: str | None, token: str | None, data_dir: Path) -> Iterator[Client]:
    with sentences(), connected(url or None, token, data_dir, say=aside) as connection:
        yield connection.client


def _print_token(made: Mapping[str, Any], user: int | None, *, as_json: bool) -> None:
    """The token alone on standard output."""
    if as_json:
        print(json.dumps({"user": user, **made}))
        return
    aside(f"Token {made['id']}, good until {_day(made['expires_at'])}. {ONCE}")
    print(made["token"])


def _access(user: Mapping[str, Any]) -> str:
    if user["role"] == "admin":
        return "everything"
    return f"projects {', '.join(map(str, user['projects']))}" if user["projects"] else "nothing yet"


def _day(moment: str) -> str:
    return moment[:10]
