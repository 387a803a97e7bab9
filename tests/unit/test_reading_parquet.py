import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import StoreUnavailableError
from shared.model.rows import BadRow, Checkpoint, TaskRow
from shared.services.imports.reading import BLOCK, WholeBytes, read_rows
from shared.services.imports.reading import parquet as parquet_module
from tests.unit.test_reading_source import PATIENT, Chunked, Row, rows_of, values


def parquet(table: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def simple(rows: int, group: int) -> bytes:
    return parquet(pa.table({"n": range(rows), "t": [f"text {n}" for n in range(rows)]}), row_group_size=group)


@given(st.integers(0, 40), st.integers(1, 15), st.lists(st.integers(200, 2000), min_size=1, max_size=3))
@settings(PATIENT, max_examples=25)
def test_rows_and_resuming_anywhere(count: int, group: int, sizes: list[int]) -> None:
    source = Chunked("a.parquet", simple(count, group), sizes)
    rows = rows_of(source)
    assert values(rows) == [{"n": n, "t": f"text {n}"} for n in range(count)]
    assert [row.index for row in rows] == list(range(count))
    for place, row in enumerate(rows):
        assert row.after == Checkpoint(
            place + 1, count and -(-count // group) if place + 1 == count else (place + 1) // group
        )
        assert rows_of(source, start=row.after) == rows[place + 1 :]


def test_content_counts_not_the_name() -> None:
    assert values(rows_of(simple(1, 1), "a.json")) == [{"n": 0, "t": "text 0"}]


def test_types() -> None:
    table = pa.table(
        {
            "ns": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")),
            "zone": pa.array([datetime(2024, 1, 2, tzinfo=UTC)], pa.timestamp("ms", tz="Europe/Berlin")),
            "day": pa.array([date(2024, 1, 2)]),
            "price": pa.array([Decimal("1.20")]),
            "nan": pa.array([float("nan")]),
            "null": pa.nulls(1),
            "bytes": pa.array(["é".encode()]),
            "big": pa.array([2**64 - 1], pa.uint64()),
            "deep": pa.array(
                [[{"x": [1, None], "at": 5}]], pa.list_(pa.struct({"x": pa.list_(pa.int8()), "at": pa.time64("ns")}))
            ),
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32())),
            "word": pa.array(["cat"]).dictionary_encode(),
            "large": pa.array([[3]], pa.large_list(pa.duration("ns"))),
            "uuid": pa.array([b"\xff" * 16], pa.uuid()),
        }
    )
    assert values(rows_of(parquet(table))) == [
        {
            "ns": "2023-11-14T22:13:20.123456",
            "zone": "2024-01-02T01:00:00+01:00",
            "day": "2024-01-02",
            "price": "1.20",
            "nan": None,
            "null": None,
            "bytes": "é",
            "big": 2**64 - 1,
            "deep": [{"x": [1, None], "at": "00:00:00"}],
            "map": {"k": 1},
            "word": "cat",
            "large": [0.0],
            "uuid": "ffffffff-ffff-ffff-ffff-ffffffffffff",
        }
    ]


def test_task_columns_as_json_text() -> None:
    table = pa.table(
        {
            "data": [json.dumps({"a": 1}), "plain", json.dumps({"a": 3}), json.dumps({"a": 4})],
            "predictions": ['[{"result":[]}]', None, "{oops", ""],
            "annotations": ['[{"result":[],"was_cancelled":true}]', None, None, "[]"],
            "meta": ['{"m":1}', None, None, None],
        }
    )
    rows = rows_of(parquet(table))
    assert isinstance(rows[0], TaskRow)
    assert (rows[0].data, rows[0].predictions, rows[0].annotations, rows[0].cancelled) == (b'{"a":1}', 1, 1, 1)
    assert rows[0].extra["meta"] == b'{"m":1}'
    assert values(rows)[1] == {"data": "plain", "predictions": None, "annotations": None, "meta": None}
    assert isinstance(rows[2], BadRow)
    assert rows[2].reason.startswith("column 'predictions' holds no JSON")
    assert values(rows)[3] == {"a": 4}


def test_task_columns_as_structs() -> None:
    tasks = [{"data": {"a": n}, "predictions": [{"result": [{"id": "r"}]}], "other": "x"} for n in range(3)]
    rows = rows_of(parquet(pa.Table.from_pylist(tasks)))
    assert values(rows) == [{"a": n} for n in range(3)]
    assert all(row.predictions == 1 for row in rows if isinstance(row, TaskRow))


def test_a_bad_value_costs_only_its_row() -> None:
    text = pa.array([b"good", b"\xff\xfe", b"fine"])
    far = pa.array([0, 2**62, 1], pa.timestamp("ms"))
    for column in (text, pa.Array.from_buffers(pa.string(), 3, text.buffers()), far):
        rows = rows_of(parquet(pa.table({"n": [0, 1, 2], "v": column})))
        assert [type(row) for row in rows] == [TaskRow, BadRow, TaskRow]
        assert isinstance(rows[1], BadRow)
        assert (rows[1].index, rows[1].fatal, rows[1].after) == (1, False, Checkpoint(2, 0))


def test_rows_beyond_the_limit() -> None:
    rows = rows_of(parquet(pa.table({"t": ["a", "b" * 100, "c"]})), limit=50)
    assert values(rows) == [{"t": "a"}, None, {"t": "c"}]


def test_the_stores_error_passes() -> None:
    class Failing(Chunked):
        def read(self, offset: int, length: int) -> bytes:
            if self.calls > 3:
                raise StoreUnavailableError("slow down")
            return super().read(offset, length)

    with pytest.raises(StoreUnavailableError, match="slow down"):
        rows_of(Failing("a.parquet", simple(5000, 1000), [3000]))


def broken(body: bytes) -> tuple[list[Row], BadRow]:
    rows = rows_of(Chunked("a.parquet", body))
    *good, last = rows
    assert isinstance(last, BadRow)
    assert last.fatal
    assert rows_of(body, start=last.after) == []
    return good, last


@pytest.mark.parametrize("body", [b"PAR1", b"PAR1PAR1", b"PAR1" + b"\xff\xff\xff\x7fPAR1", b"PAR1" + b"x" * 100])
def test_no_parquet_behind_the_magic(body: bytes) -> None:
    good, last = broken(body)
    assert not good
    assert last.index is None
    assert last.reason == "the Parquet file can't be read: its end is missing or damaged"


def test_a_footer_too_large_to_hold_is_refused() -> None:
    class Huge(Chunked):
        def read(self, offset: int, length: int) -> bytes:
            tail = (100 * BLOCK).to_bytes(4, "little") + b"PAR1"
            return b"PAR1" if offset == 0 else tail[-min(length, self.size - offset) :]

    source = Huge("a.parquet", b"")
    source.size = 200 * BLOCK
    (row,) = rows_of(source)
    assert isinstance(row, BadRow)
    assert "its footer has 104857600 bytes" in row.reason


def test_damage_in_a_later_row_group_keeps_the_rows_before_it() -> None:
    body = bytearray(
        parquet(
            pa.table({"n": range(30)}),
            row_group_size=10,
            compression="none",
            use_dictionary=False,
            write_page_checksum=True,
        )
    )
    place = body.index((15).to_bytes(8, "little"))
    body[place] ^= 0xFF
    good, last = broken(bytes(body))
    assert values(good) == [{"n": n} for n in range(10)]
    assert last.index == 10


TABLE = pa.table({"n": range(50), "t": [f"text {n % 7}" for n in range(50)], "l": [[n] for n in range(50)]})
BODY = parquet(TABLE, row_group_size=20)


@given(st.integers(4, len(BODY) - 1))
@settings(PATIENT, max_examples=50)
def test_a_truncated_file_is_fatal(length: int) -> None:
    assert broken(BODY[:length])[0] == []


@given(st.lists(st.tuples(st.integers(4, len(BODY) - 9), st.integers(0, 255)), min_size=1, max_size=4))
@settings(PATIENT, max_examples=150)
def test_damaged_bytes_never_raise(changes: list[tuple[int, int]]) -> None:
    body = bytearray(BODY)
    for place, byte in changes:
        body[place] = byte
    rows = rows_of(bytes(body))
    assert all(not row.fatal for row in rows[:-1] if isinstance(row, BadRow))


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The processes that are started; there are none before."""
    parquet_module._end_all()
    started: list[Any] = []

    class Recorded(parquet_module._Reader):
        def __init__(self) -> None:
            super().__init__()
            started.append(self)

    monkeypatch.setattr(parquet_module, "_Reader", Recorded)
    yield started
    parquet_module._end_all()


def peak(reader: Any) -> int:
    status = Path(f"/proc/{reader.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_is_bounded_in_a_large_row_group(readers: list[Any]) -> None:
    count = 20_000
    texts = pa.array([f"{n:06d}" * 300 for n in range(count)])
    body = parquet(pa.table({"t": texts}), row_group_size=count, compression="zstd", use_dictionary=False)
    rows_of(simple(10, 10))
    before = peak(readers[0])
    rows = read_rows(WholeBytes("a.parquet", body), max_row_bytes=900_000)
    assert sum(isinstance(row, TaskRow) for row in rows) == count
    assert len(readers) == 1
    assert peak(readers[0]) - before < 30_000_000


def test_one_process_serves_file_after_file_and_none_is_left_in_the_middle_of_one(readers: list[Any]) -> None:
    for _ in range(3):
        assert len(rows_of(simple(3, 2))) == 3
    assert len(readers) == 1
    rows = read_rows(WholeBytes("a.parquet", simple(5000, 1000)), max_row_bytes=1000)
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    assert readers[0].process.poll() is not None
    assert len(rows_of(simple(3, 2))) == 3
    assert len(readers) == 2


def test_two_files_at_once(readers: list[Any]) -> None:
    both = [read_rows(WholeBytes("a.parquet", simple(3000, 1000)), max_row_bytes=1000) for _ in range(2)]
    for first, second in zip(*both, strict=True):
        assert first == second
    assert len(readers) == 2


@pytest.mark.parametrize("calls", [0, 3, 8])
def test_the_end_of_the_process_is_the_files_failure(readers: list[Any], calls: int) -> None:
    class Deadly(Chunked):
        def read(self, offset: int, length: int) -> bytes:
            if readers and self.calls > calls:
                readers[-1].process.kill()
                readers[-1].process.wait()
            return super().read(offset, length)

    *good, last = rows_of(Deadly("a.parquet", simple(5000, 1000), [3000]))
    assert isinstance(last, BadRow)
    assert last.fatal
    assert last.index == (len(good) or None)
    assert "its decoder broke down" in last.reason
    assert len(rows_of(simple(3, 2))) == 3


def test_an_idle_process_that_died_is_replaced(readers: list[Any]) -> None:
    assert len(rows_of(simple(3, 2))) == 3
    readers[0].process.kill()
    readers[0].process.wait()
    assert len(rows_of(simple(3, 2))) == 3


def test_dates_out_of_range_cost_only_their_row_at_any_depth() -> None:
    far = pa.array([[{"d": 0}], [{"d": 2**30}], None], pa.list_(pa.struct({"d": pa.date32()})))
    rows = rows_of(parquet(pa.table({"v": far})))
    assert values(rows) == [{"v": [{"d": "1970-01-01"}]}, None, {"v": None}]


def test_maps_at_any_depth() -> None:
    inner = pa.map_(pa.string(), pa.list_(pa.map_(pa.string(), pa.int8())))
    table = pa.table(
        {
            "a": pa.array([[("k", [[("x", 1)]])], [], None], inner),
            "b": pa.array([{"m": []}, {"m": [("y", [])]}, None], pa.struct({"m": inner})),
        }
    )
    assert values(rows_of(parquet(table))) == [
        {"a": {"k": [{"x": 1}]}, "b": {"m": {}}},
        {"a": {}, "b": {"m": {"y": []}}},
        {"a": None, "b": None},
    ]


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "lz4", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_codecs_and_page_versions(codec: str, version: str) -> None:
    table = pa.table({"n": range(5000), "t": [f"text {n % 7}" for n in range(5000)]})
    body = parquet(table, compression=codec, data_page_version=version, write_page_checksum=True, row_group_size=3000)
    assert values(rows_of(body)) == table.to_pylist()


def test_text_that_is_not_utf8_late_in_a_group_and_within_a_dictionary() -> None:
    texts = [b"good"] * 3000 + [b"\xff"] + [b"fine"] * 3000
    column = pa.Array.from_buffers(pa.string(), len(texts), pa.array(texts).buffers())
    for dictionary in (True, False):
        rows = rows_of(parquet(pa.table({"n": range(len(texts)), "t": column}), use_dictionary=dictionary))
        assert [row.index for row in rows if isinstance(row, BadRow)] == [3000]
        assert values(rows)[2999::2] == [{"n": n, "t": "fine" if n > 3000 else "good"} for n in range(2999, 6001, 2)]


def test_digests_agree_with_those_of_json() -> None:
    rows = rows_of(simple(1, 1)) + rows_of(orjson.dumps([{"t": "text 0", "n": 0}]))
    assert len({row.digest for row in rows if isinstance(row, TaskRow)}) == 1


def test_a_decoder_that_takes_too_long_is_ended() -> None:
    class Slow(WholeBytes):
        def read(self, offset: int, length: int) -> bytes:
            """Answers when the time is over."""
            if offset:
                for timer in threading.enumerate():
                    if isinstance(timer, threading.Timer):
                        timer.join()
            return super().read(offset, length)

    with pytest.raises(TimeoutError):
        list(read_rows(Slow("a.parquet", simple(10, 10)), max_row_bytes=1000, patience=0.0))
    assert len(list(read_rows(WholeBytes("a.parquet", simple(10, 10)), max_row_bytes=1000, patience=600.0))) == 10
