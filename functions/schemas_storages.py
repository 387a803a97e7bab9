"""The shapes of storages for the documentation at /docs, made of what the providers say."""

from collections.abc import Iterable
from typing import Any, Literal, get_args

from pydantic import Field as Describe

from functions.schemas import Moment, Shape
from functions.shapes import storage_keys
from shared.model.fields import Direction, Field, Kind
from shared.model.provider import Provider
from shared.model.storage import MAX_TEXT, MAX_TITLE, Status

JSON_TYPES: dict[Kind, str] = {"text": "string", "flag": "boolean", "integer": "integer", "choice": "string"}
_WHEN = {"type": ["string", "null"], "format": "date-time"}
Role = Literal["In", "Edit", "Check", "Preview"]
"""What a body is for."""
STATE: dict[str, Any] = {
    "id": {"type": "integer", "description": "Id of the storage, unique over all types and directions."},
    "project": {"type": "integer", "description": "Id of the project."},
    "status": {
        "type": "string",
        "enum": list(get_args(Status)),
        "description": "How the last sync went, or what the one under way does.",
    },
    "last_sync": {**_WHEN, "description": "When the last sync completed."},
    "last_sync_job": {"type": ["string", "null"], "description": "Id of the last sync, or of the one under way."},
    "traceback": {"type": ["string", "null"], "description": "Why the last sync failed, or what of it did."},
    "meta": {
        "type": "object",
        "description": "Times and counts of the last sync, or of the one under way; with `auto_sync` also "
        "`last_event`, `last_event_sync`, `events`, `event_syncs` and `event_tasks_created`.",
    },
    "created_at": {"type": "string", "format": "date-time", "description": "When the storage was made."},
}
"""What is shown of every storage beside its settings."""
EXAMPLES = {
    "title": "Photos",
    "bucket": "photos",
    "container": "photos",
    "path": "/data/photos",
    "host": "redis.example.org",
    "prefix": "2024",
    "recursive_scan": True,
    "use_blob_urls": True,
    "aws_access_key_id": "AKIDEXAMPLE",
    "aws_secret_access_key": "the-secret-of-the-key",
    "role_arn": "arn:aws:iam::123456789012:role/labels",
    "external_id": "an-id-we-agreed-on",
    "google_project_number": "123456789012",
    "google_wif_pool_id": "pool",
    "google_wif_provider_id": "provider",
    "google_service_account_email": "labels@project.iam.gserviceaccount.com",
    "target_service_account_email": "labels@project.iam.gserviceaccount.com",
    "account_name": "account",
    "account_key": "YS1rZXk=",
    "tenant_id": "11111111-2222-3333-4444-555555555555",
    "client_id": "11111111-2222-3333-4444-555555555555",
    "client_secret": "a-secret",
}
"""Settings of the storages that the document shows."""


class PreviewedFile(Shape):
    """An object that a sync would take."""

    key: str | None = Describe(description="Null: there may be more; also where the key says that time ran out.")
    last_modified: Moment | None = Describe(description="Null where the store does not know.")
    size: int | None = Describe(description="Bytes.")


class PreviewOut(Shape):
    """The first objects that a sync would take."""

    files: list[PreviewedFile] = Describe(description="In the order of the listing.")


class VerifiedOut(Shape):
    """A part of a target, read again."""

    checked: int = Describe(description="Objects that this part is about.")
    missing: list[str] = Describe(description="Keys that should be there and are not.")
    changed: list[str] = Describe(description="Keys whose object is not what was written.")
    surplus: list[str] = Describe(description="Keys of objects that Sluice did not write.")
    next: str | None = Describe(description="`after` of the following part; null if there is none.")


class RecordOut(Shape):
    """A record of a dataset: an object as the last sync found it."""

    id: int = Describe(description="The same for a key as long as the storage keeps its bucket; below 2^53.")
    key: str = Describe(description="The object's key.")
    uri: str = Describe(description="Its address.")
    size: int = Describe(description="Bytes.")
    version: str = Describe(description="Another one whenever the content is.")
    content_type: str = Describe(description="What the store's listing says, else what the key's ending tells.")
    last_modified: Moment | None = Describe(description="Null where the store does not know.")
    width: int | None = Describe(description="Pixels as stored; null where nothing is known of it.")
    height: int | None = Describe(description="Pixels as stored; null where nothing is known of it.")


class RecordsOut(Shape):
    """Some of a dataset's records."""

    records: list[RecordOut] = Describe(description="In the order of their keys.")
    next: str | None = Describe(description="`after` of the following part, also where time ran out; null: no more.")


class CountedOut(Shape):
    """How many records there are."""

    count: int = Describe(description="How many were counted.")
    next: str | None = Describe(
        description="Null: all were. Otherwise time ran out: what is counted with this as `after` is to be added."
    )


class FormOption(Shape):
    """A value to choose."""

    value: str | int | bool = Describe(description="The value.")
    label: str = Describe(description="What people call it.")


class FormField(Shape):
    """A field of a form."""

    type: Literal["text", "password", "toggle", "number", "select"] = Describe(description="Kind of input.")
    name: str = Describe(description="The setting.")
    label: str = Describe(description="What people call it.")
    required: bool = Describe(description="Whether nothing can be synced without it.")
    tooltip: str = Describe(description="What it means.")
    value: str | int | bool = Describe("", description="What it is if nothing is given.")
    options: list[FormOption] = Describe([], description="What there is to choose from.")
    min: int = Describe(0, description="The smallest number.")
    max: int = Describe(0, description="The largest number.")
    validators: list[str] = Describe([], description="How clients check it: `regexp`.")
    autoComplete: str = Describe("", description="What a browser may fill in of a secret.")  # noqa: N815
    skipAutofill: bool = Describe(False, description="True for secrets.")  # noqa: N815
    protectedValue: bool = Describe(False, description="True for secrets.")  # noqa: N815


class FormRow(Shape):
    """Fields that stand side by side."""

    columnCount: int = Describe(description="How many stand side by side.")  # noqa: N815  the API's name
    fields: list[FormField] = Describe(description="In the order in which they are shown.")


class StorageType(Shape):
    """A storage type."""

    name: str = Describe(description="As it stands in paths.")
    title: str = Describe(description="For people.")


def storage_in(provider: Provider, direction: Direction, role: Role) -> dict[str, Any]:
    """The request fields of a storage type. Made by hand: there are many."""
    about: dict[str, Any] = {}
    if direction != "dataset":
        about["project"] = {"type": "integer", "description": "Id of the project; it can't be changed."}
    if role in {"Check", "Preview"}:
        lends = "Id of a storage that lends what is not given, and credentials also where they are empty."
        about["id"] = {"type": ["integer", "null"], "description": lends}
    if role == "Preview":
        shows = "How many objects to show at most."
        about["limit"] = {"type": ["integer", "null"], "minimum": 1, "description": shows}
    fields = {field.name: _field_in(field) for field in provider.fields_of(direction)}
    whose = {"project": 1} if direction != "dataset" else {}
    return {
        "title": f"{_name(provider, direction)}{role}",
        "type": "object",
        "required": [] if role == "Edit" else list(whose),
        "properties": {**about, **fields},
        "examples": [whose | {name: value for name, value in EXAMPLES.items() if name in fields}],
    }


def _field_in(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": [JSON_TYPES[field.kind], "null"], "description": field.help}
    if field.kind == "choice":
        schema |= {"type": "string", "enum": [value for value, _ in field.options]}
    if field.kind == "integer":
        schema |= {"type": "integer", "minimum": field.minimum, "maximum": field.maximum}
    if field.kind == "flag" and field.default is True:
        schema["type"] = "boolean"
    if field.kind == "text":
        schema["maxLength"] = MAX_TITLE if field.name == "title" else MAX_TEXT
    if field.secret:
        schema |= {"format": "password", "writeOnly": True}
    return schema if field.default is None else {**schema, "default": field.default}


def storage_out(provider: Provider, direction: Direction) -> dict[str, Any]:
    """What is shown of a storage of a type."""
    counted = {"import": "Tasks created", "export": "Objects seen to", "dataset": "New records found"}[direction]
    known: dict[str, Any] = {
        **{field.name: _field_out(field) for field in provider.fields_of(direction)},
        **STATE,
        "type": {"type": "string", "const": provider.type, "description": "Name of the storage type."},
        "last_sync_count": {
            "type": ["integer", "null"],
            "description": f"{counted} by the last sync, or so far by the one under way.",
        },
    }
    keys = storage_keys(provider, direction)
    return {
        "title": f"{_name(provider, direction)}Out",
        "type": "object",
        "description": f"{provider.title} storage with the state of its sync. Secrets are never shown.",
        "required": keys,
        "properties": {key: known[key] for key in keys},
    }


def storages_out(providers: Iterable[Provider], direction: Direction) -> dict[str, Any]:
    """A list of storages of these types."""
    shapes = [storage_out(provider, direction) for provider in providers]
    return {"type": "array", "items": shapes[0] if len(shapes) == 1 else {"anyOf": shapes}}


def _field_out(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": [JSON_TYPES[field.kind], "null"], "description": field.help}
    if field.kind == "choice":
        schema["enum"] = [value for value, _ in field.options]
        schema["type"] = "string"
    return schema


def _name(provider: Provider, direction: Direction) -> str:
    return f"{provider.type.replace('_', ' ').title().replace(' ', '')}{direction.title()}Storage"
