"""A storage over a bucket in memory, worked on step by step, with a clock that moves by itself."""

import json

from shared.adapters.objects.memory import MemoryObjects
from shared.errors import AccessDeniedError
from shared.model.providers import S3
from shared.services.context import QUEUE_WEBHOOKS
from shared.services.labelling import annotating, task_edits
from shared.services.storages import editing
from shared.services.sync import hints, notices, runs
from shared.settings import Settings
from tests.simulation.world import PROJECT, STORAGE, World

SETTINGS = Settings(max_lanes=2, deletion_floor=2, deletion_share=0.0)


class Bucket(MemoryObjects):
    """Its listing may lack what is there, and asking for an object may be refused."""

    hidden = ()
    refused = False
    asked = 0

    def pages(self, prefix="", after="", *, recursive=True):
        for page in super().pages(prefix, after, recursive=recursive):
            yield [info for info in page if info.key not in self.hidden]

    def stat(self, key):
        self.asked += 1
        if self.refused:
            raise AccessDeniedError("no")
        return super().stat(key)


class Desk:
    """A storage over a bucket in memory."""

    def __init__(self, keys="abcd", *, blob_mode=True, settings=SETTINGS, **config):
        self.bucket = Bucket()
        self.world = World(self.bucket, settings, blob_mode=blob_mode, config=config, events=True, errors=True)
        self.ctx = self.world.ctx
        for key in keys:
            self.put(key, "first")
        if keys:
            self.sync()

    def put(self, key, *texts):
        self.bucket.put(key, json.dumps([{"data": {"text": text}} for text in texts]).encode())

    def sync(self, **asked):
        runs.start_run(self.ctx, STORAGE, **asked)
        return self.work()

    def work(self):
        while self.world.waiting:
            name = min(self.world.waiting, key=self.world.due.__getitem__)
            if self.world.waiting[name].queue == QUEUE_WEBHOOKS:
                del self.world.waiting[name]
                continue
            self.world.now = max(self.world.now, self.world.due[name])
            self.world.run_to_end(self.world.deliver(name))
        return self.ctx.storages.get(STORAGE).value

    def told(self, key):
        storage, gate = self.ctx.storages.get(STORAGE).value, self.ctx.gates.get(STORAGE).value
        sort_key = storage.provider.sort_key
        hints.mark_all(self.ctx, gate, sort_key, notices.dirty_keys(storage, [key]))
        self.work()

    def edit(self, **fields):
        editing.update(self.ctx, S3, STORAGE, fields, partial=True)

    def tasks(self):
        """The mark of each object's task."""
        found, _ = self.ctx.tasks.page(PROJECT, after=None, limit=100)
        return {task.data["key"]: task.data.get("mark", "") for task in found}

    def texts(self):
        """What each task says, and its mark."""
        found, _ = self.ctx.tasks.page(PROJECT, after=None, limit=100)
        return [(json.loads(task.data["data"])["text"], task.data.get("mark", "")) for task in found]

    def number(self, key):
        found, _ = self.ctx.tasks.page(PROJECT, after=None, limit=100)
        return next(int(task.ref.id) for task in found if task.data["key"] == key)

    def annotate(self, key):
        annotating.create(self.ctx, self.number(key), {"result": []}, user=1)

    def delete(self, key):
        task_edits.delete(self.ctx, self.number(key))
