"""
Which cards may get a message.

Telegram knows no name under which a message could be made once. So it is written down that a card is about to get its
message, before it does: where the answer was lost, or the bot died before it knew which message it is, none is made a
second time while the job goes on. Its end comes in a message of its own then.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from telegram.error import TelegramError

from bot.adapters.telegram.failures import is_lost
from bot.adapters.telegram.spots import Spot
from orchestrator.api import JobId, PeopleStore

T = TypeVar("T")


class Firsts:
    def __init__(self) -> None:
        self._refused: set[str] = set()

    async def once(self, people: PeopleStore, job: JobId, spot: Spot, make: Callable[[], Awaitable[T]]) -> T | None:
        """
        *make* the message of *job*, or the one in place of a message that is gone; None where that was perhaps done.

        One that Telegram refused was not made: it may be tried again.
        """
        name = f"telegram:card:{job}:{spot.message or ''}"
        if not await people.claim(name) and name not in self._refused:
            return None
        self._refused.discard(name)
        try:
            return await make()
        except TelegramError as error:
            if not is_lost(error):
                self._refused.add(name)
            raise
