"""What is offered while somebody types an option: LoRAs, presets and whatever else has too many values for a list."""

import asyncio
import logging

import discord

from bot.adapters.discord.answering import Answering
from bot.adapters.discord.options import options_of
from bot.adapters.discord.people import call_of
from bot.chat.commands import Presets
from bot.chat.model import Call, Reply
from orchestrator.api import RequestError

log = logging.getLogger(__name__)

LIMIT_S = 2.0
"""Discord waits three seconds; no list is better than one that comes too late."""


class Completion:
    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def values(self, interaction: discord.Interaction, option: str, begun: str) -> list[str]:
        """Those that begin like what is typed first, then those that have it somewhere; none for strangers."""
        try:
            call = call_of(interaction, Presets(), self._answering.access)
        except RequestError:
            return []
        wanted = begun.strip().lower()
        known = await self._presets(call) if option == "preset" else self._known(option)
        found = [value for value in known if wanted in value.lower()]
        return sorted(found, key=lambda value: not value.lower().startswith(wanted))

    def _known(self, option: str) -> list[str]:
        workflows = self._answering.backend.orchestrator.workflows()
        if option == "lora":
            return list(dict.fromkeys(name for card in workflows if not card.takes_image for name in card.loras))
        if option == "workflow":
            return [card.name for card in workflows if not card.takes_image]
        return next((list(known.choices) for known in options_of(workflows) if known.name == option), [])

    async def _presets(self, call: Call) -> list[str]:
        """Asked of the handler, which knows whose presets they are."""
        try:
            async with asyncio.timeout(LIMIT_S):
                answer = await self._answering.backend.handler.handle(call)
        except TimeoutError:
            log.info("presets came too late to be offered")
            return []
        listed = answer.data.get("presets") if isinstance(answer, Reply) else None
        return [str(each["name"]) for each in listed] if isinstance(listed, list) else []
