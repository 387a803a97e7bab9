"""From a source to a sync that is watched to its end."""

import time
from collections.abc import Callable

from infra.cli.source import Source
from infra.client import ApiError, Client, Project, Storage

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.2, 1.0, 1.2
PATIENCE = 60.0
"""Seconds without an answer, as while a server restarts, after which watching ends; the sync itself may go on."""


def find_project(client: Client, title: str) -> Project | None:
    """The newest project of a title."""
    return next((project for project in client.projects() if project.title == title), None)


def ensure_storage(
    client: Client, project: int, source: Source, say: Callable[[str], None], *, title: str | None = None
) -> Storage:
    """The project's storage for a source: made if there is none, edited if its settings are others."""
    for storage in client.storages(project):
        if source.is_at(storage):
            changes = source.changes(storage)
            for name, value in changes.items():
                say(f"Storage {storage.id}: {name} is now {value or 'not set'}.")
            # Secrets are not shown, so nobody can tell whether these are the stored ones.
            return (
                client.update_storage(storage, {**changes, **source.secrets}) if changes or source.secrets else storage
            )
    fields = {"title": title or source.title, **source.place, **source.settings, **source.secrets}
    return client.create_storage(source.type, project, {k: v for k, v in fields.items() if v is not None})


def watch(client: Client, storage: Storage, show: Callable[[Storage], None]) -> Storage:
    """Follows a sync to its end and returns the storage as it is then; `show` is called with each state on the way.

    A server that is away for a moment is waited for.
    """
    show(storage)
    pause, heard = FIRST_PAUSE, time.monotonic()
    while storage.active:
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * GROWTH)
        try:
            storage = client.storage(storage)
        except ApiError as error:
            if not error.temporary or time.monotonic() - heard > PATIENCE:
                raise
            continue
        heard = time.monotonic()
        show(storage)
    return storage
