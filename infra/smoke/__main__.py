"""The smoke test's command line: see `smoke`."""

import json
import os
import signal
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import typer

from infra.cli import display
from infra.client import ApiError, Client
from infra.smoke.cleaning import INTERRUPTS, Made
from infra.smoke.steps import Smoke, Wish
from shared.model.providers import PROVIDERS

FAILED, INTERRUPTED = 1, 130
Kind = StrEnum("Kind", {name: name for name, provider in PROVIDERS.items() if provider.bucket})  # type: ignore[misc]
GCS = Kind("gcs")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def smoke(
    url: Annotated[str, typer.Option(envvar="SLUICE_URL", help="Where the API is.")],
    bucket: Annotated[str, typer.Option(help="A tiny bucket, or container, that the functions may read.")],
    kind: Annotated[Kind, typer.Option("--type", help="Type of the storage.")] = GCS,
    prefix: Annotated[str, typer.Option(help="A folder of the bucket.")] = "",
    token_env: Annotated[str, typer.Option(help="The variable that holds an admin's token.")] = "SLUICE_TOKEN",  # noqa: S107  its name
    objects: Annotated[int | None, typer.Option(min=1, help="How many there are. Without it: as many as are.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="A further field of the storage: region_name=eu-west-1")
    ] = None,
    secret: Annotated[
        list[str] | None, typer.Option("--secret-env", help="A secret field, and its variable: sas_token=MY_TOKEN")
    ] = None,
    sync_seconds: Annotated[float, typer.Option(min=0, help="How long a sync may take.")] = 120.0,
    notifications: Annotated[
        bool, typer.Option(help="Also upload an object and wait for its task; gcloud or aws writes it.")
    ] = False,
    notification_seconds: Annotated[float, typer.Option(min=0, help="How long that may take.")] = 60.0,
    name: Annotated[str, typer.Option(help="What the names of the deployed functions start with.")] = "sluice",
) -> None:
    """Try a deployment with a bucket of fewer than 1,000 objects, and remove all that was made for it.

    Exits with 0 if all is well, 1 if a step failed or something could not be removed, 130 if interrupted.
    """
    console = display.make_console()

    def say(text: str) -> None:
        display.say(console, text)

    place = {PROVIDERS[kind].bucket: bucket, "prefix": prefix}
    wish = Wish(
        kind=kind.value,
        settings={**place, **{field: _value(text) for field, text in _pairs(setting or (), "--set")}},
        secrets={field: _variable(text) for field, text in _pairs(secret or (), "--secret-env")},
        objects=objects,
        sync_seconds=sync_seconds,
        notification_seconds=notification_seconds if notifications else None,
        name=name,
    )
    for number in INTERRUPTS:
        signal.signal(number, _interrupted)
    try:
        with Client(url, _variable(token_env)) as client:
            code = _tried(Smoke(client, wish, say, Made(client)))
    except ApiError as error:
        raise typer.BadParameter(str(error)) from None
    raise typer.Exit(code)


def _tried(test: Smoke) -> int:
    """The exit code of a test, after whose end nothing is left of it."""
    code = FAILED
    try:
        code = 0 if test.run() else FAILED
    except KeyboardInterrupt:
        test.say("Interrupted.")
        code = INTERRUPTED
    finally:
        left = test.made.undo()
        for text in left:
            test.say(f"LEFT BEHIND  {text}")
        test.say("Remove by hand what is left behind." if left else "Everything that was made is removed.")
    return code or (FAILED if left else 0)


def _interrupted(*_: object) -> None:
    """The first interrupt ends the test; others would end the cleaning."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _pairs(texts: Iterable[str], option: str) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in texts]
    if wrong := [name for name, equals, _ in pairs if not (name and equals)]:
        raise typer.BadParameter(f"{option} {wrong[0]}: write name=value.")
    return [(name, value) for name, _, value in pairs]


def _value(text: str) -> Any:
    """A number or a flag as what it is, anything else as text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int) else text


def _variable(name: str) -> str:
    if not os.environ.get(name):
        raise typer.BadParameter(f"The variable {name} is not set.")
    return os.environ[name]


if __name__ == "__main__":
    app()
