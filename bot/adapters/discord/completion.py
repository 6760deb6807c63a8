"""What is offered while somebody types an option: LoRAs, presets and whatever else has too many values for a list."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import discord

from bot.adapters.discord.answering import Answering
from bot.adapters.discord.options import REMOVE_LORA, options_of
from bot.adapters.discord.people import call_of
from bot.chat.commands import Command, Expect, Loras, Presets
from bot.chat.hunch import Hunch
from bot.chat.model import Call, Reply
from orchestrator.api import RequestError

log = logging.getLogger(__name__)

IMAGINE = "imagine"

LIMIT_S = 2.0
"""Discord waits three seconds; no list is better than one that comes too late."""


class Completion:
    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._hunch = Hunch(answering.backend.handler, answering.backend.now)

    async def values(self, interaction: discord.Interaction, option: str, begun: str) -> list[str]:
        """Those that begin like what is typed first, then those that have it somewhere; none for strangers."""
        try:
            call = call_of(interaction, Presets(), self._answering.access)
        except RequestError:
            return []
        if interaction.command is not None and interaction.command.name == IMAGINE:
            await self._hunch.tell(replace(call, command=Expect()))
        wanted = begun.strip().lower()
        known = await self._offered(call, option)
        found = [value for value in known if wanted in value.lower()]
        return sorted(found, key=lambda value: not value.lower().startswith(wanted))

    async def _offered(self, call: Call, option: str) -> list[str]:
        if option == "preset":
            return [str(each["name"]) for each in await self._told(call, Presets(), "presets")]
        if option == "lora":
            return [str(name) for name in await self._told(call, Loras(), "loras")]
        if option == REMOVE_LORA:
            added = await self._told(call, Loras(), "added")
            return [f"remove {each['name']}{' shared' if each['shared'] else ''}" for each in added]
        return self._known(option)

    def _known(self, option: str) -> list[str]:
        workflows = self._answering.backend.orchestrator.workflows()
        if option == "workflow":
            return [card.name for card in workflows if not card.takes_image]
        return next((list(known.choices) for known in options_of(workflows) if known.name == option), [])

    async def _told(self, call: Call, command: Command, what: str) -> list[Any]:
        """Asked of the handler, which knows whose presets and LoRAs they are."""
        try:
            async with asyncio.timeout(LIMIT_S):
                answer = await self._answering.backend.handler.handle(replace(call, command=command))
        except TimeoutError:
            log.info("%s came too late to be offered", what)
            return []
        listed = answer.data.get(what) if isinstance(answer, Reply) else None
        return listed if isinstance(listed, list) else []
