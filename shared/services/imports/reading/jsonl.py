"""JSONL: a row a line."""

from collections.abc import Iterator

from shared.model.rows import BadRow, Checkpoint, TaskRow, bad_row, build_row, too_large
from shared.services.imports.reading.source import ByteSource, Window
from shared.services.imports.reading.values import explain, parse

_SPACE = b" \t\r\n"


def read_lines(source: ByteSource, begin: int, start: Checkpoint, max_row_bytes: int) -> Iterator[TaskRow | BadRow]:
    """The rows of JSONL whose first line begins at byte `begin`.

    Lines end at a line feed alone; empty ones are no rows. A broken line costs only itself, one beyond `max_row_bytes`
    is passed over without being held. After a resume the `line` of a bad row is None: what lies before is not read.
    """
    row, line = start.row, 0
    fresh = start.offset == 0
    for raw, size, end in split_lines(Window(source, begin if fresh else start.offset), max_row_bytes):
        line += 1
        if raw is not None and len(raw) < 2 and not raw.strip(_SPACE):
            continue  # Empty lines of other lengths are told when they fail to parse, which costs the others nothing.
        after = Checkpoint(row + 1, end)
        item: TaskRow | BadRow
        if raw is None:
            item = too_large(row, size, max_row_bytes, after)
        else:
            try:
                value = parse(raw)
            except ValueError as error:
                if not raw.strip(_SPACE):
                    continue
                item = bad_row(row, explain(error, raw), after)
            else:
                item = build_row(value, row, after, max_row_bytes)
        if fresh and type(item) is BadRow:
            item = item._replace(line=line)
        yield item
        row += 1


def split_lines(window: Window, limit: int) -> Iterator[tuple[bytes | None, int, int]]:
    """Each line without its line feed, its size, and the byte behind it. None stands for a line beyond `limit`."""
    index = 0
    while True:
        data, base = window.data, window.base
        end = data.find(b"\n", index)
        while end >= 0:
            yield (data[index:end] if end - index <= limit else None), end - index, base + end + 1
            index = end + 1
            end = data.find(b"\n", index)
        del data  # Or the window would hold two blocks while it slides.
        if len(window.data) - index > limit:
            yield _pass_over(window, index)
            index = 0
        elif window.slide(index):
            index = 0
        else:
            size = len(window.data) - index
            if size:
                yield window.data[index:], size, base + index + size
            return


def _pass_over(window: Window, index: int) -> tuple[bytes | None, int, int]:
    """One line that is too long to hold (an empty one if it is nothing but space); the window then begins behind it."""
    begin = window.base + index
    blank = not window.data[index:].strip(_SPACE)
    while True:
        passed = len(window.data)
        if not window.slide(passed):
            end = window.base + passed
            window.data, window.base = b"", end
            return (b"" if blank else None), end - begin, end
        found = window.data.find(b"\n")
        line = window.data if found < 0 else window.data[:found]
        blank = blank and not line.strip(_SPACE)
        if found >= 0:
            end = window.base + found
            window.data, window.base = window.data[found + 1 :], end + 1
            return (b"" if blank else None), end - begin, end + 1
