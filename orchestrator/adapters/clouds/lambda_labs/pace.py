"""Taking turns: all calls of one account stand in one line, and orders wait in one more before that."""

import asyncio
import bisect
from dataclasses import dataclass, field
from itertools import count

from orchestrator.adapters.clouds.exchange import TooLate
from orchestrator.adapters.clouds.lambda_labs.limits import CALL_INTERVAL_S, LAUNCH_INTERVAL_S, Claim

BACK_OFF = 1.5
LONGEST_BACK_OFF_S = 60.0


@dataclass(slots=True, kw_only=True)
class _Line:
    """Attributes: interval_s: From one turn to the next. penalty_s: After a refusal that names no time."""

    interval_s: float
    penalty_s: float
    free_at: float = 0.0
    refusals: int = 0
    waiting: list[tuple[Claim, int]] = field(default_factory=list)

    def wait_of(self, ticket: tuple[Claim, int], now: float) -> float:
        ahead = bisect.bisect_left(self.waiting, ticket)
        return max(self.free_at - now, 0.0) + ahead * self.interval_s

    async def turn(self, ticket: tuple[Claim, int], latest: float) -> None:
        clock = asyncio.get_running_loop().time
        bisect.insort(self.waiting, ticket)
        try:
            while (wait := self.wait_of(ticket, clock())) > 0:
                if clock() + wait > latest:
                    raise TooLate(wait)
                await asyncio.sleep(wait)
            self.free_at = clock() + self.interval_s
        finally:
            self.waiting.remove(ticket)


class Pace:
    """
    The turns of one account; the better claim goes first, then who came first.

    It lives as long as the process and knows nothing about machines. A cancelled waiter leaves its place to the next.
    """

    def __init__(self, factor: float) -> None:
        """Multiply every interval by *factor*; 0 for a server that does not mind."""
        self._factor = factor
        self._calls = _Line(interval_s=CALL_INTERVAL_S * factor, penalty_s=CALL_INTERVAL_S)
        self._launches = _Line(interval_s=LAUNCH_INTERVAL_S * factor, penalty_s=LAUNCH_INTERVAL_S)
        self._numbers = count()

    async def turn(self, claim: Claim, *, is_launch: bool, within_s: float) -> None:
        """
        Wait until the account may be asked.

        Raises:
            TooLate: That is more than *within_s* away. Nothing was waited for once this is certain.
        """
        ticket = (claim, next(self._numbers))
        latest = asyncio.get_running_loop().time() + within_s
        if is_launch:
            await self._launches.turn(ticket, latest)
        await self._calls.turn(ticket, latest)

    def refused(self, asked_s: float | None, *, is_launch: bool) -> float:
        """
        Note that a call was refused as too early, and say in how many seconds to ask again.

        Args:
            asked_s: What the cloud said; without it the wait grows with each refusal in a row.
        """
        line = self._launches if is_launch else self._calls
        grown = min(line.penalty_s * BACK_OFF**line.refusals, LONGEST_BACK_OFF_S)
        line.refusals = min(line.refusals + 1, 20)
        wait = grown if asked_s is None else asked_s
        line.free_at = max(line.free_at, asyncio.get_running_loop().time() + wait * self._factor)
        return wait

    def accepted(self, *, is_launch: bool) -> None:
        (self._launches if is_launch else self._calls).refusals = 0
