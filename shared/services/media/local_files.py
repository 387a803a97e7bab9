"""Files of local storages, by the address that tasks name them by: their path below the document root."""

from urllib.parse import unquote

from shared.errors import NotFoundError, StoreError
from shared.model.user import User
from shared.ports import ObjectStore
from shared.services.context import Context
from shared.services.media.recorded import may_load
from shared.services.media.streaming import Media

LOCAL_FILES = "localfiles"
MAX_STORAGES = 500
UNKNOWN = "No local storage that you may see holds such a file."


def find(ctx: Context, path: str, *, user: User) -> Media:
    """The file at a path that an import storage of a project of the user's covers, or that one's task is a record of.

    Raises `NotFoundError`.

    Nothing outside of the storage's folder is looked at, whatever the path or a link says.
    """
    for stored in ctx.storages.find(("type", "==", LOCAL_FILES), limit=MAX_STORAGES):
        storage = stored.value
        if storage.direction == "export" or (storage.direction == "import" and not user.may_see(storage.project)):
            continue
        try:
            store = ctx.open_store(storage)
            folder = _served(store)
            if path.startswith(folder):
                key = path[len(folder) :]
                if storage.direction == "dataset" and not may_load(ctx, user, storage.id, key):
                    continue
                return Media(store, key, store.stat(key))
        except StoreError:
            continue  # another storage may hold it
    raise NotFoundError(UNKNOWN)


def _served(store: ObjectStore) -> str:
    """The folder of a store below the document root, with a slash behind it."""
    return unquote(store.uri("").partition("?d=")[2], errors="surrogateescape")
