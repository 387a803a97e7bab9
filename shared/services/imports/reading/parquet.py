"""Parquet: a task a row, read a row group and a small batch at a time, by a process of its own."""

import atexit
import contextlib
import marshal
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import MappingProxyType
from typing import IO, Any, cast

from shared.model.rows import BadRow, Checkpoint, TaskRow, bad_row
from shared.services.imports.reading.source import BLOCK, ByteSource, nothing_more

_NOTHING: MappingProxyType[str, bytes] = MappingProxyType({})
_BAD = len(BadRow._fields)


def read_parquet(
    source: ByteSource, start: Checkpoint, max_row_bytes: int, patience: float | None = None
) -> Iterator[TaskRow | BadRow]:
    """The rows of a Parquet file, a column a key.

    The columns "data", "predictions", "annotations" and "meta" may hold JSON as text. Nanoseconds are cut to
    microseconds, maps become objects; for the other types see `build_row`. A resume reads the row group that the
    checkpoint lies in again, and passes over the rows that were consumed. Anything wrong with the file is fatal.
    Memory is bounded as long as single cells and pages are: pages are unpacked whole.

    The library aborts its process on some damaged files. So another process, which stays for the next file, decodes,
    and asks this one for the bytes; its end is the file's failure. After `patience` seconds, if that is given, it is
    ended whatever it does, and `TimeoutError` raised.
    """
    reader = _take()
    row, first, done = start.row, not start.row, False
    late = threading.Event()
    timer = threading.Timer(patience or 0.0, reader.stop, [late])
    if patience is not None:
        timer.daemon = True
        timer.start()
    try:
        send(reader.input, (source.size, *start, max_row_bytes))
        while (message := receive(reader.output)) is not None:
            match message:
                case ("read", offset, length):
                    send(reader.input, source.read(offset, length))
                case ("rows", rows):
                    for values in rows:
                        found = _row(values)
                        row, first = found.after.row, False
                        yield found
                case _:
                    done = True
                    return
    except BrokenPipeError:
        pass
    finally:
        timer.cancel()
        if done and not _idle:
            _idle.append(reader)
        else:
            reader.end()
    if late.is_set():
        raise TimeoutError
    reason = "the Parquet file can't be read: its decoder broke down, as damaged files or a lack of memory make it"
    yield bad_row(None if first else row, reason, nothing_more(row, source), fatal=True)


def send(file: IO[bytes], value: Any) -> None:
    """One message to the other process."""
    body = marshal.dumps(value)
    file.write(len(body).to_bytes(4, "little") + body)
    file.flush()


def receive(file: IO[bytes]) -> Any:
    """One message of the other process; None if it has ended."""
    head = file.read(4)
    body = file.read(int.from_bytes(head, "little")) if len(head) == 4 else b""
    return marshal.loads(body) if body and len(body) == int.from_bytes(head, "little") else None  # noqa: S302


def _row(values: tuple[Any, ...]) -> TaskRow | BadRow:
    if len(values) == _BAD:
        index, line, reason, after, fatal = values
        return BadRow(index, line, reason, Checkpoint(*after), fatal)
    return TaskRow(*values[:2], values[2] or _NOTHING, *values[3:-1], Checkpoint(*values[-1]))  # type: ignore[call-arg]


class _Reader:
    """The other process."""

    def __init__(self) -> None:
        path = os.pathsep.join(os.path.abspath(part) for part in sys.path)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "shared.services.imports.reading.parquet_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pipesize=BLOCK,
            env={**os.environ, "PYTHONPATH": path, "RUST_BACKTRACE": "0"},
        )
        self.input = cast(IO[bytes], self.process.stdin)
        self.output = cast(IO[bytes], self.process.stdout)
        self.owner = os.getpid()

    def stop(self, late: threading.Event) -> None:
        """Ends what it does, from another thread, and says so."""
        late.set()
        self.process.kill()

    def end(self) -> None:
        """Ends it, whatever it does."""
        self.process.kill()
        with contextlib.suppress(OSError):
            self.input.close()
        self.output.close()
        self.process.wait()


_idle: list[_Reader] = []


def _take() -> _Reader:
    while True:
        try:
            reader = _idle.pop()
        except IndexError:
            return _Reader()
        if reader.owner == os.getpid() and reader.process.poll() is None:
            return reader
        if reader.owner == os.getpid():
            reader.end()


@atexit.register
def _end_all() -> None:
    while _idle:
        reader = _idle.pop()
        if reader.owner == os.getpid():
            reader.end()
