"""The composition root: chooses the adapters and builds the context that every function is given."""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from os import makedirs
from pathlib import Path

from shared.adapters.documents.indexes import load_indexes
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.adapters.objects.opening import Stores
from shared.adapters.queues.inprocess import Delivery, InProcessQueue
from shared.model.storage import Storage
from shared.ports import DocumentStore, ObjectStore, TaskQueue
from shared.services import tokens
from shared.services.context import QUEUES, Context
from shared.services.holding import HeartbeatThread
from shared.services.secrets import Vault
from shared.settings import PRIVATE_MARK, Settings

INDEXES = Path(__file__).resolve().parent.parent / "infra" / "firestore.indexes.json"
QUEUE_WORKERS = 4

Deliver = Callable[[Context, Delivery], int]
"""Calls the function that a message is for, and returns the HTTP status of its answer."""


class OpenStore:
    """Opens the bucket of a storage with its credentials, which are decrypted here and nowhere else."""

    def __init__(self, stores: Stores, vault: Vault) -> None:
        self.stores = stores
        self._vault = vault

    def __call__(self, storage: Storage) -> ObjectStore:
        """The store. Raises `StoreError`."""
        return self.stores.open(storage, self._vault.open(storage.secrets))


def build(
    settings: Settings,
    deliver: Deliver,
    *,
    documents: DocumentStore | None = None,
    queue: TaskQueue | None = None,
) -> Context:
    """The context of a process; `close` releases it. The embedded queue delivers once somebody starts it.

    `documents` and `queue` are chosen by the settings unless given.
    """
    makedirs(settings.data_dir, mode=0o700, exist_ok=True)
    data = Path(settings.data_dir)
    (data / PRIVATE_MARK).touch()
    # Deployed adapters (Firestore, Cloud Tasks) are chosen here.
    documents = documents or SqliteDocuments(str(data / "documents.sqlite3"), indexes=load_indexes(INDEXES))
    queue = queue or InProcessQueue(
        str(data / "queue.sqlite3"),
        queues=QUEUES,
        deliver=lambda delivery: deliver(ctx, delivery),
        workers=QUEUE_WORKERS,
    )
    vault = Vault.of(settings)
    fetchers: Executor = ThreadPoolExecutor(settings.fetch_parallel, thread_name_prefix="fetch")
    ctx = Context(
        documents=documents,
        queue=queue,
        settings=settings,
        open_store=OpenStore(Stores(settings), vault),
        fetchers=fetchers,
        heartbeat=HeartbeatThread,
        vault=vault,
    )
    tokens.admit_first(documents, tokens.first_token(settings), ctx.clock())
    return ctx


def start(ctx: Context) -> None:
    """Starts what runs in this process: the embedded queue's workers. Deployed, the queue is elsewhere."""
    if isinstance(ctx.queue, InProcessQueue):
        ctx.queue.start()


def maintain(ctx: Context) -> None:
    """Housekeeping of what runs in this process, besides the sweep: the embedded queue forgets old names."""
    if isinstance(ctx.queue, InProcessQueue):
        ctx.queue.maintain()


def close(ctx: Context) -> None:
    """Ends deliveries, waits for what is under way, and releases every connection."""
    ctx.stopping = True
    ctx.queue.close()
    if ctx.fetchers is not None:
        ctx.fetchers.shutdown()
    if isinstance(ctx.open_store, OpenStore):
        ctx.open_store.stores.close()
    ctx.documents.close()
