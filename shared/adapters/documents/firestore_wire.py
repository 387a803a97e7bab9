"""Firestore's messages: names, values and revisions, written and read as plain protocol buffers.

The classes that Google's client wraps around these messages take several times as long for each field.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from google.cloud.firestore_v1.types import document as _document
from google.cloud.firestore_v1.types import firestore as _service
from google.cloud.firestore_v1.types import query as _query
from google.cloud.firestore_v1.types import write as _write

from shared.ports import Create, Document, Ref, Update, Value, Write

BatchGetDocumentsRequest: Any = _service.BatchGetDocumentsRequest.pb()
BatchGetDocumentsResponse: Any = _service.BatchGetDocumentsResponse.pb()
CommitRequest: Any = _service.CommitRequest.pb()
CommitResponse: Any = _service.CommitResponse.pb()
RollbackRequest: Any = _service.RollbackRequest.pb()
RunQueryRequest: Any = _service.RunQueryRequest.pb()
RunQueryResponse: Any = _service.RunQueryResponse.pb()
RunAggregationQueryRequest: Any = _service.RunAggregationQueryRequest.pb()
RunAggregationQueryResponse: Any = _service.RunAggregationQueryResponse.pb()
StructuredQuery: Any = _query.StructuredQuery.pb()
WriteMessage: Any = _write.Write.pb()
ValueMessage: Any = _document.Value.pb()

NAME_FIELD = "__name__"


class Names:
    """The full names of documents in one database."""

    def __init__(self, project: str, database: str) -> None:
        self.database = f"projects/{project}/databases/{database}"
        self.documents = f"{self.database}/documents"

    def of(self, ref: Ref) -> str:
        """The full name of a document."""
        return f"{self.documents}/{ref.collection}/{ref.id}"

    def ref(self, name: str) -> Ref:
        """The document of a full name."""
        collection, _, id_ = name[len(self.documents) + 1 :].partition("/")
        return Ref(collection, id_)

    def read(self, message: Any) -> Document:
        """A document as received."""
        fields = {name: read_value(value) for name, value in message.fields.items()}
        return Document(self.ref(message.name), fields, revision_of(message.update_time))


def revision_of(time: Any) -> str:
    """The update time, to the last digit: a `datetime` would round it."""
    return f"{time.seconds}.{time.nanos:09d}"


def parse_revision(revision: str) -> tuple[int, int] | None:
    """Seconds and nanoseconds of a revision; None for a text that none ever was."""
    seconds, point, nanos = revision.partition(".")
    if point and len(nanos) == 9 and len(seconds) <= 12 and (seconds + nanos).isascii() and (seconds + nanos).isdigit():
        return int(seconds), int(nanos)
    return None


def write_message(names: Names, write: Write) -> Any:
    """One write with its precondition. The revision, if there is one, was parsed before."""
    message = WriteMessage()
    name = names.of(write.ref)
    if isinstance(write, Create):
        message.update.name = name
        write_fields(message.update.fields, write.data)
        message.current_document.exists = False
        return message
    if isinstance(write, Update):
        message.update.name = name
        write_fields(message.update.fields, write.changes)
        message.update_mask.SetInParent()  # without a mask the whole document would be replaced
        message.update_mask.field_paths.extend(write.changes)
        if write.revision is None:
            message.current_document.exists = True
    else:
        message.delete = name
    if write.revision is not None:
        time = parse_revision(write.revision)
        assert time is not None  # noqa: S101 - `FirestoreDocuments.commit` refuses such a write
        message.current_document.update_time.seconds, message.current_document.update_time.nanos = time
    return message


def write_fields(fields: Any, data: Mapping[str, Value]) -> None:
    """Puts values into a map of fields."""
    for name, value in data.items():
        write_value(fields[name], value)


def write_value(message: Any, value: Value) -> None:
    """Puts a value into its message. That it can be stored was checked before."""
    if value is None:
        message.null_value = 0
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, bool):
        message.boolean_value = value
    elif isinstance(value, int):
        message.integer_value = value
    elif isinstance(value, bytes):
        message.bytes_value = value
    elif isinstance(value, float):
        message.double_value = value
    else:
        message.array_value.SetInParent()
        _write_items(message.array_value.values, value)


def _write_items(messages: Any, items: Sequence[str | int]) -> None:
    for item in items:
        if isinstance(item, str):
            messages.add().string_value = item
        else:
            messages.add().integer_value = item


def read_value(message: Any) -> Any:
    """The value that a message holds."""
    kind = message.WhichOneof("value_type")
    if kind == "null_value":
        return None
    value = getattr(message, kind)
    return [read_value(item) for item in value.values] if kind == "array_value" else value
