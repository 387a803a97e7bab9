"""`sluice notifications`: buckets that tell of what happens in them."""

import os
import re
from typing import Annotated

import typer

from infra.cli import display, recipes
from infra.cli.options import DataDir, Token, Url, aside, sentences
from infra.cli.server import DEFAULT_DATA_DIR, connected
from infra.cli.source import SourceError
from infra.client import Client, Storage
from shared.errors import StoreError
from shared.model.providers import PROVIDERS
from shared.model.storage import listing_prefix

LEFT = 2
"""Exit code where something is left for a person to do that was asked for."""
FUNCTIONS = {"gcs": "bucket_event", "s3": "bucket_webhook", "azure": "bucket_webhook"}
TOPICS = {"gcs": r"projects/[a-z0-9.:-]+/topics/[\w.~+%-]+", "s3": r"arn:[a-z-]+:sns:[a-z0-9-]*:[0-9]*:[\w.-]+"}
FORMS = {"gcs": "projects/<project>/topics/<topic>", "s3": "arn:aws:sns:<region>:<account>:<topic>"}

notifications = typer.Typer(no_args_is_help=True, help="Have buckets tell of what happens in them.")


@notifications.callback()
def about() -> None:
    """Have buckets tell of what happens in them."""


@notifications.command("enable")
def enable(
    storage: Annotated[int, typer.Argument(help="Id of an import storage.")],
    topic: Annotated[
        str | None,
        typer.Option(help="Where the bucket publishes: projects/<p>/topics/<t>, or the ARN of an SNS topic."),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(help="URL of the function that listens. Without it: below the server, as locally."),
    ] = None,
    service_account: Annotated[
        str | None, typer.Option(help="Google: as whom Pub/Sub pushes. Without it: sluice-push of the topic's project.")
    ] = None,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Turn `auto_sync` on, and have the bucket notify.

    With --topic the bucket is told to publish there, as whom this machine's credentials (gcloud's, boto3's) are; what
    others have set up stays. Prints the commands and the Terraform for what is left: all of it without a topic, and
    for Azure. The same command again changes nothing. Exits with 2 if the bucket refused.
    """
    with sentences():
        with connected(url or None, token, data_dir, say=aside) as connection:
            client = connection.client
            found = _find(client, storage)
            if topic and not re.fullmatch(TOPICS.get(_store(found), ""), topic):
                raise SourceError(f"--topic is {FORMS[_store(found)]} here." if _store(found) in FORMS else NO_TOPIC)
            if not found.settings.get("auto_sync"):
                found = client.update_storage(found, {"auto_sync": True})
            listens = endpoint or f"{client.url.rstrip('/')}/{FUNCTIONS[_store(found)]}"
        aside(f"Storage {found.id} honours notifications of {found.place}.")
        refused = _publish(found, topic) if topic else ""
        print(_recipe(found, topic, listens, service_account, published=bool(topic) and not refused), end="")
        if refused:
            display.say(display.make_console(stderr=True), f"sluice: {refused}", "red")
    raise typer.Exit(LEFT if refused else 0)


NO_TOPIC = "Azure needs no --topic: Event Grid calls the function itself."


def _find(client: Client, number: int) -> Storage:
    every = (one for project in client.projects() for one in client.storages(project.id))
    found = next((one for one in every if one.id == number), None)
    if found is None:
        raise SourceError(f"There is no import storage {number}.")
    if _store(found) not in FUNCTIONS:
        raise SourceError(f"Storage {number} is of type {found.type}, whose places do not notify: use a schedule.")
    return found


def _store(storage: Storage) -> str:
    return PROVIDERS[storage.type].store


def _bucket(storage: Storage) -> str:
    return str(storage.settings.get(PROVIDERS[storage.type].bucket) or "")


def _publish(storage: Storage, topic: str) -> str:
    """Tells the bucket to publish; why it refused, "" if it did not."""
    bucket, prefix = _bucket(storage), listing_prefix(storage.settings.get("prefix"))
    try:
        if _store(storage) == "gcs":
            from shared.adapters.notifications import gcs

            server = os.environ.get("STORAGE_EMULATOR_HOST", "")
            server = server if not server or "://" in server else f"http://{server}"
            made = gcs.ensure(bucket, topic, prefix, endpoint=server)
        else:
            from shared.adapters.notifications import s3

            where = {"endpoint": storage.settings.get("s3_endpoint") or ""}
            where["region"] = storage.settings.get("region_name") or ""
            made = s3.ensure(bucket, topic, prefix, storage=storage.id, **where)
    except StoreError as error:
        return f"{bucket}: {error}"
    aside(f"{bucket} publishes to {topic}{'' if made else ' already'}.")
    return ""


def _recipe(storage: Storage, topic: str | None, endpoint: str, account: str | None, *, published: bool) -> str:
    store = _store(storage)
    make = {"gcs": recipes.google, "s3": recipes.amazon, "azure": recipes.azure}[store]
    return make(
        recipes.Wish(
            bucket=_bucket(storage),
            prefix=listing_prefix(storage.settings.get("prefix")),
            url=endpoint,
            topic=topic or {"gcs": recipes.PUBSUB, "s3": recipes.SNS}.get(store, ""),
            account=account or str(storage.settings.get("account_name") or ""),
            published=published,
        )
    )
