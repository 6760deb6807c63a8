"""Discord as a seat: the bot's Discord surface and the orchestrator below it, in a server in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simcord.results import InteractionResult

from bot.adapters.charts import cost_chart
from orchestrator.adapters.system import SystemClock
from orchestrator.app import SandboxAddress, open_orchestrator
from orchestrator.settings import Settings
from tests.discord.world import Discord, a_town, heard, labels_of, words_of
from tests.processes import KEY, Running
from tests.system.scenario.seat import LIMIT_S, Heard, Seat, Seen


@dataclass(slots=True, kw_only=True)
class DiscordSeat(Seat):
    discord: Discord

    async def ask(self, text: str) -> None:
        so_far = await self.cards()
        await self._typed(text)
        await self._until(lambda: len(self.discord.cards()) > so_far)

    async def say(self, text: str) -> Heard:
        return await self._heard(await self._typed(text))

    async def press_for_card(self, label: str) -> None:
        so_far = await self.cards()
        await self.discord.press(label, by=self.discord.town.root)
        await self._until(lambda: len(self.discord.cards()) > so_far)

    async def press(self, label: str) -> Heard:
        return await self._heard(await self.discord.press(label, by=self.discord.town.root))

    async def card(self) -> Seen:
        card = self.discord.cards()[-1]
        return Seen(words=words_of(card), buttons=tuple(labels_of(card)), pictures=len(card.attachments))

    async def cards(self) -> int:
        return len(self.discord.cards())

    async def told(self) -> list[str]:
        return [message.content for message in self.discord.town.root.user.dm_channel.history()]

    async def _typed(self, text: str) -> InteractionResult:
        """As its slash command: what follows the name is the prompt, or the one option that others have."""
        name, _, rest = text.removeprefix("/").partition(" ")
        options: dict[str, Any] = {}
        if name == "imagine":
            options = {"prompt": rest}
        elif name == "session" and rest:
            action, _, minutes = rest.partition(" ")
            options = {"action": action} | ({"minutes": int(minutes)} if minutes else {})
        elif rest:
            options = {"options": rest}
        return await self.discord.use(name, by=self.discord.town.root, **options)

    async def _heard(self, result: InteractionResult) -> Heard:
        await self._until(lambda: heard(result))
        charts = [len(each.attachments) for each in (result.response, *result.followups) if each is not None]
        return Heard(words=heard(result), charts=sum(charts))

    async def _until(self, fact: Callable[[], object]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not fact():
                await asyncio.sleep(0.02)


@asynccontextmanager
async def discord_seat(folder: Path, cloud: Running, **settings: str) -> AsyncIterator[Seat]:
    given = {
        "GLOWPLUG_DATA": str(folder / "data"),
        "GLOWPLUG_SANDBOX_URL": cloud.url,
        "GLOWPLUG_SANDBOX_KEY": KEY,
        "GLOWPLUG_HEDGES_PER_HOUR": "0",
        "GLOWPLUG_BRIDGE": "none",
    }
    own = Settings.model_validate(given | settings)
    address = SandboxAddress(url=cloud.url, key=KEY)
    async with a_town() as town, open_orchestrator(own, address) as orchestrator:
        town.env.backend.get_guild(town.guild.id).owner_id = town.root.id  # sees admins' commands, too
        async with town.bot(orchestrator, SystemClock().now, chart=cost_chart) as discord:
            yield DiscordSeat(discord=discord)
