"""What people see: the progress of a sync, its summary, and tables."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from infra.client import Counts, Storage

LINE_INTERVAL = 2.0
"""Seconds between lines where the output is no terminal."""
PIPE_WIDTH = 200
COLOURS = {"completed": "green", "completed_with_errors": "yellow", "failed": "red"}

Show = Callable[[Storage], None]


def make_console(*, stderr: bool = False) -> Console:
    """A console; into a pipe its lines are not cut to a terminal's width."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=PIPE_WIDTH)


def plain(text: object) -> str:
    """Text of others, such as keys: without what would steer a terminal."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in str(text))


def say(console: Console, text: str, style: str = "") -> None:
    """Prints text as it is: no markup, no line breaks that are not in it."""
    console.print(Text(plain(text), style), soft_wrap=True)


@contextmanager
def progress(console: Console) -> Iterator[Show]:
    """Shows a sync while the context is entered: a live bar on a terminal, else a line now and then."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    bar = _Bar()
    with Live(console=console, get_renderable=lambda: bar, refresh_per_second=10):
        yield bar


class _Meter:
    """Time and tasks since the first state that was shown; a sync may have been under way before."""

    def __init__(self) -> None:
        self.storage: Storage | None = None
        self._since = time.monotonic()
        self._before = 0

    def __call__(self, storage: Storage) -> None:
        if self.storage is None:
            self._before = _done(storage.counts)
        self.storage = storage

    def line(self) -> str:
        counts = self.storage.counts if self.storage else Counts()
        rate = (_done(counts) - self._before) / max(self.elapsed, 0.1)
        rows = f" + {counts.bad_rows:,} rows" if counts.bad_rows else ""
        return (
            f"{counts.listed:,} listed   {counts.created:,} created   {counts.existed:,} existed   "
            f"{counts.failed:,} failed{rows}   {max(rate, 0):,.0f} tasks/s"
        )

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._since


class _Bar(_Meter):
    """Two lines that draw themselves anew: the share of the objects listed so far that is done, and the counts."""

    def __init__(self) -> None:
        super().__init__()
        self._spinner = Spinner("dots")

    def __rich__(self) -> RenderableType:
        counts = self.storage.counts if self.storage else Counts()
        handled = counts.imported + counts.excluded + counts.failed
        bar = ProgressBar(
            total=max(counts.listed, 1), completed=handled, pulse=not handled, width=40, finished_style="green"
        )
        head = Table.grid(padding=(0, 1))
        status = self.storage.status.replace("_", " ") if self.storage else ""
        head.add_row(self._spinner, f"{status:<11}", bar, str(timedelta(seconds=int(self.elapsed))))
        return Group(head, Text(f"  {self.line()}", no_wrap=True, overflow="ellipsis"))


class _Lines(_Meter):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._next = 0.0
        self._last = ""

    def __call__(self, storage: Storage) -> None:
        changed = self.storage is None or storage.status != self.storage.status
        super().__call__(storage)
        line = f"{storage.status}: {self.line()}"
        if line != self._last and (changed or self.elapsed >= self._next):
            self._last, self._next = line, self.elapsed + LINE_INTERVAL
            say(self._console, f"{self.elapsed:6.1f} s  {line}")


def _done(counts: Counts) -> int:
    return counts.created + counts.existed


def summary(console: Console, storage: Storage) -> None:
    """How a sync ended, in a table, and the traceback if there is one."""
    counts = storage.counts
    made = counts.created + counts.updated
    rate = f", {made / storage.seconds:,.0f} tasks/s" if storage.seconds and made else ""
    colour = COLOURS.get(storage.status, "")
    table = Table("", "listed", "imported", "excluded", "failed", box=None, pad_edge=False, header_style="dim")
    table.add_row("objects", *(f"{n:,}" for n in (counts.listed, counts.imported, counts.excluded, counts.failed)))
    table.add_row("", *(Text(name, "dim") for name in ("created", "existed", "updated", "failed")))
    table.add_row("tasks", *(f"{n:,}" for n in (counts.created, counts.existed, counts.updated, counts.bad_rows)))
    for column in table.columns[1:]:
        column.justify = "right"
    say(console, f"{storage.status} in {storage.seconds:.2f} s{rate}", f"bold {colour}".strip())
    console.print(table)
    if storage.traceback:
        say(console, storage.traceback, colour)


def storages_table(console: Console, storages: Iterable[Storage]) -> None:
    """Storages, one a line."""
    table = _table("Id", "Project", "Source", "Mode", "Status", "Last sync", "Listed", "Created", "Existed", "Failed")
    for storage in storages:
        counts = storage.counts
        numbers = (counts.listed, counts.created, counts.existed, counts.failed + counts.bad_rows)
        table.add_row(
            *map(str, (storage.id, storage.project)),
            Text(plain(storage.place), overflow="fold"),
            "blobs" if storage.settings.get("use_blob_urls") else "tasks",
            Text(storage.status, COLOURS.get(storage.status, "")),
            (storage.last_sync or "")[:19].replace("T", " "),
            *(f"{number:,}" for number in numbers),
        )
    console.print(table)


def tasks_table(console: Console, tasks: Iterable[Mapping[str, Any]], total: int) -> None:
    """Tasks, one a line, with as much of their data as fits."""
    table = _table("Id", "Data", "File", "Annotations", "Predictions")
    shown = 0
    for task in tasks:
        shown += 1
        table.add_row(
            str(task["id"]),
            Text(plain(json.dumps(task["data"], ensure_ascii=False)), no_wrap=True, overflow="ellipsis"),
            Text(plain(task.get("storage_filename") or ""), no_wrap=True, overflow="ellipsis"),
            *(str(task.get(name) or 0) for name in ("total_annotations", "total_predictions")),
        )
    console.print(table)
    say(console, f"{shown:,} of {total:,} tasks")


def plain_table(console: Console, names: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Rows of text, one a line."""
    table = _table(*names)
    for row in rows:
        table.add_row(*(Text(plain(cell), overflow="fold") for cell in row))
    console.print(table)


def _table(*names: str) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in names:
        numeric = name in {"Listed", "Created", "Existed", "Failed", "Annotations", "Predictions"}
        table.add_column(name, justify="right" if numeric else "left", no_wrap=name == "Id")
    return table
