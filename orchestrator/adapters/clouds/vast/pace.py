"""Taking turns: keeps our own calls as far apart as the cloud asks for. Called by the client before each request."""

import asyncio
import bisect
from dataclasses import dataclass, field
from itertools import count

from orchestrator.adapters.clouds.exchange import TooLate
from orchestrator.adapters.clouds.vast.limits import Endpoint

BACK_OFF = 1.5
LONGEST_BACK_OFF_S = 60.0


@dataclass(frozen=True, slots=True, order=True)
class _Ticket:
    claim: int
    number: int
    interval_s: float


@dataclass(slots=True)
class _Lane:
    free_at: float = 0.0
    refusals: int = 0
    waiting: list[_Ticket] = field(default_factory=list)

    def wait_of(self, ticket: _Ticket, now: float) -> float:
        """Seconds until *ticket* may go, if nobody with a better claim comes."""
        ahead = sum(other.interval_s for other in self.waiting if other < ticket)
        return max(self.free_at - now, 0.0) + ahead


class Pace:
    """
    One lane an endpoint; in a lane the better claim goes first, then who came first.

    It lives as long as the process and knows nothing about machines. A cancelled waiter leaves its place to the next.
    """

    def __init__(self, factor: float) -> None:
        """Multiply every interval by *factor*; 0 for a cloud that does not mind."""
        self._factor = factor
        self._lanes: dict[str, _Lane] = {}
        self._numbers = count()

    async def turn(self, endpoint: Endpoint, *, within_s: float) -> None:
        """
        Wait until *endpoint* may be asked.

        Raises:
            TooLate: That is more than *within_s* away. Nothing was waited for once this is certain.
        """
        lane = self._lane(endpoint)
        interval = endpoint.interval_s * self._factor
        ticket = _Ticket(endpoint.claim, next(self._numbers), interval)
        clock = asyncio.get_running_loop().time
        latest = clock() + within_s
        bisect.insort(lane.waiting, ticket)
        try:
            while (wait := lane.wait_of(ticket, clock())) > 0:
                if clock() + wait > latest:
                    raise TooLate(wait)
                await asyncio.sleep(wait)
            lane.free_at = clock() + interval
        finally:
            lane.waiting.remove(ticket)

    def refused(self, endpoint: Endpoint, asked_s: float | None) -> float:
        """
        Note that the cloud refused a call as too early, and say in how many seconds to ask again.

        Args:
            asked_s: What the cloud said; without it the wait grows with each refusal in a row.
        """
        lane = self._lane(endpoint)
        grown = min(endpoint.penalty_s * BACK_OFF**lane.refusals, LONGEST_BACK_OFF_S)
        lane.refusals = min(lane.refusals + 1, 20)
        wait = grown if asked_s is None else asked_s
        lane.free_at = max(lane.free_at, asyncio.get_running_loop().time() + wait * self._factor)
        return wait

    def accepted(self, endpoint: Endpoint) -> None:
        self._lane(endpoint).refusals = 0

    def _lane(self, endpoint: Endpoint) -> _Lane:
        return self._lanes.setdefault(endpoint.lane, _Lane())
