"""The process that decodes Parquet: asks for bytes on its output, is given them on its input; see `read_parquet`."""

import sys

from shared.model.rows import BadRow, Checkpoint, TaskRow
from shared.services.imports.reading.parquet import receive, send
from shared.services.imports.reading.parquet_rows import decode


class _Asked:
    """The source, which the other process reads."""

    key = ""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the object."""
        send(sys.stdout.buffer, ("read", offset, length))
        part = receive(sys.stdin.buffer)
        if not isinstance(part, bytes):
            raise SystemExit
        return part


def _plain(row: TaskRow | BadRow) -> tuple[object, ...]:
    if isinstance(row, BadRow):
        return (*row[:3], tuple(row.after), row.fatal)
    return (row.index, row.data, dict(row.extra), *row[3:-1], tuple(row.after))


def main() -> None:
    """Serves files until the input ends."""
    while (job := receive(sys.stdin.buffer)) is not None:
        size, row, offset, max_row_bytes = job
        for rows in decode(_Asked(size), Checkpoint(row, offset), max_row_bytes):
            send(sys.stdout.buffer, ("rows", list(map(_plain, rows))))
        send(sys.stdout.buffer, ("end",))


if __name__ == "__main__":
    main()
