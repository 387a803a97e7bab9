"""Random histories of people, models, requests and changing files, with faults: what must be true stays true."""

import json
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InvalidInputError, NotFoundError, SluiceError
from shared.services.labelling import adding, annotating, predicting, task_edits
from tests.api.client import Api
from tests.labelling import Fault, all_of, assert_consistent, faults

SEEDS = range(8)
STEPS = 120
FAULTS: list[Fault] = ["", "lost", "vanished", "refused"]


class History:
    """One project, three users, a file of tasks that changes, and what was promised to whom."""

    def __init__(self, api: Api, seed: int) -> None:
        self.api, self.ctx = api, api.ctx
        self.rng = random.Random(seed)
        self.now = self.ctx.clock()
        self.ctx.clock = lambda: self.now
        self.ctx.rng = random.Random(seed)
        self.project = api.project(label_config="<View/>")
        self.file = Path(api.folder("rows"), "rows.json")
        self.storage = 0
        self.promised: dict[int, int] = {}
        """Annotations that were answered with, and their tasks: there until somebody deletes them."""
        self.log: list[str] = []
        self.done: set[str] = set()
        """Acts that came to their end."""

    def step(self) -> None:
        acts: list[Callable[[], Any]] = [
            self.annotate,
            self.annotate,
            self.annotate,
            self.edit_annotation,
            self.delete_annotation,
            self.annotate_many,
            self.delete_many,
            self.predict,
            self.predict_many,
            self.forget_prediction,
            self.add,
            self.edit_task,
            self.delete_task,
            self.sync,
        ]
        act = self.rng.choice(acts)
        script = [self.rng.choice(FAULTS) for _ in range(self.rng.choice([0, 0, 1, 3]))]
        self.log.append(f"{act.__name__} {script}")
        self.now += self.rng.choice([0, 0.0004, 1, 70])
        script = [] if act == self.sync else script
        with faults(self.ctx, *script), suppress(NotFoundError, InvalidInputError):
            act()
            self.done.add(act.__name__)

    def tasks(self) -> list[int]:
        page, _query = self.ctx.tasks.page(self.project, after=None, limit=500, select=())
        return [int(task.ref.id) for task in page]

    def some_task(self) -> int:
        return self.rng.choice([*self.tasks(), 5])

    def some(self, count: int) -> list[int]:
        known = self.tasks()
        return self.rng.sample(known, min(count, len(known)))

    def some_annotation(self) -> int:
        found = all_of(self.ctx, "annotations", self.project)
        return int(self.rng.choice(found).ref.id) if found else 5

    def body(self) -> dict[str, Any]:
        return {"result": [self.rng.randrange(3)], "was_cancelled": self.rng.random() < 0.3}

    def annotate(self) -> None:
        key = self.rng.choice(["", "", "k1", "k2"])
        made = annotating.create(
            self.ctx, self.some_task(), self.body(), user=self.rng.randrange(1, 4), idempotency_key=key
        )
        self.promised[made.id] = made.task

    def edit_annotation(self) -> None:
        annotating.update(self.ctx, self.some_annotation(), self.body(), user=self.rng.randrange(1, 4))

    def delete_annotation(self) -> None:
        number = self.some_annotation()
        annotating.delete(self.ctx, number)
        self.promised.pop(number, None)

    def annotate_many(self) -> None:
        for made in annotating.create_many(self.ctx, self.some(4), self.body(), user=1):
            self.promised[made.id] = made.task

    def delete_many(self) -> None:
        numbers = [self.some_annotation() for _ in range(3)]
        annotating.delete_many(self.ctx, self.project, list(dict.fromkeys(numbers)))
        for number in numbers:
            self.promised.pop(number, None)

    def predict(self) -> None:
        predicting.create(self.ctx, self.some_task(), {"result": [self.rng.randrange(3)]}, user=1)

    def predict_many(self) -> None:
        items = [{"task": task, "result": [n]} for task in self.some(3) for n in range(self.rng.randrange(3))]
        predicting.import_many(self.ctx, self.project, items, user=2)

    def forget_prediction(self) -> None:
        found = all_of(self.ctx, "predictions", self.project)
        predicting.delete(self.ctx, int(self.rng.choice(found).ref.id) if found else 5)

    def rows(self) -> list[Any]:
        return [
            {
                "data": {"n": self.rng.randrange(6)},
                "predictions": [{"result": []}] * self.rng.randrange(3),
                "annotations": [{"result": [], "was_cancelled": bool(n)} for n in range(self.rng.choice([0, 0, 0, 2]))],
            }
            for _ in range(self.rng.randrange(1, 6))
        ]

    def add(self) -> None:
        adding.add(self.ctx, self.project, self.rows(), user=1, idempotency_key=self.rng.choice(["", ""]))

    def edit_task(self) -> None:
        task_edits.update(self.ctx, self.some_task(), {"data": {"n": self.rng.randrange(9)}})

    def delete_task(self) -> None:
        if self.rng.random() < 0.05:
            task_edits.delete_all(self.ctx, self.project)
            self.promised.clear()
            return
        number = self.some_task()
        task_edits.delete(self.ctx, number)
        self.promised = {made: task for made, task in self.promised.items() if task != number}

    def sync(self) -> None:
        self.file.write_text(json.dumps(self.rows()))
        if not self.storage:
            fields = {"path": self.api.folder("rows"), "use_blob_urls": False}
            self.storage = self.api.local(self.project, **fields)["id"]
        path = f"/api/storages/localfiles/{self.storage}"
        self.api.post(f"{path}/sync")
        self.api.work()
        ended = self.api.get(path)
        assert ended["status"] == "completed", ended

    def check(self) -> None:
        assert_consistent(self.ctx, self.project)
        there = {int(document.ref.id) for document in all_of(self.ctx, "annotations", self.project)}
        assert set(self.promised) <= there, "annotations that somebody saved are gone"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_history(api: Api, seed: int):
    history = History(api, seed)
    for number in range(STEPS):
        try:
            history.step()
            if number % 10 == 9:
                history.check()
        except (AssertionError, SluiceError) as error:
            raise AssertionError(f"seed {seed}, step {number}: {history.log[-12:]}") from error
    history.check()
    assert len(history.done) == 12, "an act that never succeeds tests nothing"
