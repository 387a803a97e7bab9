"""The `sluice` command: syncs folders and buckets into projects, and shows what is there."""

from infra.cli.accounts import tokens, users
from infra.cli.commands import app
from infra.cli.doctor import doctor
from infra.cli.exports import verify_export
from infra.cli.notifications import notifications

app.command("verify-export")(verify_export)
app.command()(doctor)
app.add_typer(users, name="users")
app.add_typer(tokens, name="tokens")
app.add_typer(notifications, name="notifications")

__all__ = ["app"]
