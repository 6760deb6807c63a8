"""People in Telegram, and the bot: the production line from a written command to a photo."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from PIL import Image

from bot.adapters.telegram.polling import Webhook
from bot.adapters.telegram.surface import TelegramOptions, TelegramSurface, rate_of
from bot.chat.access import Access
from bot.chat.pace import Rate
from bot.chat.surface import Backend, SurfaceUnavailable
from bot.service.desk import CostChart, Desk, open_desk
from bot.service.posting import keep_posted
from bot.service.router import Router
from orchestrator.api import Orchestrator
from tests.telegram.server import TOKEN, Message, TelegramServer

ADA, BOB, ROOT = 11, 22, 33
GROUP = -100200
ACCESS = Access(
    users=frozenset({str(ADA), str(BOB)}),
    places=frozenset({str(GROUP)}),
    admins=frozenset({str(ROOT)}),
    contact="@root",
)


def unhurried(chat: str) -> Rate:
    """For tests of other things than the pace."""
    return Rate(writes=1000, per=rate_of(chat).per, kept_back=1)


def picture(colour: str = "orange") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(out, "PNG")
    return out.getvalue()


@dataclass(slots=True, kw_only=True)
class Telegram:
    """One life of the bot, and what people do with it: ada in private, unless something else is said."""

    server: TelegramServer
    surface: TelegramSurface
    desk: Desk
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def cards(self, chat: int = ADA) -> list[Message]:
        """The bot's messages that have, or had, buttons of a card or a picture."""
        return [message for message in self.server.seen(chat) if message.buttons or message.photo]

    def heard(self, chat: int = ADA) -> list[str]:
        return [message.text for message in self.server.seen(chat)]


@asynccontextmanager
async def telegram_bot(
    server: TelegramServer,
    orchestrator: Orchestrator,
    now: Callable[[], datetime],
    *,
    access: Access = ACCESS,
    chart: CostChart | None = None,
    rate: Callable[[str], Rate] = unhurried,
    webhook: Webhook | None = None,
    posts: bool = True,
) -> AsyncIterator[Telegram]:
    """Run a bot inside the block; the next one starts knowing nothing but what is in the orchestrator."""
    options = TelegramOptions(token=TOKEN, access=access, api=server.url, webhook=webhook, rate=rate)
    surface = TelegramSurface(options)
    desk = open_desk(orchestrator, [surface], now, chart=chart)
    backend = Backend(handler=Router(desk), cards=desk.cards, orchestrator=orchestrator, now=now)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(surface.run(backend))]
        await _until_ready(surface)
        if posts:
            tasks.append(group.create_task(keep_posted(desk)))
        yield Telegram(server=server, surface=surface, desk=desk)
        for task in tasks:
            task.cancel()


async def _until_ready(surface: TelegramSurface) -> None:
    async with asyncio.timeout(timedelta(seconds=20).total_seconds()):
        while True:
            try:
                surface._check_ready()
            except SurfaceUnavailable:
                await asyncio.sleep(0.01)
            else:
                return
