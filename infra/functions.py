"""What is deployed, as values: the functions and queues of `infra/functions.json`.

for function in load().functions.values():
    print(function.name, function.trigger)
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

LIST = Path(__file__).resolve().with_name("functions.json")
API = "api"
"""The function that users call: locally it is at the root, the others are at their names."""
PUBLIC, QUEUED, PUBSUB, TIMER = "public", "queue", "pubsub", "timer"
TRIGGERS = (PUBLIC, QUEUED, PUBSUB, TIMER)
NEEDS = ("documents", "queue", "read_buckets", "write_buckets", "sign_urls")

_Entry = TypeVar("_Entry", "Function", "Queue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function: who calls it, what it may do, how much it gets. Its name is the target that `main.py` exports."""

    name: str
    description: str
    trigger: str
    """One of `TRIGGERS`: everybody, the task queue, Pub/Sub or the timer calls it."""
    needs: tuple[str, ...]
    """Of `NEEDS`, which are what its identity must be allowed to do."""
    memory: str
    cpu: str
    timeout_seconds: int
    concurrency: int
    max_instances: int
    schedule: str = ""
    """Of a function that the timer calls: when, as cron writes it."""

    def __post_init__(self) -> None:
        if self.trigger not in TRIGGERS:
            raise ValueError(f"function {self.name}: trigger {self.trigger!r} is none of {', '.join(TRIGGERS)}")
        if unknown := set(self.needs) - set(NEEDS):
            raise ValueError(f"function {self.name}: needs {sorted(unknown)} are none of {', '.join(NEEDS)}")
        if bool(self.schedule) != (self.trigger == TIMER):
            raise ValueError(f"function {self.name}: a schedule is what the trigger {TIMER} has, and nobody else")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue: which functions it calls, and how fast. A deployment makes a pool of each."""

    name: str
    functions: tuple[str, ...]
    dispatches_per_second: float
    concurrent_dispatches: int
    min_backoff_seconds: float
    max_backoff_seconds: float


@dataclass(frozen=True, slots=True)
class Deployed:
    """All of it, by name, in the order of the file."""

    functions: Mapping[str, Function]
    queues: Mapping[str, Queue]

    def called_by(self, *triggers: str) -> tuple[Function, ...]:
        """The functions with one of these triggers."""
        return tuple(function for function in self.functions.values() if function.trigger in triggers)


def load(path: str | Path = LIST) -> Deployed:
    """Reads the list. Raises `ValueError` that names the entry if one is not as it must be."""
    written = json.loads(Path(path).read_text(encoding="utf-8"))
    functions = {name: _entry(Function, name, entry) for name, entry in written["functions"].items()}
    queues = {name: _entry(Queue, name, entry) for name, entry in written["queues"].items()}
    queued = {name for name, function in functions.items() if function.trigger == QUEUED}
    for queue in queues.values():
        if others := set(queue.functions) - queued:
            raise ValueError(f"queue {queue.name}: {sorted(others)} are no functions with the trigger {QUEUED}")
    if idle := queued - {name for queue in queues.values() for name in queue.functions}:
        raise ValueError(f"no queue calls {sorted(idle)}, whose trigger is {QUEUED}")
    return Deployed(functions, queues)


def _entry(kind: type[_Entry], name: str, written: Mapping[str, Any]) -> _Entry:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in written.items()}
    known = {field.name for field in fields(kind)} - {"name"}
    if unknown := values.keys() - known:
        raise ValueError(f"{name}: {kind.__name__} has no field {sorted(unknown)}")
    try:
        return kind(name=name, **values)
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from None
