"""Datasets, by which tasks load the one record that each was made of, and nothing else.

A task names its dataset; its origin names the dataset's bucket as it was then. Neither can be set by a request. So a
dataset opens no bucket to a project: its members load the records that an admin gave them as tasks.
"""

from shared.model.addition import origin
from shared.model.dataset_record import record_id
from shared.model.storage import Storage
from shared.model.task import task_id
from shared.model.uris import SCHEMES
from shared.model.user import User
from shared.ports import Document
from shared.records import tasks
from shared.records.collection import Stored
from shared.services.context import Context

SCHEME_OF = {store: scheme for scheme, store in SCHEMES.items()}
PROJECTS = 100
"""Tasks looked for at once; of each the content comes with it."""


class Recorded:
    """The datasets of some tasks, for one answer; each is read when its first task is met."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._known: dict[int, tuple[Stored[Storage], str] | None] = {}

    def storage(self, task: Document) -> Stored[Storage] | None:
        """The dataset that a task's record is read by: while it holds that bucket, and its prefix the key."""
        if not task.data.get("record"):
            return None
        number = int(task.data["storage"])
        if number not in self._known:
            self._known[number] = self._read(number)
        found = self._known[number]
        if found is None or task.data["map"] != origin(found[1], int(task.data["project"])):
            return None
        return found[0] if task.data["key"].startswith(found[0].value.prefix) else None

    def source(self, task: Document) -> str:
        """The URI of the record that a task was made of; "" if there is none, or nothing to load it by."""
        found = self.storage(task)
        if found is None:
            return ""
        provider = found.value.provider
        bucket, scheme = found.value.config.get(provider.bucket), SCHEME_OF.get(provider.store)
        return f"{scheme}://{bucket}/{task.data['key']}" if bucket and scheme else ""

    def _read(self, number: int) -> tuple[Stored[Storage], str] | None:
        stored, gate = self._ctx.storages.get(number), self._ctx.gates.get(number)
        if stored is None or gate is None or stored.value.direction != "dataset":
            return None
        return stored, gate.value.map


def may_load(ctx: Context, user: User, dataset: int, key: str) -> bool:
    """Whether a record is a task of a project of the user's. Datasets are the admins', so they may load any."""
    if user.admin:
        return True
    gate = ctx.gates.get(dataset)
    if gate is None:
        return False
    record, projects = record_id(gate.value.map, key), sorted(user.projects)
    for at in range(0, len(projects), PROJECTS):
        maps = [origin(gate.value.map, project) for project in projects[at : at + PROJECTS]]
        refs = [tasks.ref(task_id(one, key, None)) for one in maps]
        for document, one in zip(ctx.documents.get_many(refs), maps, strict=True):
            if document is None or document.data.get("deleted") or document.data.get("record") != record:
                continue
            if document.data["map"] == one and ctx.projects.get(document.data["project"]) is not None:
                return True
    return False
