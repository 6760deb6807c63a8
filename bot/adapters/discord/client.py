"""The connection to Discord: what it listens to, and what it does when a person uses it."""

import logging
from collections.abc import Callable
from typing import Any

import discord
from discord import app_commands

from bot.adapters.discord.answering import Answering
from bot.adapters.discord.buttons import OurButton
from bot.adapters.discord.commands import commands_of
from bot.adapters.discord.completion import Completion
from bot.adapters.discord.messages import NO_MENTIONS
from bot.adapters.discord.presses import MODAL, Presses
from bot.chat.commands import Command
from bot.chat.under_way import UnderWay

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 30.0
"""For a rate limit; discord.py waits by itself for shorter ones, and takes no smaller number."""


NEEDED = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    embed_links=True,
    attach_files=True,
    read_message_history=True,
)


class Work:
    """Everything that the client hands on to."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.presses = Presses(answering)
        self.completion = Completion(answering)
        self.under_way = UnderWay()

    async def command(self, interaction: discord.Interaction, read: Callable[[], Command]) -> None:
        with self.under_way.one():
            await self.answering.answer(interaction, read)

    async def pressed(self, interaction: discord.Interaction, text: str) -> None:
        with self.under_way.one():
            await self.presses.pressed(interaction, text)

    async def submitted(self, interaction: discord.Interaction) -> None:
        with self.under_way.one():
            await self.presses.submitted(interaction)

    async def complete(self, interaction: discord.Interaction, option: str, begun: str) -> list[str]:
        return await self.completion.values(interaction, option, begun)


class Tree(app_commands.CommandTree[Any]):
    async def on_error(self, interaction: discord.Interaction, error: app_commands.AppCommandError, /) -> None:
        """Commands that were changed since a client learned them; everything else is answered where it happens."""
        log.warning("a command could not be run: %s", error, exc_info=error)
        if not interaction.response.is_done() and interaction.type is discord.InteractionType.application_command:
            await interaction.response.send_message(
                "The commands have just changed; restart Discord (Ctrl-R) and try again.", ephemeral=True
            )


class Client(discord.Client):
    """
    Reads no messages and needs no privileged intent: guilds alone, for the names of channels and their limits.

    Commands are registered globally: they are there at once everywhere, in private messages too, and a second
    registration for single guilds would show each of them twice there.
    """

    def __init__(self, work: Callable[[], Work | None]) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True),
            allowed_mentions=NO_MENTIONS,
            max_ratelimit_timeout=LONGEST_PAUSE_S,
            max_messages=None,
        )
        self.tree = Tree(self)
        self._work = work
        self.add_dynamic_items(OurButton)

    async def setup_hook(self) -> None:
        work = self._work()
        if work is None:
            return
        self.tree.clear_commands(guild=None)
        for command in commands_of(work.answering.backend.orchestrator.workflows(), work):
            self.tree.add_command(command)
        await self.tree.sync()

    async def on_ready(self) -> None:
        """Say where it is; a bot that was invited nowhere looks as if it worked."""
        log.info("Discord: connected in %d servers", len(self.guilds))
        if not self.guilds:
            log.warning("the Discord bot is in no server yet; invite it: %s", self.invitation())

    def invitation(self) -> str:
        """The address that invites it with exactly what it needs."""
        return discord.utils.oauth_url(
            self.application_id or 0, permissions=NEEDED, scopes=("bot", "applications.commands")
        )

    async def pressed(self, interaction: discord.Interaction, text: str) -> None:
        work = self._work()
        if work is not None:
            await work.pressed(interaction, text)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Modals are understood here, so that one that was opened before a restart is not lost."""
        work = self._work()
        if work is None or interaction.type is not discord.InteractionType.modal_submit or not interaction.data:
            return
        if interaction.data.get("custom_id") == MODAL:
            await work.submitted(interaction)
