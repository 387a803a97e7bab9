"""The command that finds out why objects can't be seen."""

import json
from typing import Annotated

import typer

from infra.cli import display
from infra.cli.options import AsJson, DataDir, Token, Url, aside, sentences
from infra.cli.server import DEFAULT_DATA_DIR, connected
from infra.cli.source import SourceError
from infra.doctor import examine

UNWELL = 2


def doctor(
    storage: Annotated[int, typer.Argument(help="Id of an import storage.")],
    origin: Annotated[
        str, typer.Option(help="Origin of the page that shows objects: https://label.example.org. Else the server's.")
    ] = "",
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Find out whether a browser on this machine can show the objects of a storage, and what to do if not.

    Looks into the bucket, signs a URL, loads it as a page of the origin would, and checks the bucket's CORS settings;
    where those are missing, prints them and the command that sets them. Changes nothing.
    Exits with 0 if all is well, 2 if something is not, 1 if it can't be found out.
    """
    console = display.make_console(stderr=as_json)
    with sentences(), connected(url or None, token, data_dir, say=aside) as connection:
        client = connection.client
        found = next((one for it in client.projects() for one in client.storages(it.id) if one.id == storage), None)
        if found is None:
            raise SourceError(f"There is no import storage {storage}.")
        findings = []
        for finding in examine(client, found, origin):
            findings.append(finding)
            display.say(console, f"{'ok' if finding.well else 'NOT OK':8}{finding.step:10}{finding.text}")
            if finding.remedy:
                display.say(console, f"\n{finding.remedy}")
        if as_json:
            print(json.dumps([finding._asdict() for finding in findings]))
    raise typer.Exit(0 if all(finding.well for finding in findings) else UNWELL)
