"""One interaction while it is answered: its first response within three seconds, and what comes in its place later."""

import asyncio
from collections.abc import Sequence
from enum import Enum, auto

import discord

from bot.adapters.discord.files import Attached, to_files
from bot.adapters.discord.messages import NO_MENTIONS, Drawing
from bot.adapters.discord.render import REPLY_COLOUR

CALL_LIMIT_S = 20.0
"""Of one call to Discord."""

LONGEST_MESSAGE = 6000
MOST_EMBEDS = 10
"""Characters in all embeds of one message, and how many there may be (Discord's documentation, "Embed Limits")."""

HOLD_CARD = "Writing your request down … If nothing follows within a minute, send it again."
HOLD_WORDS = "Looking it up … If nothing follows within a minute, ask again."
BELOW = "It has begun; see below."


class _State(Enum):
    OPEN = auto()  # Discord has no response yet
    PUBLIC = auto()  # everybody sees a message that says to wait
    PRIVATE = auto()  # the person alone sees a message of ours
    DONE = auto()


class Turn:
    """
    Answers one interaction.

    Nothing here leaves "is thinking …" behind: what is said first is a real message that still makes sense after a
    crash.
    """

    def __init__(self, interaction: discord.Interaction) -> None:
        self.interaction = interaction
        self._state = _State.OPEN

    @property
    def is_open(self) -> bool:
        return self._state is _State.OPEN

    async def hold(self, *, is_public: bool) -> None:
        """Say that it takes a moment."""
        async with asyncio.timeout(CALL_LIMIT_S):
            await self.interaction.response.send_message(
                HOLD_CARD if is_public else HOLD_WORDS, ephemeral=not is_public, allowed_mentions=NO_MENTIONS
            )
        self._state = _State.PUBLIC if is_public else _State.PRIVATE

    async def take_over(self, text: str) -> None:
        """Change the private message whose button was pressed, and take its button away: it is pressed once."""
        async with asyncio.timeout(CALL_LIMIT_S):
            await self.interaction.response.edit_message(content=text, embeds=[], view=None)
        self._state = _State.PRIVATE

    async def say(
        self,
        embeds: Sequence[discord.Embed],
        *,
        view: discord.ui.View | None = None,
        files: Sequence[Attached] = (),
    ) -> None:
        """Tell the person alone."""
        first, *others = _in_messages(embeds)
        async with asyncio.timeout(CALL_LIMIT_S):
            await self._first(first, None if others else view, () if others else files)
            for place, message in enumerate(others):
                is_last = place == len(others) - 1
                await self._follow(message, view if is_last else None, files if is_last else ())

    async def _first(
        self, embeds: list[discord.Embed], view: discord.ui.View | None, files: Sequence[Attached]
    ) -> None:
        state, self._state = self._state, _State.DONE
        match state:
            case _State.OPEN:
                await self.interaction.response.send_message(
                    embeds=embeds,
                    view=view or discord.utils.MISSING,
                    files=to_files(files),
                    ephemeral=True,
                    allowed_mentions=NO_MENTIONS,
                )
            case _State.PRIVATE:
                await self.interaction.edit_original_response(
                    content=None, embeds=embeds, view=view, attachments=to_files(files), allowed_mentions=NO_MENTIONS
                )
            case _State.PUBLIC:
                await self.interaction.delete_original_response()
                await self._follow(embeds, view, files)
            case _State.DONE:
                await self._follow(embeds, view, files)

    async def _follow(
        self, embeds: list[discord.Embed], view: discord.ui.View | None, files: Sequence[Attached]
    ) -> None:
        await self.interaction.followup.send(
            embeds=embeds,
            view=view or discord.utils.MISSING,
            files=to_files(files),
            ephemeral=True,
            allowed_mentions=NO_MENTIONS,
        )

    async def sentence(self, text: str) -> None:
        """One sentence of our own, already escaped, for the person alone."""
        await self.say([discord.Embed(description=text, colour=REPLY_COLOUR)])

    async def post(self, drawing: Drawing) -> int | None:
        """Show a card to everybody as the answer; says which message that is."""
        state, self._state = self._state, _State.DONE
        async with asyncio.timeout(CALL_LIMIT_S):
            match state:
                case _State.OPEN:
                    made = await self.interaction.response.send_message(**drawing.new())
                    return made.message_id
                case _State.PUBLIC:
                    return (await self.interaction.edit_original_response(**drawing.change())).id
                case _:
                    message = await self.interaction.followup.send(wait=True, **drawing.new())
                    if state is _State.PRIVATE:
                        await self.interaction.edit_original_response(content=BELOW)
                    return message.id


def _in_messages(embeds: Sequence[discord.Embed]) -> list[list[discord.Embed]]:
    """As many of them in one message as Discord takes."""
    messages: list[list[discord.Embed]] = [[]]
    for embed in embeds:
        if len(messages[-1]) == MOST_EMBEDS or sum(map(len, messages[-1])) + len(embed) > LONGEST_MESSAGE:
            messages.append([])
        messages[-1].append(embed)
    return messages
