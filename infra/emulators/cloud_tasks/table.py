"""The tasks of one queue: the embedded queue's table, and what Cloud Tasks can do beyond it. The body is the task."""

from collections.abc import Sequence
from typing import NamedTuple

from google.cloud.tasks_v2 import Queue, Task

from shared.adapters.queues.message_table import Attempt, MessageTable
from shared.ports import Message

NEVER_ANSWERED = -1
"""Negative: nobody answered an attempt; the code of the RPC that says why, times this."""

_SCHEMA = "CREATE TABLE IF NOT EXISTS settings (id INTEGER PRIMARY KEY CHECK (id = 1), queue BLOB NOT NULL)"
_COLUMNS = "id, dispatches, queue, name, target, body, due, responses, last_status"
_ROW = f"SELECT {_COLUMNS}, executing FROM message WHERE name = ? AND gone IS NULL"  # noqa: S608
_PAGE = f"SELECT {_COLUMNS}, executing FROM message WHERE gone IS NULL AND name > ? ORDER BY name LIMIT ?"  # noqa: S608
_TAKE = "UPDATE message SET executing = 1, dispatches = dispatches + 1, due = ? WHERE id = ?"
_UNANSWERED = """
UPDATE message SET executing = 0, last_status = ?, due = ?
WHERE id = ? AND dispatches = ? AND executing AND gone IS NULL
"""


class Row(NamedTuple):
    """A task as it stands."""

    attempt: Attempt
    executing: bool

    @property
    def task(self) -> Task:
        """The task as it was created."""
        return Task.deserialize(self.attempt.body)


class TaskTable(MessageTable):
    """Tasks and settings of one queue, in a file or in memory; callers take turns."""

    def __init__(self, path: str, now: float, queue: Queue | None = None) -> None:
        """Opens what is there, or creates it for the given queue."""
        super().__init__(path, ["tasks"], now)
        self._write(_SCHEMA)
        if queue is not None:
            self.save(queue)

    def save(self, queue: Queue) -> None:
        """Keeps the queue's settings."""
        self._write(
            "INSERT INTO settings VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET queue = excluded.queue",
            Queue.serialize(queue),
        )
        self.set_paused("tasks", queue.state == Queue.State.PAUSED)

    def settings(self) -> Queue:
        """The queue's settings."""
        return Queue.deserialize(self._read("SELECT queue FROM settings")[0][0])

    def add(self, task: Task, due: float) -> bool:
        """Adds a task. False: its name is in the table already."""
        name = task.name.rpartition("/")[2]
        return self.insert(Message("tasks", name, task.http_request.url, Task.serialize(task)), due)

    def row(self, name: str) -> Row | None:
        """One task that is waiting or being executed."""
        return next(iter(self._rows(_ROW, name)), None)

    def page(self, after: str, limit: int) -> Sequence[Row]:
        """Tasks by name."""
        return self._rows(_PAGE, after, limit)

    def take_now(self, row: Row, until: float) -> Attempt:
        """Takes a task although it may not be due."""
        self._write(_TAKE, until, row.attempt.id)
        return row.attempt._replace(number=row.attempt.number + 1)

    def unanswered(self, attempt: Attempt, code: int, due: float) -> None:
        """Puts a task back whose target gave no answer."""
        self._write(_UNANSWERED, code * NEVER_ANSWERED, due, attempt.id, attempt.number)

    def delete(self, name: str, now: float) -> bool:
        """Ends a task; its name stays used."""
        update = "UPDATE message SET gone = ?, body = x'' WHERE name = ? AND gone IS NULL"
        return self._write(update, now, name) == 1

    def _rows(self, sql: str, *values: object) -> list[Row]:
        return [Row(Attempt(*found[:-1]), bool(found[-1])) for found in self._read(sql, *values)]
