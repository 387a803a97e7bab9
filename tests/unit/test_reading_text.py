import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.rows import BadRow, Checkpoint, TaskRow, build_row
from shared.services.imports.reading import ByteSource, WholeBytes, read_rows
from tests.unit.test_reading_source import PATIENT, Chunked, rows_of, values, without_line

TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ['"', "\\", '}],{["', "\u2028\u2029", "\\u"]
)
NUMBER = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUE = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
# Keys that mean something are the business of build_row.
OBJECT = st.dictionaries(TEXT.map(lambda name: "k" + name), VALUE, max_size=4)
SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=5)
SPACE = st.text(" \t\r\n", max_size=3)
BOM = st.sampled_from([b"", b"\xef\xbb\xbf"])


def dump(value: Any, pretty: bool = False, ascii_only: bool = False) -> str:
    return json.dumps(value, indent=1 if pretty else None, ensure_ascii=ascii_only)


@st.composite
def jsonl(draw: st.DrawFn) -> tuple[bytes, list[Any]]:
    objects = draw(st.lists(OBJECT, min_size=2, max_size=6))
    text = draw(st.text("\n", max_size=2))
    for place, value in enumerate(objects):
        end = draw(st.sampled_from(["\n", "\r\n", "\n\n", " \n \t\n"]))
        text += dump(value, ascii_only=draw(st.booleans())) + (
            end if place < len(objects) - 1 or draw(st.booleans()) else ""
        )
    return draw(BOM) + text.encode(), objects


@st.composite
def array(draw: st.DrawFn) -> tuple[bytes, list[Any]]:
    objects = draw(st.lists(OBJECT, max_size=6))
    space = [draw(SPACE) for _ in range(4)]
    parts = (space[0] + dump(value, draw(st.booleans()), draw(st.booleans())) + space[1] for value in objects)
    return draw(BOM) + (space[2] + "[" + space[3] + ",".join(parts) + "]" + space[1]).encode(), objects


FILES = st.tuples(jsonl(), st.sampled_from(["a.jsonl", "a.json", "dir/a", "a.ndjson"])) | st.tuples(
    array(), st.sampled_from(["a.json", "a", "a.jsonl"])
)


@PATIENT
@given(FILES, SIZES)
def test_rows_are_what_was_written_however_the_bytes_come(file: Any, sizes: list[int]) -> None:
    (body, objects), key = file
    rows = rows_of(Chunked(key, body, sizes))
    assert [row.index for row in rows] == list(range(len(objects)))
    assert values(rows) == [orjson.loads(orjson.dumps(value)) for value in objects]
    assert rows == rows_of(body, key)
    for place, row in enumerate(rows):
        assert rows_of(Chunked(key, body, sizes), start=row.after) == rows[place + 1 :]


@PATIENT
@given(OBJECT, BOM, SPACE, SPACE, st.booleans(), SIZES)
def test_one_object_is_one_row_without_index(
    value: Any, bom: bytes, before: str, behind: str, pretty: bool, sizes: list[int]
) -> None:
    body = bom + (before + dump(value, pretty) + behind).encode()
    (row,) = rows_of(Chunked("a.json", body, sizes))
    assert row == build_row(orjson.loads(orjson.dumps(value)), None, Checkpoint(1, len(body) + 1), 10_000)
    assert rows_of(body, "a.jsonl") == [row]
    assert rows_of(body, start=row.after) == []


BROKEN = st.sampled_from(
    ["{nope}", '{"a" 1}', "[1]", "7", '"s"', "null", '{"a":NaN}', '{"a":"\\ud800"}', '{"a":1,}', "{'a':1}"]
)


@PATIENT
@given(st.lists(OBJECT.map(dump) | BROKEN, min_size=1, max_size=8), st.booleans(), SIZES)
def test_a_broken_row_costs_only_itself(texts: list[str], lines: bool, sizes: list[int]) -> None:
    texts = [dump({"k": 1}), *texts, dump({"k": 2})]
    body = ("\n".join(texts) if lines else "[" + ", ".join(texts) + "]").encode()
    rows = rows_of(Chunked("a.json", body, sizes))
    assert [row.index for row in rows] == list(range(len(texts)))
    for text, row in zip(texts, rows, strict=True):
        try:
            good = isinstance(orjson.loads(text), dict)
        except ValueError:
            good = False
        assert isinstance(row, TaskRow) == good
        if isinstance(row, BadRow):
            assert row.line == (rows.index(row) + 1 if lines else None)
            assert not row.fatal
    for place, row in enumerate(rows):
        rest = rows_of(Chunked("a.json", body, sizes), start=row.after)
        assert rest == [without_line(other) for other in rows[place + 1 :]]


@PATIENT
@given(FILES, st.data())
def test_a_truncated_file_gives_its_first_rows_and_a_bad_one(file: Any, data: st.DataObject) -> None:
    (body, objects), key = file
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    rows = rows_of(Chunked(key, cut, [7]))
    found = values(rows)
    good = [value for value in found if value is not None]
    assert found in (good, [*good, None])
    assert good == [orjson.loads(orjson.dumps(value)) for value in objects][: len(good)]
    if found == good and cut.rstrip() != body.rstrip():
        # Only JSONL has places where nobody can see that something is missing.
        assert not cut.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
        assert cut.rstrip().endswith(b"}")


PIECE = st.binary(max_size=4) | st.sampled_from(
    [
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"\\",
        b"\n",
        b'{"a":1}',
        b"1",
        b"\xef\xbb\xbf",
        b" ",
        b"PAR1",
        b"[{},",
        b"\xff",
    ]
)


@settings(PATIENT, max_examples=300)
@given(st.lists(PIECE, max_size=12).map(b"".join), st.sampled_from(["a.json", "a.jsonl", "a", "a.jpg"]), SIZES)
def test_garbage_never_raises_and_can_be_taken_up_anywhere(body: bytes, key: str, sizes: list[int]) -> None:
    limit = 20
    rows = rows_of(Chunked(key, body, sizes), limit=limit)
    assert rows_of(body, key, limit) == rows
    assert all(not row.fatal for row in rows[:-1] if isinstance(row, BadRow))
    assert [row.after.row for row in rows] == list(range(1, len(rows) + 1))
    for place, row in enumerate(rows):
        rest = rows_of(Chunked(key, body, sizes), limit=limit, start=row.after)
        assert rest == [without_line(other) for other in rows[place + 1 :]]
        if isinstance(row, BadRow):
            assert 0 < len(row.reason) <= 200
            assert row.reason.isprintable()


@PATIENT
@given(FILES, st.integers(3, 60), SIZES)
def test_rows_beyond_the_limit_are_passed_over(file: Any, limit: int, sizes: list[int]) -> None:
    (body, objects), key = file
    rows = rows_of(Chunked(key, body, sizes), limit=limit)
    assert rows == rows_of(body, key, limit)
    if len(rows) != len(objects):
        # With no line in sight that is a row, a file that is not named so can't be told from one large object.
        assert not key.endswith(("jsonl", "ndjson"))
        assert len(rows) == 1
        return
    for value, row in zip(objects, rows, strict=True):
        if isinstance(row, BadRow):
            assert "the limit is" in row.reason
            assert not row.fatal
        else:
            assert orjson.loads(row.data) == orjson.loads(orjson.dumps(value))
            assert len(row.data) <= limit


def bad(body: bytes, key: str = "a.json", limit: int = 1000) -> BadRow:
    """The first bad row."""
    row = next(row for row in rows_of(body, key, limit) if isinstance(row, BadRow))
    assert row.reason.isprintable()
    return row


@pytest.mark.parametrize(
    ("body", "index", "fatal", "words"),
    [
        (b"[{}, {]}, {}]", 1, True, "brackets don't match at byte 6, near ']}, {}]'"),
        (b"[{} {}]", 1, True, "a comma or ] is missing at byte 4"),
        (b"[{},]", 1, True, "a value is missing at byte 4"),
        (b"[,{}]", 0, True, "a value is missing at byte 1"),
        (b"[{}] {}", 1, True, "more behind the end of the array, at byte 5"),
        (b'[{},{"a":"', 1, True, "the file ends in the middle of the array, at byte 10"),
        (b"[" * 5000 + b"]" * 5000, 0, False, "the limit is 1000"),
        (b"[{}," + b"[" * 490 + b"]" * 490 + b"]", 1, False, "must be an object, not a list"),
        (b'[{"a":' + b"[" * 300 + b"]" * 300 + b"}]", 0, False, "nested deeper than 250 levels"),
        (b"[{}, 7]", 1, False, "must be an object, not a number"),
        (b'[{"a": oops}, {}]', 0, False, "at byte 7, near '{\"a\": oops}'"),
        (b'[{"a": "\xff"}]', 0, False, "not valid UTF-8 at byte 8"),
        ('[{"é": oops}]'.encode(), 0, False, "at byte 8"),
        (b'[{"a":123456789012345678901}]', 0, False, "the integer 123456789012345678901 does not fit 64 bits"),
        (b'[{"a":-9223372036854775809}]', 0, False, "does not fit 64 bits"),
        (b"[" * 300_000, 0, True, "more than 100000 brackets are open"),
    ],
)
def test_arrays_say_what_is_wrong_and_where(body: bytes, index: int, fatal: bool, words: str) -> None:
    row = bad(body)
    assert (row.index, row.line, row.fatal) == (index, None, fatal)
    assert words in row.reason


def test_an_array_that_ends_behind_an_element_fails_after_a_resume_too() -> None:
    first, last = rows_of(b'[{"a":1}')
    assert isinstance(last, BadRow)
    assert last.fatal
    assert rows_of(b'[{"a":1}', start=first.after) == [last]


def test_an_empty_array_has_no_rows() -> None:
    assert rows_of(b" [ \n ] ") == []


def test_big_numbers_that_lose_nothing_are_fine() -> None:
    body = b'[{"a":18446744073709551615,"b":-9223372036854775808,'
    body += b'"c":0.12345678901234567890,"d":"99912345678901234567890"}]'
    (row,) = rows_of(body)
    assert isinstance(row, TaskRow)
    assert b'"d":"99912345678901234567890"' in row.data


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"a": oops}', "at column 7, near '{\"a\": oops}'"),
        (b'{"a": "\xff"}', "not valid UTF-8 at column 8"),
        (b'{"a":1} {"b":1}', "unexpected content after document at column 9"),
        (b'{"data":{},"meta":1}', "'meta' must be an object"),
        (b'{"a":"' + b"x" * 2000 + b'"}', "row of 2008 bytes; the limit is 1000"),
    ],
)
def test_lines_say_what_is_wrong_and_where(line: bytes, words: str) -> None:
    row = bad(b'{"a":1}\r\n\r\n' + line + b'\r\n{"a":2}')
    assert (row.index, row.line, row.fatal) == (1, 3, False)
    assert words.replace("2008", str(len(line) + 1)) in row.reason


def test_only_a_line_feed_ends_a_line() -> None:
    body = '{"a":"x\u2028y\u0085z"}\n{"a":2}'.encode()
    assert values(rows_of(body)) == [{"a": "x\u2028y\u0085z"}, {"a": 2}]


def test_the_last_of_equal_keys_counts() -> None:
    assert values(rows_of(b'[{"a":1,"a":2}]')) == [{"a": 2}]


def test_both_sources_are_byte_sources() -> None:
    source: ByteSource = WholeBytes("a", b"{}")
    assert len(list(read_rows(source, max_row_bytes=10))) == 1
