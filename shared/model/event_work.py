"""What notifications came to, per storage: times and counts, for people."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

MAX_STORAGES = 1000
"""Of which a process holds what it has not written down; beyond that the oldest is dropped, with its counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWork:
    """Of one map, so that another bucket begins anew. Sums of two are what both saw."""

    last_event: float = 0.0
    """When the newest notification came that was honoured; 0: none."""
    events: int = 0
    last_event_sync: float = 0.0
    """When work on a hint last settled."""
    event_syncs: int = 0
    event_tasks_created: int = 0

    def __add__(self, other: "EventWork") -> "EventWork":
        return EventWork(
            last_event=max(self.last_event, other.last_event),
            events=self.events + other.events,
            last_event_sync=max(self.last_event_sync, other.last_event_sync),
            event_syncs=self.event_syncs + other.event_syncs,
            event_tasks_created=self.event_tasks_created + other.event_tasks_created,
        )


NOTHING = EventWork()


Place = tuple[int, str]
"""A storage and its map."""


class Tally:
    """What this process saw and has not written down, by storage and map. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[Place, EventWork] = OrderedDict()
        self._taken: OrderedDict[Place, float] = OrderedDict()

    def add(self, place: Place, work: EventWork) -> None:
        """Notes what came to pass."""
        with self._lock:
            self._seen[place] = self._seen.get(place, NOTHING) + work
            _bound(self._seen)

    def of(self, place: Place) -> EventWork:
        """What is noted and not yet taken."""
        with self._lock:
            return self._seen.get(place, NOTHING)

    def take(self, place: Place, now: float, window: float) -> EventWork | None:
        """What is to be written down now; None if there is nothing, or if some was taken less than a window ago."""
        with self._lock:
            if place not in self._seen or now - self._taken.get(place, float("-inf")) < window:
                return None
            self._taken[place] = now
            self._taken.move_to_end(place)
            _bound(self._taken)
            return self._seen.pop(place)

    def waiting(self) -> list[Place]:
        """Of what something is noted."""
        with self._lock:
            return list(self._seen)


def _bound(entries: OrderedDict[Place, EventWork] | OrderedDict[Place, float]) -> None:
    while len(entries) > MAX_STORAGES:
        entries.popitem(last=False)
