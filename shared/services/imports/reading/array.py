"""JSON arrays: a row an element, found by its brackets and parsed alone."""

from collections.abc import Iterator

from shared.model.rows import BadRow, Checkpoint, TaskRow, bad_row, build_row, too_large
from shared.services.imports.reading.scanner import BracketError, Scanner
from shared.services.imports.reading.source import ByteSource, Window, nothing_more
from shared.services.imports.reading.values import explain, parse

_NEAR = 24


class _BrokenError(Exception):
    """The array can't be followed any further; the text says where and why."""


def read_array(source: ByteSource, begin: int, start: Checkpoint, max_row_bytes: int) -> Iterator[TaskRow | BadRow]:
    """The rows of a JSON array whose first element, or its end, is behind byte `begin`.

    An element that is broken inside matching brackets costs only itself, and one beyond `max_row_bytes` is passed over
    without being held. Where brackets or commas are wrong nobody can say what the next element is: fatal.
    """
    row = start.row
    elements = _Elements(Window(source, start.offset or begin), max_row_bytes, first=start.offset == 0)
    try:
        while (found := elements.next()) is not None:
            raw, size, end = found
            after = Checkpoint(row + 1, end)
            item: TaskRow | BadRow
            if raw is None:
                item = too_large(row, size, max_row_bytes, after)
            else:
                try:
                    value = parse(raw)
                except ValueError as error:
                    item = bad_row(row, explain(error, raw, end - size), after)
                else:
                    item = build_row(value, row, after, max_row_bytes)
            yield item
            row += 1
    except _BrokenError as error:
        yield bad_row(row, str(error), nothing_more(row, source), fatal=True)


class _Elements:
    """Cuts an array into its elements."""

    def __init__(self, window: Window, limit: int, *, first: bool) -> None:
        self._window = window
        self._limit = limit
        self._first = first
        self._index = 0
        self._scanner = Scanner()

    def next(self) -> tuple[bytes | None, int, int] | None:
        """An element (None if it is beyond the limit), its size and the byte behind it; None at the array's end."""
        window = self._window
        index = window.skip_space(self._index)
        if window.data[index : index + 1] == b"]" and index < len(window.data):
            self._finish(index + 1)
            return None
        if self._first:
            self._first = False
        else:
            self._expect(index, b",", "a comma or ] is missing")
            index = window.skip_space(index + 1)
        return self._element(index)

    def _element(self, index: int) -> tuple[bytes | None, int, int]:
        window, scanner = self._window, self._scanner
        byte = window.data[index : index + 1]
        if not byte or byte in b",:]}":
            self._expect(index, b"", "a value is missing")
        begin = window.base + index
        scanner.start(byte[0])
        try:
            at = scanner.feed(window.data, index)
            while not scanner.done:
                # What is too large is forgotten as it passes.
                keep = index if len(window.data) - index <= self._limit else at
                if not window.slide(keep):
                    self._expect(len(window.data), b"", "")
                index, at = max(0, index - keep), at - keep
                at = scanner.feed(window.data, at)
        except BracketError as error:
            self._expect(error.index, b"", str(error))
        self._index = at
        end = window.base + at
        size = end - begin
        return (window.data[at - size : at] if size <= self._limit else None), size, end

    def _finish(self, index: int) -> None:
        index = self._window.skip_space(index)
        if index < len(self._window.data):
            raise _BrokenError(f"there is more behind the end of the array, at byte {self._window.base + index}")

    def _expect(self, index: int, byte: bytes, problem: str) -> None:
        window = self._window
        place = window.base + index
        if index >= len(window.data):
            raise _BrokenError(f"the file ends in the middle of the array, at byte {place}")
        if window.data[index : index + 1] != byte:
            while len(window.data) < index + _NEAR and window.slide(index):
                index = 0
            near = window.data[index : index + _NEAR].decode("utf-8", "replace")
            raise _BrokenError(f"{problem} at byte {place}, near '{near}'")
