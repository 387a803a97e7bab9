"""The shapes of storages for the documentation at /docs, made of what the providers say."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, create_model
from pydantic import Field as PydanticField

from shared.model.fields import Direction, Field, Kind
from shared.model.provider import Provider
from shared.model.storage import MAX_TEXT, MAX_TITLE, Status

KINDS: dict[Kind, type] = {"text": str, "flag": bool, "integer": int}
JSON_TYPES: dict[Kind, str] = {"text": "string", "flag": "boolean", "integer": "integer", "choice": "string"}


class StorageOut(BaseModel):
    """A storage with its state; the fields of its type are there too, secrets never."""

    model_config = ConfigDict(extra="allow")
    id: int = PydanticField(description="Id of the storage, unique over all types and both directions.")
    type: str = PydanticField(description="Name of the storage type.")
    project: int = PydanticField(description="Id of the project.")
    title: str | None = PydanticField(description="Name of the storage, for people.")
    description: str | None = PydanticField(description="What the storage is for.")
    synchronizable: bool = PydanticField(description="Whether it can be synced.")
    status: Status = PydanticField(description="How the last sync went, or what the one under way does.")
    last_sync: str | None = PydanticField(description="When the last sync completed.")
    last_sync_job: str | None = PydanticField(description="Id of the last sync, or of the one under way.")
    traceback: str | None = PydanticField(description="Why the last sync failed, or what of it did.")
    meta: dict[str, Any] = PydanticField(description="Times and counts of the last sync, or of the one under way.")
    created_at: str = PydanticField(description="When the storage was made.")


class ImportStorageOut(StorageOut):
    """An import storage."""

    last_sync_count: int | None = PydanticField(
        description="Tasks created by the last sync, or so far by the one under way."
    )


class ExportStorageOut(StorageOut):
    """An export storage."""

    last_sync_count: int | None = PydanticField(
        description="Objects that the last sync saw to, or so far the one under way."
    )


class PreviewedFile(BaseModel):
    """An object that a sync would take."""

    key: str | None = PydanticField(description="Null: there may be more; also where the key says that time ran out.")
    last_modified: str | None = PydanticField(description="Null where the store does not know.")
    size: int | None = PydanticField(description="Bytes.")


class PreviewOut(BaseModel):
    """The first objects that a sync would take."""

    files: list[PreviewedFile] = PydanticField(description="In the order of the listing.")


class VerifiedOut(BaseModel):
    """A part of a target, read again."""

    checked: int = PydanticField(description="Objects that this part is about.")
    missing: list[str] = PydanticField(description="Keys that should be there and are not.")
    changed: list[str] = PydanticField(description="Keys whose object is not what was written.")
    surplus: list[str] = PydanticField(description="Keys of objects that Sluice did not write.")
    next: str | None = PydanticField(description="`after` of the following part; null if there is none.")


class FormField(BaseModel):
    """A field of a form."""

    model_config = ConfigDict(extra="allow")
    type: Literal["text", "password", "toggle", "number", "select"] = PydanticField(description="Kind of input.")
    name: str = PydanticField(description="The setting.")
    label: str = PydanticField(description="What people call it.")
    required: bool = PydanticField(description="Whether nothing can be synced without it.")
    tooltip: str = PydanticField(description="What it means.")


class FormRow(BaseModel):
    """Fields that stand side by side."""

    columnCount: int = PydanticField(description="How many stand side by side.")  # noqa: N815  the API's name
    fields: list[FormField] = PydanticField(description="In the order in which they are shown.")


class StorageType(BaseModel):
    """A storage type."""

    name: str = PydanticField(description="As it stands in paths.")
    title: str = PydanticField(description="For people.")


def storage_in(
    provider: Provider, direction: Direction, *, stored: bool = False, limited: bool = False
) -> dict[str, Any]:
    """The request fields of a storage type. Made by hand, since they are many and every process begins with them.

    `stored`: with the id of a storage that lends what is not given. `limited`: with how many objects to show.
    """
    about: dict[str, Any] = {"project": {"type": "integer", "description": "Id of the project; it can't be changed."}}
    if stored:
        lends = "Id of a storage that lends what is not given, and credentials also where they are empty."
        about["id"] = {"type": ["integer", "null"], "description": lends}
    if limited:
        shows = "How many objects to show at most."
        about["limit"] = {"type": ["integer", "null"], "minimum": 1, "description": shows}
    fields = {field.name: _field_in(field) for field in provider.fields_of(direction)}
    return {
        "title": f"{_name(provider, direction)}In",
        "type": "object",
        "required": ["project"],
        "properties": {**about, **fields},
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
    return {**schema, "default": field.default}


def storage_out(provider: Provider | None, direction: Direction) -> type[BaseModel]:
    """What is shown of a storage of a type, or of any type."""
    base = ImportStorageOut if direction == "import" else ExportStorageOut
    if provider is None:
        return base
    fields: dict[str, Any] = {
        field.name: (_kind(field) | None, PydanticField(description=field.help))
        for field in provider.fields_of(direction)
        if not field.secret and field.name not in base.model_fields
    }
    return create_model(f"{_name(provider, direction)}Out", __base__=base, **fields)


def _name(provider: Provider, direction: Direction) -> str:
    return f"{provider.type.title()}{direction.title()}Storage"


def _kind(field: Field) -> Any:
    if field.kind == "choice":
        return Literal[tuple(value for value, _ in field.options)]
    return KINDS[field.kind]
