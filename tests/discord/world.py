"""
A server with a channel, people in it, and the bot: the production line from a slash command to a message.

simcord runs discord.py unchanged; the orchestrator below the bot is whatever a test brings.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import discord
from simcord.env import Env
from simcord.results import InteractionResult

from bot.adapters.discord.surface import DiscordOptions, DiscordSurface
from bot.chat.access import Access
from bot.chat.surface import Backend
from bot.service.desk import CostChart, Desk, open_desk
from bot.service.posting import keep_posted
from bot.service.router import Router
from orchestrator.api import Orchestrator

TOKEN = "a.discord.token"
GRACE = timedelta(seconds=1.5)
GUILD = 4_200_000_000_000_000_000


@dataclass(slots=True, kw_only=True)
class Discord:
    """One life of the bot, and what people do with it: ada, unless somebody else is named."""

    town: "Town"
    surface: DiscordSurface
    desk: Desk

    async def imagine(
        self, prompt: str = "a lighthouse at dusk", *, by: Any = None, **options: Any
    ) -> InteractionResult:
        return await self.use("imagine", by=by, prompt=prompt, **options)

    async def use(self, name: str, *, by: Any = None, **options: Any) -> InteractionResult:
        result: InteractionResult = await (by or self.town.ada).slash(self.town.channel, name, **options)
        return result

    async def press(self, label: str, message: Any = None, *, by: Any = None) -> InteractionResult:
        """Press the button whose label begins with *label*, below *message* or the newest card."""
        at = message or self.cards()[-1]
        known = next(button for button in buttons_of(at) if str(button.label).startswith(label))
        result: InteractionResult = await (by or self.town.ada).click(at, custom_id=known.custom_id)
        return result

    def cards(self) -> list[discord.Message]:
        """The bot's messages in the channel, oldest first, as everybody sees them."""
        bot = self.town.env.bot.user
        return [message for message in self.town.channel.history() if message.author.id == bot.id]


def words_of(message: Any) -> str:
    """All that can be read on a message or a response."""
    return "\n".join([message.content, *(embed.description or "" for embed in message.embeds)])


def heard(result: InteractionResult) -> str:
    """What was said to the person alone, or to everybody."""
    return "\n".join(words_of(each) for each in (result.response, *result.followups) if each is not None)


def buttons_of(message: discord.Message) -> list[discord.Button]:
    return [
        child
        for row in message.components
        if isinstance(row, discord.ActionRow)
        for child in row.children
        if isinstance(child, discord.Button)
    ]


def labels_of(message: discord.Message) -> list[str]:
    return [str(button.label) for button in buttons_of(message)]


@dataclass(slots=True, kw_only=True)
class Town:
    """
    What outlives the bot: the guild, its channel, its people, and every message.

    Attributes:
        access: Who may use the bot: the guild's members, unless a test says otherwise.
    """

    env: Any
    guild: Any
    channel: Any
    ada: Any
    bob: Any
    root: Any
    access: Access

    @asynccontextmanager
    async def bot(
        self,
        orchestrator: Orchestrator,
        now: Callable[[], datetime],
        *,
        grace: timedelta = GRACE,
        chart: CostChart | None = None,
        posts: bool = True,
    ) -> AsyncIterator[Discord]:
        """
        Run a bot inside the block; the next one starts knowing nothing but what is in the orchestrator.

        Args:
            posts: Whether the loops that keep people posted run, too.
        """
        surface = DiscordSurface(DiscordOptions(token=TOKEN, access=self.access, grace=grace))
        desk = open_desk(orchestrator, [surface], now, chart=chart)
        surface.serve(Backend(handler=Router(desk), cards=desk.cards, orchestrator=orchestrator, now=now))
        await self.env.restart_bot(surface.client)
        async with asyncio.TaskGroup() as group:
            loops = group.create_task(self._keep_posted(desk)) if posts else None
            yield Discord(town=self, surface=surface, desk=desk)
            if loops is not None:
                loops.cancel()

    async def _keep_posted(self, desk: Desk) -> None:
        """On this town's clock, which everything that the town itself sets off reads, too."""
        with self.env.time_context():
            await keep_posted(desk)


@asynccontextmanager
async def a_town(access: Access | None = None) -> AsyncIterator[Town]:
    env = Env(discord.Client(intents=discord.Intents.none()))
    await env.start()
    try:
        guild = env.create_guild(id=GUILD)
        ada, bob, root = (guild.add_member(env.create_user(name)) for name in ("ada", "bob", "root"))
        allowed = access or Access(places=frozenset({str(GUILD)}))
        yield Town(
            env=env,
            guild=guild,
            channel=guild.create_text_channel("art"),
            ada=ada,
            bob=bob,
            root=root,
            access=replace(allowed, admins=allowed.admins | {str(root.id)}, contact="@root"),
        )
        env.raise_errors()
    finally:
        await env.shutdown()
