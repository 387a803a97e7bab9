"""What the commands have in common: the options that say which server, and how errors end them."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import display
from infra.cli.server import DEFAULT_URL
from infra.cli.source import SourceError
from infra.client import ApiError
from shared.errors import SluiceError

FAILED = 1

Url = Annotated[
    str | None,
    typer.Option(envvar="SLUICE_URL", help=f"The server. Without it: {DEFAULT_URL}, or one in this process."),
]
Token = Annotated[
    str | None, typer.Option(envvar="SLUICE_TOKEN", help="The server's token. Without it: the data directory's.")
]
DataDir = Annotated[Path, typer.Option(help="Where a local server keeps its data.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object; everything else goes to standard error.")]


def aside(text: str) -> None:
    """Prints what is no result."""
    display.say(display.make_console(stderr=True), text, "dim")


@contextmanager
def sentences() -> Iterator[None]:
    """Expected errors become one sentence on standard error and exit code 1."""
    try:
        yield
    except (ApiError, SourceError, SluiceError, OSError, UnicodeError) as error:
        hint = ""
        if isinstance(error, ApiError) and error.status == HTTPStatus.UNAUTHORIZED:
            hint = " Give the server's token with --token or SLUICE_TOKEN."
        elif isinstance(error, ApiError) and error.status == 0 and error.temporary:
            hint = " Is the server running (`sluice serve`), and --url or SLUICE_URL right?"
        display.say(display.make_console(stderr=True), f"sluice: {error}{hint}", "red")
        raise typer.Exit(FAILED) from None
