"""Which columns of a Parquet footer are text, by hand-made footers of one column and one row group."""

import pytest

from shared.services.imports.reading.parquet_footer import Footer, items, struct

GROUP = bytes.fromhex("19 1c 00 16 02 16 02 00")
BINARY_NAMED_J = bytes.fromhex("15 0c 38 01") + b"j"
STRING, ENUM, NULL, JSON, BSON = 1, 4, 11, 12, 13


def footer(logical: int) -> Footer:
    """Its column has a logical type, but no converted type, which is the older way to say it."""
    column = BINARY_NAMED_J + bytes([0x6C, logical << 4 | 12, 0, 0, 0])
    return Footer(b"\x29\x1c" + column + b"\x29\x1c" + GROUP + b"\0")


@pytest.mark.parametrize(
    ("logical", "text"), [(STRING, True), (ENUM, True), (JSON, True), (NULL, False), (BSON, False)]
)
def test_text_is_told_by_its_logical_type_alone(logical: int, text: bool) -> None:
    """Numbers are those of `LogicalType` in the format's parquet.thrift."""
    made = footer(logical)
    body = made.only(made.groups[0], as_bytes=True)
    [(start, _)] = items(body, struct(body, 0)[0][2][1])
    assert set(struct(body, start)[0]) == ({1, 4} if text else {1, 4, 10})
