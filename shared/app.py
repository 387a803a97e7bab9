"""The composition root: chooses the adapters and builds the context that every function is given."""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from os import makedirs
from pathlib import Path

from shared.adapters.documents.indexes import load_indexes
from shared.adapters.documents.sqlite import SqliteDocuments
from shared.adapters.objects.opening import Stores
from shared.adapters.queues.inprocess import Delivery, InProcessQueue
from shared.adapters.receivers import HttpReceivers
from shared.errors import SluiceError
from shared.model.storage import Storage
from shared.ports import DocumentStore, ObjectStore, TaskQueue
from shared.services.accounts import tokens
from shared.services.context import (
    QUEUE_EVENTS,
    QUEUE_EXPORTS,
    QUEUE_FUNCTIONS,
    QUEUE_RUNS,
    QUEUE_WEBHOOKS,
    QUEUES,
    Context,
)
from shared.services.migrations import checking
from shared.services.secrets import Vault
from shared.services.sync.holding import HeartbeatThread
from shared.settings import PRIVATE_MARK, Settings

INDEXES = Path(__file__).resolve().parent.parent / "infra" / "firestore.indexes.json"
QUEUE_LIMITS = {QUEUE_RUNS: 4, QUEUE_EVENTS: 4, QUEUE_EXPORTS: 3, QUEUE_WEBHOOKS: 2}
"""Of the embedded queue: receivers of webhooks, slow as they may be, keep no sync waiting."""
QUEUE_WORKERS = 8

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

    `documents` and `queue` are chosen by the settings unless given. Raises `SchemaTooNewError`, with nothing written.
    """
    if settings.documents != "sqlite" and not (settings.secret_key and settings.token):
        raise ValueError(
            "SLUICE_SECRET_KEY and SLUICE_TOKEN must be set: each process would make its own, and lose it."
        )
    makedirs(settings.data_dir, mode=0o700, exist_ok=True)
    (Path(settings.data_dir) / PRIVATE_MARK).touch()
    given, documents = documents, documents or open_documents(settings)
    try:
        schema_version = checking.check(documents)
    except SluiceError:
        if given is None:
            documents.close()
        raise
    queue = queue or _queue(settings, lambda delivery: deliver(ctx, delivery))
    vault = Vault.of(settings)
    fetchers: Executor = ThreadPoolExecutor(settings.fetch_parallel, thread_name_prefix="fetch")
    ctx = Context(
        documents=documents,
        queue=queue,
        settings=settings,
        open_store=OpenStore(Stores(settings), vault),
        receivers=HttpReceivers(allow_private=settings.webhook_allow_private, timeout=settings.webhook_timeout),
        fetchers=fetchers,
        heartbeat=HeartbeatThread,
        vault=vault,
        schema_version=schema_version,
    )
    tokens.admit_first(documents, tokens.first_token(settings), ctx.clock())
    return ctx


def open_documents(settings: Settings) -> DocumentStore:
    """The document store that the settings name. A vendor's SDK is imported only where it is used."""
    if settings.documents == "sqlite":
        path = Path(settings.data_dir) / "documents.sqlite3"
        return SqliteDocuments(str(path), indexes=load_indexes(INDEXES))
    if settings.documents == "firestore":
        if not settings.google_project:
            raise ValueError("SLUICE_GOOGLE_PROJECT names the project of the Firestore database; it is not set.")
        from shared.adapters.documents.firestore import FirestoreDocuments

        return FirestoreDocuments(settings.google_project, database=settings.firestore_database)
    raise ValueError(f"SLUICE_DOCUMENTS={settings.documents!r}: write sqlite or firestore")


def _queue(settings: Settings, deliver: Callable[[Delivery], int]) -> TaskQueue:
    if settings.queue == "inprocess":
        file = str(Path(settings.data_dir) / "queue.sqlite3")
        return InProcessQueue(file, queues=QUEUES, deliver=deliver, workers=QUEUE_WORKERS, limits=QUEUE_LIMITS)
    if settings.queue != "cloudtasks":
        raise ValueError(f"SLUICE_QUEUE={settings.queue!r}: write inprocess or cloudtasks")
    # Imported here: a laptop starts without Google's libraries.
    from shared.adapters.queues.cloud_tasks import CloudTasksQueue

    return CloudTasksQueue(
        project=settings.google_project,
        location=settings.google_location,
        queues=QUEUES,
        target_urls={name: getattr(settings, f"{name}_url") for name in QUEUE_FUNCTIONS},
        service_account=settings.caller_service_account,
        audience=settings.caller_audience,
        prefix=settings.queue_prefix,
        pool=settings.queue_pool,
        deadline=settings.function_timeout,
        endpoint=settings.cloud_tasks_endpoint,
    )


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
