"""Times as people and clients read them."""

from datetime import UTC, datetime

_UNITS = (
    ("year", 31_536_000),
    ("month", 2_592_000),
    ("week", 604_800),
    ("day", 86_400),
    ("hour", 3600),
    ("minute", 60),
)


def moment(seconds: float | None) -> str | None:
    """A time as JSON has it: 2026-11-22T03:53:23.011897Z."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def seconds(text: str) -> float:
    """Seconds since the epoch of a time in ISO 8601; without a zone it is UTC.

    Raises `ValueError`, also for a time that `moment` could not write again.
    """
    parsed = datetime.fromisoformat(text)
    value = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    datetime.fromtimestamp(value, UTC)
    return value


def ago(then: float, now: float) -> str:
    """How long ago, in the two largest units: "1 day, 2 hours", with spaces that don't break."""
    left = max(0, int(now - then))
    parts: list[str] = []
    for name, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}\u00a0{name}{'s' if count > 1 else ''}")
        if len(parts) == 2 or (parts and not count):
            break
    return ", ".join(parts) or "0\u00a0minutes"
