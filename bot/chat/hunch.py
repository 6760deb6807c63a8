"""Somebody is about to ask for a picture: told once a person and minute, and worth no error."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.chat.model import Call
from bot.chat.surface import CommandHandler
from orchestrator.api import UserId

log = logging.getLogger(__name__)

AGAIN = timedelta(minutes=1)
LIMIT_S = 1.0
MOST_KEPT = 1000


class Hunch:
    """
    One for each surface.

    Args:
        now: The time, aware, in UTC.
    """

    def __init__(self, handler: CommandHandler, now: Callable[[], datetime]) -> None:
        self._handler = handler
        self._now = now
        self._told: OrderedDict[UserId, datetime] = OrderedDict()

    async def tell(self, call: Call) -> None:
        """Hand on a call whose command is :class:`~bot.chat.commands.Expect`."""
        user, now = call.person.user, self._now()
        before = self._told.pop(user, None)
        is_new = before is None or now - before >= AGAIN
        self._told[user] = now if is_new or before is None else before
        if len(self._told) > MOST_KEPT:
            self._told.popitem(last=False)
        if not is_new:
            return
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._handler.handle(call)
        except TimeoutError:
            log.info("nobody is expected: the bot is too busy")
        except Exception:
            log.exception("somebody could not be expected")
