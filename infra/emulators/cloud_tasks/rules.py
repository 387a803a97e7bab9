"""What the settings of a queue mean: its defaults, how long a failed task waits, when it is given up, the pace."""

from collections.abc import Callable
from datetime import timedelta

from google.cloud.tasks_v2 import Queue, RetryConfig

_DEFAULTS = RetryConfig(
    max_attempts=100, min_backoff=timedelta(seconds=0.1), max_backoff=timedelta(hours=1), max_doublings=16
)
_UNLIMITED = -1


def with_defaults(queue: Queue) -> Queue:
    """The queue with what Cloud Tasks fills in where its creator said nothing."""
    limits, retry = queue.rate_limits, queue.retry_config
    limits.max_dispatches_per_second = limits.max_dispatches_per_second or 500.0
    limits.max_concurrent_dispatches = limits.max_concurrent_dispatches or 1000
    limits.max_burst_size = max(1, round(limits.max_dispatches_per_second / 5))
    retry.max_attempts = retry.max_attempts or _DEFAULTS.max_attempts
    retry.min_backoff = retry.min_backoff or _DEFAULTS.min_backoff
    retry.max_backoff = retry.max_backoff or _DEFAULTS.max_backoff
    retry.max_doublings = retry.max_doublings or _DEFAULTS.max_doublings
    queue.state = queue.state or Queue.State.RUNNING
    return queue


def backoff(retry: RetryConfig, attempts: int) -> float:
    """Seconds until the next attempt after so many: doubling, then growing by equal steps, up to the maximum."""
    first, longest = retry.min_backoff.total_seconds(), retry.max_backoff.total_seconds()
    doublings = retry.max_doublings
    if attempts <= doublings + 1:
        return min(longest, first * 2.0 ** (attempts - 1))
    return min(longest, first * 2.0**doublings * (attempts - doublings))


def exhausted(retry: RetryConfig, attempts: int, seconds: float) -> bool:
    """Whether a task that failed so often, the first time so long ago, is given up."""
    longest = retry.max_retry_duration.total_seconds() if retry.max_retry_duration else 0.0
    limited = retry.max_attempts != _UNLIMITED
    if not longest:
        return limited and attempts >= retry.max_attempts
    return seconds >= longest and (not limited or attempts >= retry.max_attempts)


class Pace:
    """A token bucket: so many dispatches a second, and some at once after a rest."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: float | None = None
        self._tokens = 0.0

    def wait(self, queue: Queue) -> float:
        """Seconds until a dispatch is allowed; 0 takes its token."""
        now, limits = self._clock(), queue.rate_limits
        rest = float("inf") if self._seen is None else now - self._seen
        self._seen = now
        self._tokens = min(limits.max_burst_size, self._tokens + rest * limits.max_dispatches_per_second)
        if self._tokens < 1:
            return (1 - self._tokens) / limits.max_dispatches_per_second
        self._tokens -= 1
        return 0.0
