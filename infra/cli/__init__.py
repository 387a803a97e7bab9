"""The `sluice` command: syncs folders and buckets into projects, and shows what is there."""

from infra.cli.accounts import tokens, users
from infra.cli.commands import app

app.add_typer(users, name="users")
app.add_typer(tokens, name="tokens")

__all__ = ["app"]
