"""Commands about targets."""

import json
from typing import Annotated

import typer

from infra.cli import display
from infra.cli.options import AsJson, DataDir, Token, Url, aside, sentences
from infra.cli.server import DEFAULT_DATA_DIR, connected
from infra.cli.source import SourceError

DIFFERS = 2
SHOWN = 20


def verify_export(
    storage: Annotated[int, typer.Argument(help="Id of an export storage.")],
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Read a target's bucket again, and say which objects are missing, changed or surplus.

    Every object is read whole and compared with the checksum of what was written. Nothing is written. Exits with 0 if
    all is as it should be, 2 if something is missing or changed, 1 if the bucket can't be read.
    """
    console = display.make_console(stderr=as_json)
    with sentences(), connected(url or None, token, data_dir, say=aside) as connection:
        client = connection.client
        targets = [one for project in client.projects() for one in client.targets(project.id)]
        found = next((one for one in targets if one.id == storage), None)
        if found is None:
            raise SourceError(f"There is no export storage {storage}.")
        told: dict[str, list[str]] = {"missing": [], "changed": [], "surplus": []}
        checked = 0
        for part in client.verify_target(found):
            checked += part["checked"]
            for name, keys in told.items():
                keys += part[name]
    if as_json:
        print(json.dumps({"checked": checked, **told}))
    else:
        display.say(console, f"{checked} objects looked at")
        for name, keys in told.items():
            display.say(console, f"{name}: {len(keys)}", "red" if keys and name != "surplus" else "")
            for key in keys[:SHOWN]:
                display.say(console, f"  {key}")
            if len(keys) > SHOWN:
                display.say(console, f"  ... and {len(keys) - SHOWN} more")
    raise typer.Exit(DIFFERS if told["missing"] or told["changed"] else 0)
