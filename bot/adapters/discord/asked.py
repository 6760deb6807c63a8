"""Interactions that may still matter: which message answered them, and the token that edits it for a while."""

from collections import OrderedDict
from dataclasses import dataclass

import discord

from bot.chat.handle import ReplyHandle
from orchestrator.api import JobId

MOST_KEPT = 500
"""Interactions of the last quarter of an hour that are remembered; older ones are found in the channel's history."""

PREFIX = "interaction:"


@dataclass(slots=True, kw_only=True)
class Asked:
    """
    One interaction that asked for cards.

    Attributes:
        is_pending: Its first message is about to come.
        job: The job whose card its first message is.
    """

    interaction: discord.Interaction
    is_pending: bool = True
    job: JobId | None = None
    message: int | None = None


class AskedTable:
    """Bounded; nothing in it would be missed after a restart."""

    def __init__(self) -> None:
        self._asked: OrderedDict[int, Asked] = OrderedDict()
        self._messages: OrderedDict[int, discord.Interaction] = OrderedDict()

    def begin(self, interaction: discord.Interaction) -> None:
        """The answer to *interaction* is on its way."""
        self._asked[interaction.id] = Asked(interaction=interaction)
        if len(self._asked) > MOST_KEPT:
            self._asked.popitem(last=False)

    def answered(self, interaction: discord.Interaction, job: JobId, message: int) -> None:
        """Its first message is the card of *job*."""
        self._asked[interaction.id] = Asked(interaction=interaction, is_pending=False, job=job, message=message)
        self.keep(message, interaction)

    def forget(self, interaction: discord.Interaction) -> None:
        """Nobody knows whether there is a message: the channel's history is looked at when it matters."""
        self._asked.pop(interaction.id, None)

    def get(self, handle: ReplyHandle) -> Asked | None:
        """What *handle*, if it names an interaction, is about."""
        number = interaction_of(handle)
        return None if number is None else self._asked.get(number)

    def keep(self, message: int, interaction: discord.Interaction) -> None:
        """*message* can be edited by the token of *interaction*, too."""
        self._messages[message] = interaction
        if len(self._messages) > MOST_KEPT:
            self._messages.popitem(last=False)

    def token_for(self, message: int | None, handle: ReplyHandle) -> discord.Interaction | None:
        """An interaction whose token still reaches the message, or the chat, of a card."""
        asked = self.get(handle)
        found = self._messages.get(message) if message is not None else asked.interaction if asked else None
        return None if found is None or found.is_expired() else found


def handle_of(interaction: discord.Interaction, name: str) -> ReplyHandle:
    """Where the card of what *interaction* asks for will be, before there is a message."""
    return ReplyHandle(surface=name, chat=str(interaction.channel_id), message=f"{PREFIX}{interaction.id}")


def interaction_of(handle: ReplyHandle) -> int | None:
    number = handle.message.removeprefix(PREFIX)
    return int(number) if number != handle.message and number.isdecimal() else None


def message_of(handle: ReplyHandle) -> int | None:
    return int(handle.message) if handle.message.isascii() and handle.message.isdecimal() else None
