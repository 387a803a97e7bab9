"""Times as people and clients read and write them."""

import pytest

from shared.model.times import ago, moment, seconds

NBSP = "\u00a0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1970-01-01T00:00:01.5", 1.5),
        ("1970-01-02", 86_400.0),
    ],
)
def test_a_time_without_a_zone_is_utc(text, expected):
    assert expected == seconds(text)


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-13-01", "2026-01-01T25:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z"],
)
def test_what_is_no_time_or_cannot_be_written_again_is_refused(text):
    """The last two are times, but beyond those that can be shown: whoever stored one could never read it again."""
    with pytest.raises(ValueError, match=r"."):
        seconds(text)


@pytest.mark.parametrize("text", ["2026-11-22T03:53:23.011897Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"])
def test_what_was_read_is_written_as_it_was(text):
    assert text == moment(seconds(text))


def test_no_time_is_null():
    assert moment(None) is None


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (-5, "0_minutes"),
        (59, "0_minutes"),
        (60, "1_minute"),
        (3599, "59_minutes"),
        (3600, "1_hour"),
        (3660, "1_hour, 1_minute"),
        (2 * 86_400 + 3 * 3600 + 59 * 60, "2_days, 3_hours"),
        (86_400 + 60, "1_day"),
        (8 * 86_400, "1_week, 1_day"),
        (31_536_000 + 2_592_000, "1_year, 1_month"),
    ],
)
def test_how_long_ago_is_told_in_the_two_largest_units(passed, words):
    assert words.replace("_", NBSP) == ago(1000.0, 1000.0 + passed)
