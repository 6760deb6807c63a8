"""The world's own time and what is to happen in it: it goes on while nobody runs the bot."""

import heapq
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

BEGIN = datetime(2026, 3, 2, 6, tzinfo=UTC)
"""When every world begins: an ordinary Monday."""


class Timeline:
    """
    A clock that is moved from one event to the next.

    Attributes:
        now: Seconds since the world began.

    Args:
        begin: When that was, aware, in UTC.
    """

    def __init__(self, begin: datetime = BEGIN) -> None:
        self._begin = begin
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: float, happen: Callable[[], None]) -> None:
        """Let something happen; what is due already happens at the next move."""
        self._count += 1
        heapq.heappush(self._events, (when, self._count, happen))

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        self.at(self.now + seconds, happen)

    @property
    def next_at(self) -> float:
        """When the next event is due; never, if nothing will happen by itself."""
        return self._events[0][0] if self._events else math.inf

    def move_to(self, when: float) -> None:
        """Let everything up to *when* happen, in order."""
        while self._events and self._events[0][0] <= when:
            at, _, happen = heapq.heappop(self._events)
            self.now = max(self.now, at)
            happen()
        self.now = max(self.now, when)

    def date(self) -> datetime:
        """The true time, aware, in UTC; no clock in this world need show it."""
        return self._begin + timedelta(seconds=self.now)
