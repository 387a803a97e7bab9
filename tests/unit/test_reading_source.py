import tracemalloc
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, settings

from shared.errors import ObjectNotFoundError, StoreUnavailableError
from shared.model.rows import BadRow, Checkpoint, TaskRow
from shared.services.imports.reading import BLOCK, ByteSource, RangedSource, WholeBytes, read_rows
from shared.services.imports.reading.source import Window

LIMIT = 900_000
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
Row = TaskRow | BadRow


class Chunked:
    """Bytes that come in pieces of the given sizes, over and over, wherever they are asked for."""

    def __init__(self, key: str, body: bytes, sizes: Sequence[int] = (BLOCK,)) -> None:
        self.key, self.body, self.size = key, body, len(body)
        self.sizes = sizes
        self.calls = 0

    def read(self, offset: int, length: int) -> bytes:
        assert 0 < length <= BLOCK
        self.calls += 1
        return self.body[offset : offset + min(length, self.sizes[self.calls % len(self.sizes)])]


def rows_of(source: ByteSource | bytes, key: str = "a.json", limit: int = LIMIT, **start: Any) -> list[Row]:
    source = WholeBytes(key, source) if isinstance(source, bytes) else source
    return list(read_rows(source, max_row_bytes=limit, **start))


def values(rows: Sequence[Row]) -> list[Any]:
    """The data of good rows, None for bad ones."""
    return [orjson.loads(row.data) if isinstance(row, TaskRow) else None for row in rows]


def without_line(row: Row) -> Row:
    return row._replace(line=None) if isinstance(row, BadRow) else row


class Store:
    """The part of an object store that is read from; it notes what was asked."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.asked: list[tuple[int, int]] = []

    def read(self, key: str, version: str, *, offset: int = 0, length: int | None = None) -> bytes:
        assert (key, version) == ("k.jsonl", "v7")
        assert length is not None
        assert length <= BLOCK
        self.asked.append((offset, length))
        return self.body[offset : offset + length]


def ranged(body: bytes, size: int | None = None) -> tuple[RangedSource, Store]:
    store = Store(body)
    return RangedSource(store, "k.jsonl", "v7", len(body) if size is None else size), store  # type: ignore[arg-type]


def test_reading_on_takes_whole_blocks_and_jumps_take_little() -> None:
    source, store = ranged(bytes(range(256)) * 10_000)
    assert source.read(5, 10) == store.body[5:15]
    assert source.read(15, 100) == store.body[15:115]
    assert store.asked == [(5, 65_536)]
    assert source.read(5 + 65_536, 1) == store.body[65_541:65_542]
    assert store.asked[1:] == [(65_541, BLOCK)]
    assert source.read(2_000_000, 500_000) == store.body[2_000_000:2_500_000]
    assert source.read(2_559_999, 10) == store.body[-1:]
    assert source.read(2_560_000, 10) == b""


def test_a_read_may_be_served_in_part_by_the_block_at_hand() -> None:
    source, store = ranged(b"0123456789" * 10_000)
    source.read(1, 10)
    assert source.read(65_530, 100) == store.body[65_530:65_537]


def test_a_store_that_ends_early_is_not_the_end_of_the_file() -> None:
    body = b'{"a":1}\n' * 10
    source, _ = ranged(body, size=1000)
    with pytest.raises(StoreUnavailableError, match="ended after 80 of 1000 bytes"):
        list(read_rows(source, max_row_bytes=LIMIT))


def test_the_stores_error_passes_and_the_rows_go_on_at_the_checkpoint() -> None:
    class Failing(Chunked):
        def read(self, offset: int, length: int) -> bytes:
            if offset >= 400:
                raise ObjectNotFoundError
            return super().read(offset, length)

    body = b"".join(b'{"a":%d}\n' % number for number in range(100))
    rows: list[Row] = []
    with pytest.raises(ObjectNotFoundError):
        rows.extend(read_rows(Failing("a.jsonl", body, [50]), max_row_bytes=200))
    assert 30 < len(rows) < 60
    rows += rows_of(Chunked("a.jsonl", body), limit=200, start=rows[-1].after)
    assert values(rows) == [{"a": number} for number in range(100)]
    assert [row.index for row in rows] == list(range(100))


def test_windows_slide() -> None:
    window = Window(Chunked("k", b"  \n\t  abc", [2]), 1)
    index = window.skip_space(0)
    assert (window.base + index, window.data[index : index + 1]) == (6, b"a")
    while window.slide(len(window.data) - 1):
        assert len(window.data) <= 3
    assert (window.data[-1:], window.base + len(window.data)) == (b"c", 9)
    before = window.data
    assert not window.slide(1)
    assert window.data == before


def test_beyond_the_end_nothing_is_read() -> None:
    source = Chunked("a.json", b'{"a":1}')
    last = rows_of(source)[-1].after
    source.calls = 0
    assert rows_of(source, start=last) == []
    assert source.calls == 0


class Repeated:
    """A big file that is never there as a whole."""

    def __init__(self, key: str, head: bytes, unit: bytes, size: int, tail: bytes) -> None:
        self.key, self._head, self._tail = key, head, tail
        self.rows = size // len(unit)
        self._unit = unit * (BLOCK // len(unit))
        self._tail_at = len(head) + self.rows * len(unit)
        self._row = len(unit)
        self.size = self._tail_at + len(tail)

    def read(self, offset: int, length: int) -> bytes:
        assert length <= BLOCK
        if offset < len(self._head):
            return self._head[offset : offset + length]
        if offset >= self._tail_at:
            return self._tail[offset - self._tail_at :][:length]
        at = (offset - len(self._head)) % len(self._unit)
        return self._unit[at : at + min(length, self._tail_at - offset)]


MEGABYTES = 30_000_000
LINE = orjson.dumps({"image": "s3://bucket/" + "x" * 500, "text": "y" * 500})
GOOD = b'{"n":1}'


@pytest.mark.parametrize(
    ("source", "good", "bad"),
    [
        pytest.param(Repeated("a.jsonl", b"", LINE + b"\n", MEGABYTES, b""), None, 0, id="jsonl"),
        pytest.param(Repeated("a.json", b"[" + GOOD, b"," + LINE, MEGABYTES, b"]"), None, 0, id="array"),
        pytest.param(Repeated("a.jsonl", b"", b'{"a":"b",', MEGABYTES, b"\n" + GOOD), 1, 1, id="long first line"),
        pytest.param(Repeated("a.json", GOOD + b"\n", b"[", MEGABYTES, b"\n" + GOOD), 2, 1, id="long second line"),
        pytest.param(Repeated("a.jsonl", GOOD + b"\n", b" ", MEGABYTES, b"\n" + GOOD), 2, 0, id="long empty line"),
        pytest.param(Repeated("a.json", GOOD, b" \n", MEGABYTES, b"\n"), 1, 0, id="object and space"),
        pytest.param(Repeated("a.json", b"", b"\n", MEGABYTES, b'[{"n":1}]'), 1, 0, id="space and array"),
        pytest.param(Repeated("a.json", b"", b'{"a":\n', MEGABYTES // 10, b""), 0, 1, id="deep object"),
        pytest.param(Repeated("a.json", b"", b"{}:", MEGABYTES, b""), 0, 1, id="no end of line"),
        pytest.param(Repeated("a.json", b"[", b"[", MEGABYTES // 100, b""), 0, 1, id="deep array"),
        pytest.param(Repeated("a.json", b'["', b"x\\n", MEGABYTES, b'",{}]'), 1, 1, id="long string"),
        pytest.param(Repeated("a.json", b'[{},{"a":"', b'x[\\"', MEGABYTES, b'"},{}]'), 2, 1, id="long element"),
        pytest.param(Repeated("a.json", b"[1", b"7", MEGABYTES, b",{}]"), 1, 1, id="long number"),
        pytest.param(Repeated("a", b"", b"\x89PNG", MEGABYTES, b""), 0, 1, id="binary"),
    ],
)
def test_memory_is_flat_whatever_the_file_holds(source: Repeated, good: int | None, bad: int) -> None:
    counts = {TaskRow: 0, BadRow: 0}
    for _ in rows_of(b"{}"):
        pass
    tracemalloc.start()
    for row in read_rows(source, max_row_bytes=LIMIT):
        counts[type(row)] += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000
    expected = source.rows + (source.key == "a.json") if good is None else good
    assert counts == {TaskRow: expected, BadRow: bad}


def test_checkpoint_zero_is_the_start() -> None:
    assert values(rows_of(b'[{"a":1}]', start=Checkpoint())) == [{"a": 1}]
