import json

import pytest

from shared.model.rows import BadRow, Checkpoint, TaskRow
from tests.unit.test_reading_source import Chunked, rows_of, values

LIMIT = 200
PRETTY = json.dumps({"data": {"a": [1, {"b": 2}]}, "meta": {"c": 3}}, indent=2).encode()


def only(body: bytes, key: str = "a.json", limit: int = LIMIT) -> TaskRow | BadRow:
    (row,) = rows_of(Chunked(key, body, [3, 50]), limit=limit)
    assert [row] == rows_of(body, key, limit)
    assert row.after == Checkpoint(1, len(body) + 1)
    return row


def fatal(body: bytes, key: str = "a.json") -> str:
    row = only(body, key)
    assert isinstance(row, BadRow)
    assert (row.index, row.line, row.fatal) == (None, None, True)
    return row.reason


def test_one_object_printed_over_lines() -> None:
    row = only(PRETTY)
    assert isinstance(row, TaskRow)
    assert (row.index, row.data, row.extra["meta"]) == (None, b'{"a":[1,{"b":2}]}', b'{"c":3}')


def test_an_object_of_which_a_line_is_an_object_is_one_object() -> None:
    assert values([only(b'{"x":\n{"a":1}\n}')]) == [{"x": {"a": 1}}]
    big = b'{"x":\n{"a":1},\n"y":"' + b"y" * LIMIT + b'"}'
    assert only(big).index is None
    broken = b'{"x":\n{"a":1}\n'
    assert fatal(broken) == "unexpected end of data at line 3, column 1, near '{\"a\":1}'"


def test_a_bad_object_is_no_fault_of_the_file() -> None:
    row = only(b'{"a": 1, "predictions": [{"result": []}]}')
    assert isinstance(row, BadRow)
    assert (row.index, row.fatal) == (None, False)


def test_an_object_beyond_the_limit() -> None:
    for body in (b'{"a":"' + b"x" * LIMIT + b'"}', b'{\n"a":\n"' + b"x" * LIMIT + b'"\n}'):
        row = only(body)
        assert row == BadRow(None, None, f"row of {len(body)} bytes; the limit is {LIMIT}", row.after, False)


def test_an_object_with_an_integer_that_would_lose_digits() -> None:
    row = only(b'{"a":1234567890123456789012}')
    assert isinstance(row, BadRow)
    assert row.reason == "the integer 1234567890123456789012 does not fit 64 bits; write it as a string"


@pytest.mark.parametrize("space", [b"\n" * 50, b" " * 50, b"\n" * 500])
def test_space_behind_an_object_is_nothing(space: bytes) -> None:
    assert values([only(b'{"a":1}' + space)]) == [{"a": 1}]
    assert values(rows_of(b'{"a":1}' + space + b'\n{"a":2}', limit=LIMIT)) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("end", [b"", b"\n" * 500])
@pytest.mark.parametrize("first", [b"{oops}", b'{"a":1', b"oops", b"7", b'"{"', b'{"a":"' + b"x" * LIMIT])
def test_jsonl_may_begin_with_a_broken_line(first: bytes, end: bytes) -> None:
    body = first + b'\n\n{"a":2}\n{"a":3}' + end
    for key in ("a.json", "a", "a.jsonl"):
        for source in (Chunked(key, body, [3]), Chunked(key, body)):
            rows = rows_of(source, limit=LIMIT)
            assert values(rows) == [None, {"a": 2}, {"a": 3}]
            assert isinstance(rows[0], BadRow)
            assert (rows[0].index, rows[0].line, rows[0].fatal) == (0, 1, False)
            assert values(rows_of(source, limit=LIMIT, start=rows[0].after)) == [{"a": 2}, {"a": 3}]


def test_the_extension_decides_where_the_first_two_lines_do_not() -> None:
    body = b'{oops}\n{oops}\n{"a":3}'
    assert values(rows_of(body, "a.jsonl")) == [None, None, {"a": 3}]
    assert "unexpected" in fatal(body, "a.json") or "expected" in fatal(body, "a.json")


def test_an_array_in_a_file_named_jsonl() -> None:
    assert values(rows_of(b'[{"a":1},\n{"a":2}]\n', "a.jsonl")) == [{"a": 1}, {"a": 2}]
    assert values(rows_of(b'[{"a":1}]\n', "a.jsonl")) == [{"a": 1}]
    rows = rows_of(b'[1]\n{"a":2}\n', "a.jsonl")
    assert values(rows) == [None, {"a": 2}]
    assert values(rows_of(b'[1]\n{"a":2}\n', "a.jsonl", start=rows[0].after)) == [{"a": 2}]


@pytest.mark.parametrize(
    ("body", "start"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "0x89 'PNG'"),
        (b"\xff\xd8\xff\xe0", "0xff 0xd8 0xff 0xe0"),
        (b"image,label\n1,2\n", "'image,label' 0x0a '1,2' 0x0a"),
        (b"oops", "'oops'"),
        (b"12", "'12'"),
        (b"<", "'<'"),
        ("é".encode(), "0xc3 0xa9"),
        (b"PAR", "'PAR'"),
    ],
)
def test_what_is_something_else_is_named(body: bytes, start: str) -> None:
    assert fatal(body) == (
        f"the file is no JSON, JSONL or Parquet (it starts with {start}); "
        "to make one task per object turn on 'use_blob_urls'"
    )


def test_binary_is_no_jsonl_whatever_its_name() -> None:
    assert "0x89 'PNG'" in fatal(b"\x89PNG\r\n\x1a\nxxxx\n", "a.jsonl")
    assert values(rows_of('é\n{"a":1}'.encode("latin-1"), "a.jsonl")) == [None, {"a": 1}]
    assert values(rows_of(("é" * 31 + "x" + "é" * 9 + "\noops\n").encode(), "a.jsonl")) == [None, None]


def test_utf_16_is_named() -> None:
    for codec in ("utf-16-le", "utf-16-be"):
        assert fatal('\ufeff{"a":1}'.encode(codec)) == "the file is UTF-16; only UTF-8 is read"


@pytest.mark.parametrize("body", [b"", b"\n \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_empty_files_say_so(body: bytes) -> None:
    assert fatal(body) == "the file is empty"
    assert rows_of(body, start=Checkpoint(1, len(body) + 1)) == []


def test_other_extensions_are_not_even_read() -> None:
    source = Chunked("dir/a.JPG", b'{"a":1}')
    (row,) = rows_of(source)
    assert source.calls == 0
    assert isinstance(row, BadRow)
    assert row.fatal
    assert row.reason == (
        "files named .jpg hold no tasks (.json, .jsonl and .parquet do); "
        "to make one task per object turn on 'use_blob_urls'"
    )


def test_line_numbers_count_every_line_of_the_file() -> None:
    (bad,) = (row for row in rows_of(b'\xef\xbb\xbf\n\r\n{"a":1}\n \n{oops\n') if isinstance(row, BadRow))
    assert (bad.index, bad.line) == (1, 5)
