"""How long a call may take, and how often RunPod lets itself be asked."""

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta

POLL_S = 10.0
"""One listing serves everybody for so long: the quota is counted by user, over all operations (REST v2, 429)."""

USUAL_WAIT_S = 15.0
LONGEST_WAIT_S = 86_400.0

_WINDOW = re.compile(r'"[a-z]+";r=(\d{1,9});t=(\d{1,6})')


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    Limits on time, each for one call of the port that it names; waiting for a turn counts.

    Attributes:
        connect: For name, connection and TLS alone. What fails within it has sent nothing.
        read: One machine, the account.
        listing: A complete listing, all pages together.
        launch: One order. Long, because an order that is given up halfway has to be looked for.
        answer_bytes: The longest answer that is read.
        pages: The most pages of one listing.
    """

    connect: timedelta = timedelta(seconds=10)
    read: timedelta = timedelta(seconds=20)
    search: timedelta = timedelta(seconds=30)
    listing: timedelta = timedelta(seconds=60)
    launch: timedelta = timedelta(seconds=60)
    terminate: timedelta = timedelta(seconds=60)
    answer_bytes: int = 8 * 2**20
    pages: int = 200


class TooLate(Exception):
    """The turn would come after the caller's limit."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"the next turn is in {wait_s:.1f} s")
        self.wait_s = wait_s


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
