"""Telegram as a seat: a real bot process, and the Bot API server that it talks to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import Running, bot
from tests.system.scenario.seat import LIMIT_S, Heard, Seat, Seen
from tests.telegram.server import TOKEN, Message, TelegramServer, telegram_server
from tests.telegram.world import ADA


@dataclass(slots=True, kw_only=True)
class TelegramSeat(Seat):
    server: TelegramServer

    async def ask(self, text: str) -> None:
        so_far = await self.cards()
        self.server.write(ADA, text)
        await self._until(lambda: len(self._cards()) > so_far)

    async def say(self, text: str) -> Heard:
        so_far = len(self._words())
        photos = len(self._charts())
        self.server.write(ADA, text)
        await self._until(lambda: len(self._words()) > so_far)
        if text.startswith("/cost"):
            await self._until(lambda: len(self._charts()) > photos)
        return Heard(words=self._words()[-1].text, charts=len(self._charts()) - photos)

    async def press_for_card(self, label: str) -> None:
        so_far = await self.cards()
        self.server.press(ADA, self._cards()[-1], label)
        await self._until(lambda: len(self._cards()) > so_far)

    async def press(self, label: str) -> Heard:
        so_far = len(self.server.toasts)
        self.server.press(ADA, self._cards()[-1], label)
        await self._until(lambda: len(self.server.toasts) > so_far)
        return Heard(words=self.server.toasts[-1])

    async def card(self) -> Seen:
        card = self._cards()[-1]
        return Seen(words=card.text, buttons=tuple(card.buttons), pictures=0 if card.photo is None else 1)

    async def cards(self) -> int:
        return len(self._cards())

    async def told(self) -> list[str]:
        return [message.text for message in self.server.seen(ADA) if message.reply_to is None and message.text]

    def _cards(self) -> list[Message]:
        """They answer what was asked, and have buttons."""
        return [message for message in self.server.seen(ADA) if message.reply_to is not None and message.buttons]

    def _words(self) -> list[Message]:
        return [message for message in self.server.seen(ADA) if message.reply_to is not None and not message.buttons]

    def _charts(self) -> list[Message]:
        return [message for message in self.server.seen(ADA) if message.photo and not message.buttons]

    async def _until(self, fact: object) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not fact():  # type: ignore[operator]
                await asyncio.sleep(0.02)


@asynccontextmanager
async def telegram_seat(folder: Path, cloud: Running, **settings: str) -> AsyncIterator[Seat]:
    async with telegram_server() as server:
        own = {"TELEGRAM_TOKEN": TOKEN, "TELEGRAM_API": server.url, "TELEGRAM_ADMINS": str(ADA)}
        running = await bot(folder, cloud, **own, **settings)
        try:
            yield TelegramSeat(server=server)
        finally:
            await running.end()
        assert TOKEN not in running.log.read_text()
