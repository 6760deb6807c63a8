"""How often RunPod lets itself be asked."""

import asyncio
import re

from orchestrator.adapters.clouds.exchange import TooLate

POLL_S = 10.0
"""One listing serves everybody for so long: the quota is counted by user, over all operations (REST v2, 429)."""

USUAL_WAIT_S = 15.0
LONGEST_WAIT_S = 86_400.0

_WINDOW = re.compile(r'"[a-z]+";r=(\d{1,9});t=(\d{1,6})')


class Pace:
    """
    When RunPod may be asked again: it says so itself, with each answer.

    It lives as long as the process and knows nothing about machines.
    """

    def __init__(self, factor: float) -> None:
        """Multiply every wait by *factor*; 0 for a cloud that does not mind."""
        self.factor = factor
        self._free_at = 0.0

    async def turn(self, *, within_s: float) -> None:
        """
        Wait until a request may be sent.

        Raises:
            TooLate: That is more than *within_s* away; nothing was waited for.
        """
        wait = self._free_at - asyncio.get_running_loop().time()
        if wait > within_s:
            raise TooLate(wait)
        if wait > 0:
            await asyncio.sleep(wait)

    def stay_away(self, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now + seconds * self.factor)


def used_up(header: str | None) -> float:
    """Seconds until every window of a ``RateLimit`` header has something left; 0 where none is used up."""
    windows = _WINDOW.findall(header or "")
    return max((float(reset) for left, reset in windows if int(left) == 0), default=0.0)
