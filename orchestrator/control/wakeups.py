"""Wakeups: "look again", never what changed. Losing one costs time, not correctness."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import timedelta


class Wakeup:
    """One loop's bell."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        self._event.set()

    def clear(self) -> None:
        """Forget wakeups so far: whoever calls this is about to look."""
        self._event.clear()

    async def wait(self, limit: timedelta | None) -> None:
        """Return when woken, or after *limit*; wakeups that came while nobody waited count."""
        if not self._event.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit.total_seconds() if limit is not None else None):
                    await self._event.wait()
        self._event.clear()


@dataclass(frozen=True, slots=True)
class Wakeups:
    """
    The bells of all loops: whoever commits a change rings those that it may concern.

    Attributes:
        ends: Rung with ``newsroom`` when a job has ended: that is told at once, progress at a reader's pace.
    """

    sessions: Wakeup = field(default_factory=Wakeup)
    provisioner: Wakeup = field(default_factory=Wakeup)
    heartbeat: Wakeup = field(default_factory=Wakeup)
    dispatcher: Wakeup = field(default_factory=Wakeup)
    runner: Wakeup = field(default_factory=Wakeup)
    reconciler: Wakeup = field(default_factory=Wakeup)
    bridges: Wakeup = field(default_factory=Wakeup)
    keeping: Wakeup = field(default_factory=Wakeup)
    newsroom: Wakeup = field(default_factory=Wakeup)
    ends: Wakeup = field(default_factory=Wakeup)
    notices: Wakeup = field(default_factory=Wakeup)
