"""What every use case is given: the ports, the settings, a clock, and the collections over the documents."""

import random
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from shared.model.annotation import Annotation, Prediction, number_by_time
from shared.model.event_work import Tally
from shared.model.run import Gate
from shared.model.schema import VERSION
from shared.model.snapshot import Freeze
from shared.model.storage import Storage
from shared.ports import DocumentStore, ObjectStore, Receivers, TaskQueue
from shared.records.additions import Additions
from shared.records.annotations import Parts, annotations, predictions
from shared.records.chunks import Chunks, Ledgers
from shared.records.collection import Collection
from shared.records.event_work import EventWorks
from shared.records.links import Dues, Links
from shared.records.runs import Hints, Lanes, Runs, gates
from shared.records.schema import Schemas
from shared.records.snapshots import Pieces, Snapshots, freezes
from shared.records.storages import Projects, Storages
from shared.records.tasks import Tasks
from shared.records.uploads import Uploads
from shared.records.users import Tokens, Users
from shared.records.webhooks import Outbox, Webhooks
from shared.services.secrets import Vault
from shared.settings import Settings

QUEUE_RUNS = "runs"
QUEUE_EVENTS = "events"
QUEUE_EXPORTS = "exports"
QUEUE_WEBHOOKS = "webhooks"
QUEUES = (QUEUE_RUNS, QUEUE_EVENTS, QUEUE_EXPORTS, QUEUE_WEBHOOKS)
SYNC_CHUNK = "sync_chunk"
"""The function that permits are sent to."""
EXPORT_ANNOTATIONS = "export_annotations"
"""The function that writes what targets are owed."""
DELIVER_WEBHOOK = "deliver_webhook"
"""The function that is told which item of the outbox to deliver."""
ADD_RECORDS = "add_records"
"""The function that makes tasks of a dataset's records."""
QUEUE_FUNCTIONS = (SYNC_CHUNK, EXPORT_ANNOTATIONS, DELIVER_WEBHOOK, ADD_RECORDS)
"""All that the queue calls; of each, a setting says where it is: `sync_chunk_url`."""


TIE = 1000 << 12
"""A second, in numbers by time: one that is so little smaller than the last comes right behind that."""


def _new_id() -> str:
    return secrets.token_hex(10)


@dataclass(kw_only=True)
class Context:
    """Built once per process by `shared.app`."""

    documents: DocumentStore
    queue: TaskQueue
    settings: Settings
    open_store: Callable[[Storage], ObjectStore]
    """Opens the bucket of a storage; clients are cached. Raises `StoreError` where the settings can't work."""
    receivers: Receivers
    """Posts to the addresses of webhooks."""
    clock: Callable[[], float] = time.time
    new_id: Callable[[], str] = _new_id
    """Ids that are never used again."""
    rng: random.Random = field(default_factory=random.Random)
    boot: str = field(default_factory=_new_id)
    """Names this process; leases of an earlier process of a single-server stack are void."""
    fetchers: Executor | None = None
    """Reads objects concurrently; None reads one at a time."""
    heartbeat: Callable[[Any], AbstractContextManager[Any]] = field(default=lambda _holding: nullcontext())
    """Keeps a holding's lease alive while the context is entered."""
    vault: Vault = field(default_factory=Vault.throwaway)
    """Encrypts the credentials of storages and the addresses of webhooks; its key signs tokens too."""

    stopping: bool = False
    """Set when the process is about to end: workers stop at the next batch boundary."""

    schema_version: int = VERSION
    """Of the documents, as this process last saw it."""
    tally: Tally = field(default_factory=Tally)
    """What notifications came to that is not written down yet."""
    _numbering: Lock = field(init=False, default_factory=Lock)
    _number: int = field(init=False, default=0)
    projects: Projects = field(init=False)
    storages: Storages = field(init=False)
    gates: Collection[Gate] = field(init=False)
    runs: Runs = field(init=False)
    lanes: Lanes = field(init=False)
    hints: Hints = field(init=False)
    chunks: Chunks = field(init=False)
    ledgers: Ledgers = field(init=False)
    tasks: Tasks = field(init=False)
    users: Users = field(init=False)
    tokens: Tokens = field(init=False)
    annotations: Parts[Annotation] = field(init=False)
    predictions: Parts[Prediction] = field(init=False)
    uploads: Uploads = field(init=False)
    webhooks: Webhooks = field(init=False)
    outbox: Outbox = field(init=False)
    links: Links = field(init=False)
    dues: Dues = field(init=False)
    additions: Additions = field(init=False)
    event_work: EventWorks = field(init=False)
    snapshots: Snapshots = field(init=False)
    freezes: Collection[Freeze] = field(init=False)
    pieces: Pieces = field(init=False)
    schemas: Schemas = field(init=False)

    def new_number(self) -> int:
        """An id below 2**53: by time, and never the same twice in this process."""
        with self._numbering:
            number = number_by_time(self.clock(), self.rng.getrandbits(12))
            if self._number - TIE < number <= self._number:
                number = self._number + 1
            self._number = number
            return number

    def out_of_time(self, deadline: float) -> bool:
        """Whether work has to stop at the next boundary."""
        return self.stopping or self.clock() >= deadline

    def __post_init__(self) -> None:
        self.projects = Projects(self.documents)
        self.storages = Storages(self.documents)
        self.gates = gates(self.documents)
        self.runs = Runs(self.documents)
        self.lanes = Lanes(self.documents)
        self.hints = Hints(self.documents)
        self.chunks = Chunks(self.documents)
        self.ledgers = Ledgers(self.documents)
        self.tasks = Tasks(self.documents)
        self.users = Users(self.documents)
        self.tokens = Tokens(self.documents)
        self.annotations = annotations(self.documents)
        self.predictions = predictions(self.documents)
        self.uploads = Uploads(self.documents)
        self.webhooks = Webhooks(self.documents)
        self.outbox = Outbox(self.documents)
        self.links = Links(self.documents)
        self.dues = Dues(self.documents)
        self.additions = Additions(self.documents)
        self.event_work = EventWorks(self.documents)
        self.snapshots = Snapshots(self.documents)
        self.freezes = freezes(self.documents)
        self.pieces = Pieces(self.documents)
        self.schemas = Schemas(self.documents)
