"""The ports. Everything that differs between clouds and a laptop, or lies outside, stands behind one of them.

The docstrings are the contract: `tests/conformance` checks each sentence against every adapter.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from shared.model.ledger import ObjectInfo as ObjectInfo

# ---------------------------------------------------------------------------------------------- documents

Value = bool | int | float | str | bytes | list[str] | list[int] | None
"""What a field may hold. Integers fit 64 bits. Opaque or large content is `bytes`, which no query can look into."""

MAX_DOCUMENT_BYTES = 1_000_000
"""Keys and values of one document; Firestore refuses more than 1 MiB."""
MAX_COMMIT_WRITES = 500
MAX_COMMIT_BYTES = 3_500_000
"""Per commit, all writes together: below the 4 MiB message limit of gRPC servers."""


class Ref(NamedTuple):
    """Names a document."""

    collection: str
    id: str


class Document(NamedTuple):
    """A document as read. `revision` is opaque: equal means unchanged, nothing else may be concluded from it."""

    ref: Ref
    data: Mapping[str, Any]
    revision: str


class Create(NamedTuple):
    """Writes a document that must not exist."""

    ref: Ref
    data: Mapping[str, Value]


class Update(NamedTuple):
    """Writes the named top-level fields of a document that must exist, at `revision` unless that is None."""

    ref: Ref
    changes: Mapping[str, Value]
    revision: str | None


class Delete(NamedTuple):
    """Removes a document, which must be at `revision` unless that is None (then it may be absent too)."""

    ref: Ref
    revision: str | None


class Check(NamedTuple):
    """Asserts that a document is at `revision`, or absent if that is None, without writing it."""

    ref: Ref
    revision: str | None


Write = Create | Update | Delete

Op = Literal["==", "<", "<=", ">", ">="]


class Filter(NamedTuple):
    """A condition on one field. A document without the field does not match; None matches only `== None`."""

    field: str
    op: Op
    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Documents of a collection that match every filter, in the order of the `order` fields, then of the id.

    `order`: field names, "-name" descends (the id then descends too if the last field does). A document without an
    ordered field does not match. If a filter is an inequality, its field is the first of `order`.
    `after`: the cursor of the last document of the page before (`cursor(document)`), None for the first page.
    `select`: only these fields are read; `()` reads ids and revisions alone; None reads all.
    Which combinations are allowed is declared in `infra/firestore.indexes.json`.
    """

    collection: str
    where: tuple[Filter, ...] = ()
    order: tuple[str, ...] = ()
    after: tuple[Any, ...] | None = None
    limit: int = 100
    select: tuple[str, ...] | None = None

    def cursor(self, document: Document) -> tuple[Any, ...]:
        """Where the page after `document` begins. `select`, if given, must hold the ordered fields."""
        return (*(document.data[field.removeprefix("-")] for field in self.order), document.ref.id)


class DocumentStore(Protocol):
    """Documents: flat maps of fields, in collections, each with a revision.

    Reads see every commit that returned before they began. Safe to call from many threads.
    Raises `DocumentsUnavailableError` when the store can't be reached.
    """

    def get(self, ref: Ref) -> Document | None:
        """One document, or None."""

    def get_many(self, refs: Sequence[Ref]) -> list[Document | None]:
        """Many documents, in the order asked for, None for each that is absent. At most 500 refs."""

    def query(self, query: Query) -> list[Document]:
        """One page: at most `query.limit` documents; fewer only when there are no more."""

    def count(self, query: Query) -> int:
        """How many documents match; order, cursor, limit and select are ignored."""

    def sum(self, query: Query, fields: Sequence[str]) -> dict[str, int]:
        """Sums of integer fields over all matching documents; a document without a field adds nothing to it."""

    def commit(self, writes: Sequence[Write], checks: Sequence[Check] = ()) -> list[str]:
        """Applies all writes or none, and returns the new revision of each (a deleted document's means nothing).

        A revision is never used again for the same id, also not after delete and create. A write that changes
        nothing may keep the revision, so a caller that relies on the revision always changes a field.
        A ref may occur once among the writes; at most `MAX_COMMIT_WRITES` and `MAX_COMMIT_BYTES`.

        Raises:
            CommitRefusedError: an expectation does not hold; nothing was written; `conflicts` names what is known.
            CommitUnknownError: the answer was lost; read again to know.
            InvalidDocumentError: a document (or the commit) is too large or holds what can't be stored;
                nothing was written. Retrying can't help; splitting may.
        """

    def maintain(self) -> None:
        """Housekeeping that the sweep calls about once a minute; bounded, may do nothing."""

    def close(self) -> None:
        """Releases connections; the store is not used afterwards."""


# ------------------------------------------------------------------------------------------------- queue


class Message(NamedTuple):
    """A task for the queue: POST `body` to `target`, not before `delay` seconds from now.

    `queue` is one of the configured queues, `target` a function's name, `name` unique per intent: equal name, equal
    meaning; a hash, or at least of letters, digits, "-" and "_". `body` is JSON of ids, below 10 KB, and never holds
    a secret.
    """

    queue: str
    name: str
    target: str
    body: bytes
    delay: float = 0.0


class MessageState(NamedTuple):
    """What the queue knows of a name.

    `absent`: no such message is waiting, being executed or due for another attempt. A purged, delivered or unknown
    message is absent alike. `dispatches` and `last_status` (HTTP, None before the first answer) else.
    """

    absent: bool
    dispatches: int = 0
    last_status: int | None = None


class TaskQueue(Protocol):
    """At-least-once delivery over HTTP (or something that looks like it), with delays and back-off.

    A delivery that answers 2xx is acknowledged; anything else is delivered again after a growing delay, without
    limit of attempts. The same message may be delivered twice, also at the same time. No order is promised.
    Deliveries carry `X-CloudTasks-QueueName`, `-TaskName`, `-TaskRetryCount`, `-TaskExecutionCount`, `-TaskETA`.
    Raises `QueueUnavailableError` when the queue can't be reached.
    """

    def enqueue(self, message: Message) -> bool:
        """Durably queues the message. False: the name was used before, and nothing was queued.

        A used name may be refused for ever, so False proves that it was queued once, not that it still is.
        """

    def state(self, queue: str, name: str) -> MessageState:
        """What is known of the message. Never absent while it waits, is being executed or will be retried."""

    def close(self) -> None:
        """Stops delivering (what is under way ends first) and releases connections."""


class QueueControl(Protocol):
    """What an operator can do to a queue; every adapter's tests need it, the functions don't."""

    def pause(self, queue: str) -> None:
        """Stops dispatching; messages are kept and keep being accepted."""

    def resume(self, queue: str) -> None:
        """Dispatches again."""

    def purge(self, queue: str) -> None:
        """Removes every message of the queue; their names stay used. What is being executed goes on."""


# ----------------------------------------------------------------------------------------------- objects


Order = Literal["bytes", "utf16", "segments", "none"]


class Stat(NamedTuple):
    """One object as it is now: what a listing says of it, and what only asking for it tells.

    `content_type` and `metadata` are empty where the store keeps none (`keeps_metadata`). `content_encoding`: how the
    bytes are packed ("gzip"), which is how `read` gives them.
    """

    info: ObjectInfo
    content_type: str = ""
    metadata: Mapping[str, str] = {}
    content_encoding: str = ""

    @property
    def version(self) -> str:
        """The version, which is what one mostly asks for."""
        return self.info.version


MAX_SIGNED_SECONDS = 7 * 86_400
"""What S3 and Google Cloud Storage sign for at most."""

SignedMethod = Literal["GET", "HEAD"]


class SignedUrl(NamedTuple):
    """A URL that is good for whoever has it, until `expires_at` (seconds since the epoch). As secret as a password."""

    url: str
    expires_at: float


class ObjectStore(Protocol):
    """One bucket, container or folder, with credentials.

    Every legal key comes back unchanged: `a//b`, `/lead`, `end/`, `..`, control characters, emoji. Errors are the
    `StoreError` classes of `errors`; credentials are in none of their texts. Safe to call from many threads. All
    calls have time-outs and bounded retries. A store that keeps no versions gives all objects the version "-".

    A version is the same text wherever it is told: `write` returns what `pages` and `stat` then say. Equal content may
    be an equal version (an ETag, an MD5), also after other content in between: who compares and swaps writes bodies
    that never repeat.
    """

    order: Order
    """How listings are sorted; `sort_key` agrees with it."""
    seek: bool
    """Whether a listing can start at a key at the cost of one page. If not, it is walked from the start."""
    keeps_metadata: bool
    """Whether what is written keeps its metadata and content type. If not, both are dropped without a word."""

    @property
    def conditional(self) -> bool:
        """Whether this protocol honours `expect`; some servers that speak it don't, which `services.probing` tells.

        Without it `expect` is not looked at, and the last writer wins. Does not fail, and asks nothing of the network.
        """

    def uri(self, key: str) -> str:
        """The object's address as it stands in a task: `s3://bucket/key`."""

    def sort_key(self, key: str) -> bytes:
        """Keys compare as these bytes do; the only way keys may be compared."""

    def check(self, prefix: str = "", *, need_object: bool = False) -> None:
        """Makes sure that the bucket is there and can be listed; with `need_object`, that an object lies under prefix.

        Raises the `StoreError` that a person needs to read, `PrefixEmptyError` for a prefix without an object.
        """

    def pages(self, prefix: str = "", after: str = "", *, recursive: bool = True) -> Iterator[list[ObjectInfo]]:
        """All objects whose key starts with `prefix` and sorts behind `after`, in order, a page at a time.

        Pages hold at most about 1,000 objects and may be empty. Lazy: nothing is fetched before the first `next`,
        and a page only when it is asked for. Not recursive: no key with a "/" behind the prefix. Keys that end in
        "/" (folder markers) are listed like any other.
        """

    def stat(self, key: str) -> Stat:
        """The object as it is now. Raises `ObjectNotFoundError`."""

    def read(self, key: str, version: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of exactly that version; at most `length` from `offset` (less at the end of the object).

        Raises:
            VersionMismatchError: the object was replaced meanwhile.
            ObjectNotFoundError: it is gone.
        """

    def write(
        self,
        key: str,
        body: bytes,
        *,
        content_type: str,
        expect: str | None = None,
        metadata: Mapping[str, str] = {},
    ) -> str:
        """Writes an object whole and returns its version. `expect`: the version it must have now, "" for none at all.

        Readers see the old object or the new one. Tens of megabytes are fine. `metadata` is written with the body and
        replaces what was there: names of a to z and 0 to 9, a letter first; values of printable ASCII without blanks
        at the ends; 2,000 characters in all, else ValueError.

        Raises:
            VersionMismatchError: `expect` does not hold (if `conditional`). This call has written nothing.
            WriteUnknownError: `expect` does not hold now, but an earlier try of this call may have been the reason,
                since its answer was lost: the object's metadata or content tells who wrote it.
            StoreUnavailableError: the last try failed too. It may have written all the same.
            InvalidKeyError: no object can have that name.
        """

    def delete(self, key: str, *, expect: str | None = None) -> None:
        """Removes an object; that it is absent already is fine. `expect`: the version it must have if it is there.

        Raises `VersionMismatchError` where `expect` does not hold (if `conditional`): this call has removed nothing.
        """

    def presign(
        self, key: str, *, seconds: float, method: SignedMethod = "GET", content_type: str = ""
    ) -> SignedUrl | None:
        """A URL with which anybody can read this object, and nothing else, for so long (1 to `MAX_SIGNED_SECONDS`).

        None where there can be no such URL. `method` is the one that it is good for. The answer is of `content_type`,
        unless that is empty. It ends earlier where the credentials that sign do. Nothing is asked of the bucket, so
        the object may be absent; what can sign only by asking its provider raises `StoreError` where that fails.
        """

    def close(self) -> None:
        """Releases connections."""


# --------------------------------------------------------------------------------------------- receivers


class Receivers(Protocol):
    """Addresses that users chose for webhooks. Texts of errors hold no more of an address than host and port."""

    def check(self, url: str) -> None:
        """Raises `AddressRefusedError` for an address that may not be posted to; one that can't be found now may."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Posts, and returns the status of the answer, which is not followed anywhere.

        The address is checked again, and it is the checked one that is connected to. Bounded in time.

        Raises:
            AddressRefusedError: it may not be posted to.
            ReceiverError: no answer came; what was sent may have arrived.
        """
