"""The commands: what they are told, whom they ask, and the code they exit with."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.cli import display
from infra.cli.options import FAILED, AsJson, DataDir, Token, Url, aside, sentences
from infra.cli.server import DEFAULT_DATA_DIR, Connection, connected, leave_at_next_interrupt
from infra.cli.source import Source, SourceError, parse
from infra.cli.syncing import ensure_storage, find_project, watch
from infra.client import ApiError, Client, Project, Storage

EXIT_CODES = {"completed": 0, "completed_with_errors": 2}
INTERRUPTED = 130

# Locals in a traceback could hold credentials.
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


class Mode(StrEnum):
    """What the objects of a source are."""

    BLOBS = "blobs"
    TASKS = "tasks"


@app.callback()
def sluice() -> None:
    """Sync folders and buckets into data-labelling projects."""


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    files_root: Annotated[
        Path | None, typer.Option(help="Folders below it may be synced. Without it: the current folder.")
    ] = None,
) -> None:
    """Run a server on this machine until it is interrupted."""
    from infra import local  # takes a second, and most commands need no server

    with sentences():
        try:
            local.serve(str(data_dir), port=port, files_root=str(files_root) if files_root else None)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise SourceError(f"Port {port} is in use: choose another with --port.") from None


@app.command()
def sync(
    source: Annotated[str, typer.Argument(help="A folder, or s3://bucket/prefix.")],
    project: Annotated[int | None, typer.Option(help="Id of the project. Without it: the one with the title.")] = None,
    title: Annotated[
        str | None, typer.Option(help="Title of the project, made if there is none. Without it: the source.")
    ] = None,
    label_config: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Labelling interface (XML) of a new project.")
    ] = None,
    mode: Annotated[
        Mode, typer.Option(help="blobs: a task per object. tasks: objects are JSON, JSONL or Parquet files of tasks.")
    ] = Mode.BLOBS,
    recursive: Annotated[bool, typer.Option(help="Look into sub-folders.")] = True,
    regex: Annotated[
        str | None, typer.Option(help="Take only keys that match this RE2 pattern from their start (folders: names).")
    ] = None,
    s3_endpoint: Annotated[
        str | None,
        typer.Option(envvar=["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"], help="URL of an S3-compatible service."),
    ] = None,
    region: Annotated[str | None, typer.Option(help="Region of the bucket. Without it: found out.")] = None,
    access_key: Annotated[
        str | None, typer.Option(envvar="AWS_ACCESS_KEY_ID", help="Without it: the server's own credentials.")
    ] = None,
    secret_key: Annotated[str | None, typer.Option(envvar="AWS_SECRET_ACCESS_KEY")] = None,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Make tasks of what a source holds, and watch until that is done.

    The same command again uses the same project and storage, and imports what is new.
    Exits with 0 if all was imported, 2 if some objects or rows could not be, 1 if the sync failed, 130 if interrupted.
    """
    console = display.make_console(stderr=as_json)
    with sentences():
        if project is not None and title is not None:
            raise SourceError("Give --project or --title, not both.")
        settings = {"use_blob_urls": mode is Mode.BLOBS, "recursive_scan": recursive, "regex_filter": regex or ""}
        secrets = _secrets(access_key, secret_key)
        wanted = parse(source, settings=settings | _given(region_name=region), endpoint=s3_endpoint, secrets=secrets)
        config = label_config.read_text(encoding="utf-8") if label_config else None

        def say(text: str) -> None:
            display.say(console, text, "dim")

        with connected(url or None, token, data_dir, say=say, files_root=wanted.files_root) as connection:
            client = connection.client
            with _project(client, project, title or wanted.title, config) as owner:
                storage = ensure_storage(client, owner.id, wanted, say)
            say(f'{storage.place} -> project {owner.id} "{owner.title}", storage {storage.id}')
            ended = _sync(connection, console, storage)
            code = INTERRUPTED if ended is None else EXIT_CODES.get(ended.status, FAILED)
            if ended is not None:
                display.summary(console, ended)
                if ended.counts.created + ended.counts.existed > 0:
                    say(f"See them with: sluice tasks {owner.id}")
                if as_json:
                    print(json.dumps(_report(ended, wanted, owner)))
    raise typer.Exit(code)


@app.command()
def storages(
    project: Annotated[int | None, typer.Option(help="Id of a project. Without it: all.")] = None,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Show the storages and how their last sync went."""
    console = display.make_console()
    with sentences(), connected(url or None, token, data_dir, say=aside) as connection:
        client = connection.client
        numbers = [client.project(project).id] if project is not None else [one.id for one in client.projects()]
        display.storages_table(console, [storage for number in sorted(numbers) for storage in client.storages(number)])


@app.command()
def tasks(
    project: Annotated[int, typer.Argument(help="Id of the project.")],
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Show the first tasks of a project."""
    with sentences(), connected(url or None, token, data_dir, say=aside) as connection:
        found, total = connection.client.tasks(project, limit)
        if as_json:
            print(json.dumps({"total": total, "tasks": found}))
        else:
            display.tasks_table(display.make_console(), found, total)


def _sync(connection: Connection, console: Console, storage: Storage) -> Storage | None:
    """Starts a sync and watches it to its end; None if watching was interrupted."""
    try:
        with display.progress(console) as show:
            return watch(connection.client, connection.client.sync(storage), show)
    except KeyboardInterrupt:
        if connection.embedded:
            leave_at_next_interrupt()
            display.say(
                console, "Interrupted: the sync goes on when Sluice runs here again. Ctrl-C again ends at once."
            )
        else:
            display.say(console, f"No longer watching: the sync goes on at {connection.client.url}.")
        return None


@contextmanager
def _project(client: Client, number: int | None, title: str, label_config: str | None) -> Iterator[Project]:
    """The project for a storage; one that was made for it goes again if the storage can't be connected."""
    found = client.project(number) if number is not None else find_project(client, title)
    if found:
        yield found
        return
    made = client.create_project(title, label_config)
    try:
        yield made
    except ApiError:
        with suppress(ApiError):
            client.delete_project(made.id)
        raise


def _secrets(access_key: str | None, secret_key: str | None) -> dict[str, str]:
    """The credentials that were given; a session token of the environment belongs to the environment's key only."""
    given = _given(aws_access_key_id=access_key, aws_secret_access_key=secret_key)
    if access_key:
        from_env = access_key == os.environ.get("AWS_ACCESS_KEY_ID")
        # Sent also where there is none: it replaces one that was stored with an earlier key.
        given["aws_session_token"] = os.environ.get("AWS_SESSION_TOKEN", "") if from_env else ""
    return given


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _report(storage: Storage, source: Source, project: Project) -> dict[str, object]:
    return {
        "status": storage.status,
        "project": project.id,
        "storage": storage.id,
        "type": source.type,
        "source": storage.place,
        "seconds": storage.seconds,
        **storage.counts._asdict(),
        "traceback": storage.traceback,
    }
