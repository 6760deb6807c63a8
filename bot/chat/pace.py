"""How often a chat may be written to: one account for cards, answers and news together. Pure but for what it counts."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """
    At most *writes* in any stretch of *per*.

    Attributes:
        kept_back: Writes that progress leaves to ends and answers.
    """

    writes: int
    per: timedelta
    kept_back: int = 0


@dataclass(slots=True)
class _Lane:
    written: deque[float] = field(default_factory=deque)
    closed_until: float = 0.0


class Pace:
    """
    Counts what each lane, mostly a chat, was written lately.

    It never waits: whoever wants to write asks when, and says that it did.

    Args:
        rate: How often a lane may be written to, by the lane's name.
    """

    def __init__(self, rate: Callable[[str], Rate]) -> None:
        self._rate = rate
        self._lanes: dict[str, _Lane] = {}

    def free_at(self, lane: str, now: float, *, is_urgent: bool = True) -> float:
        """When *lane* may be written to; *now* means at once. Progress, which is not urgent, has less room."""
        known = self._lanes.get(lane)
        if known is None:
            return now
        rate = self._rate(lane)
        per = rate.per.total_seconds()
        while known.written and known.written[0] + per <= now:
            known.written.popleft()
        if not known.written and known.closed_until <= now:
            del self._lanes[lane]
            return now
        room = rate.writes - (0 if is_urgent else min(rate.kept_back, rate.writes - 1))
        too_many = len(known.written) - room
        free = now if too_many < 0 else known.written[too_many] + per
        return max(free, known.closed_until)

    def spend(self, lane: str, now: float) -> None:
        """It is written to now, whether there was room or not."""
        self._lanes.setdefault(lane, _Lane()).written.append(now)

    def refund(self, lane: str) -> None:
        """What was spent last was not written after all: there was nothing new to say."""
        known = self._lanes.get(lane)
        if known is not None and known.written:
            known.written.pop()

    def close(self, lane: str, until: float) -> None:
        """The chat itself said that it takes nothing before *until*."""
        known = self._lanes.setdefault(lane, _Lane())
        known.closed_until = max(known.closed_until, until)
