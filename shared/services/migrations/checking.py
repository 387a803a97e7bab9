"""Whether this process may work on the documents at all."""

from shared.errors import SchemaTooNewError
from shared.model.schema import FIRST, VERSION, Schema
from shared.ports import DocumentStore
from shared.records.schema import Schemas


def check(documents: DocumentStore) -> int:
    """The schema that all documents have. One document is read. Raises `SchemaTooNewError`."""
    stored = Schemas(documents).current()
    if stored is None:
        return FIRST
    refuse_newer(stored.value)
    return stored.value.version


def refuse_newer(schema: Schema) -> None:
    """Raises `SchemaTooNewError` for documents that this release can't know."""
    if schema.needs > VERSION:
        raise SchemaTooNewError(
            f"The documents were written by a newer release of Sluice (they need schema {schema.needs}, this release "
            f"knows {VERSION}). Deploy that release again, or a newer one; nothing was changed."
        )
