"""Words of ours in a chat: answers and news, a few messages at most, in step with the chat's pace."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from telegram import Bot, InlineKeyboardMarkup
from telegram.error import RetryAfter

from bot.adapters.telegram.failures import pause_of
from bot.adapters.telegram.markup import escaped, pages
from bot.adapters.telegram.messages import Messages
from bot.adapters.telegram.render import confirm_of
from bot.adapters.telegram.spots import Spot
from bot.chat.model import Reply
from bot.chat.pace import Pace

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_MESSAGES = 3
LONGEST_PAUSE_S = 60.0
"""An answer that would come later than that is not waited for by anybody."""

TRIES = 3


class Talking:
    def __init__(self, bot: Bot, messages: Messages, pace: Pace) -> None:
        self._bot = bot
        self._messages = messages
        self._pace = pace

    async def reply(self, spot: Spot, reply: Reply) -> None:
        """An answer with all that belongs to it: its lines, its question, its charts."""
        lines = [f"<b>{escaped(reply.text, has_commands=True)}</b>"] if reply.text else []
        lines += [escaped(line, has_commands=True) for line in reply.lines]
        keyboard = confirm_of(reply.confirm.text) if reply.confirm else None
        await self.say(spot, pages(lines, most=MOST_MESSAGES), keyboard=keyboard)
        for picture in reply.pictures:
            await self.in_step(spot.chat, partial(self._photo, spot, picture))

    async def _photo(self, spot: Spot, picture: bytes) -> None:
        await self._bot.send_photo(spot.chat, picture, message_thread_id=spot.topic)

    async def sentence(self, spot: Spot, sentence: str) -> None:
        await self.say(spot, [escaped(sentence, has_commands=True)])

    async def say(self, spot: Spot, texts: Sequence[str], *, keyboard: InlineKeyboardMarkup | None = None) -> None:
        """Marked texts, a message each; the keyboard is below the last one."""
        for place, text in enumerate(texts):
            is_last = place == len(texts) - 1
            below = keyboard if is_last else None
            send = partial(self._messages.send, spot, text, keyboard=below, is_reply=place == 0)
            await self.in_step(spot.chat, send)

    async def in_step(self, chat: int, call: Callable[[], Awaitable[T]]) -> T:
        """Write to *chat* now, or when it takes it again: an answer is waited for, but counts like everything else."""
        loop = asyncio.get_running_loop()
        for _ in range(TRIES - 1):
            try:
                return await self._counted(chat, call)
            except RetryAfter as error:
                pause = pause_of(error).total_seconds()
                self._pace.close(str(chat), loop.time() + pause)
                if pause > LONGEST_PAUSE_S:
                    raise
                log.info("a chat takes nothing for %.0f s", pause)
                await asyncio.sleep(pause)
        return await self._counted(chat, call)

    async def _counted(self, chat: int, call: Callable[[], Awaitable[T]]) -> T:
        self._pace.spend(str(chat), asyncio.get_running_loop().time())
        return await call()
