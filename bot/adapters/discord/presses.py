"""Buttons and the modal: what a press means, and the few that are more than a command."""

import asyncio
import logging
from collections import OrderedDict
from dataclasses import replace
from typing import Any

import discord

from bot.adapters.discord.answering import Answering, safely
from bot.adapters.discord.buttons import CONFIRM, ORIGINAL, has_original
from bot.adapters.discord.files import KEPT_FREE, Attached, suffix_of, to_files
from bot.adapters.discord.markup import from_block, in_block, typed
from bot.adapters.discord.messages import Drawing
from bot.adapters.discord.people import call_of
from bot.adapters.discord.render import REPLY_COLOUR
from bot.adapters.discord.turn import CALL_LIMIT_S, Turn
from bot.adapters.originals import originals_of
from bot.chat.buttons import Action
from bot.chat.commands import Command, Imagine, Press
from bot.chat.model import Call, Refused, Reply
from bot.chat.press import decode_press
from bot.chat.texts import sentence
from bot.chat.typed import read_command
from bot.chat.words import plural
from orchestrator.api import JobId, RequestError

log = logging.getLogger(__name__)

MODAL = "imagine"
LONGEST_EDITED = 4000
"""Characters that a field of a modal takes (Discord's documentation, "Text Input")."""

IMAGINE = "/imagine "
MOST_CONFIRMED = 500
DEEPEST = 10
"""Levels of a modal's layout that are looked into; ours has three."""

GONE = "That button is from before; send the request again to get a new one."
BEGINNING = "Starting … If nothing follows within a minute, send it again."


class EditModal(discord.ui.Modal):
    """The request as it was typed, to be changed. Nothing waits for it: what is sent is understood by itself."""

    def __init__(self, text: str) -> None:
        super().__init__(title="Change it and send it again", custom_id=MODAL, timeout=None)
        field = discord.ui.TextInput["EditModal"](
            style=discord.TextStyle.paragraph,
            custom_id="text",
            default=text,
            max_length=LONGEST_EDITED,
        )
        self.add_item(discord.ui.Label[EditModal](text="What to paint", component=field))
        self.stop()


class Presses:
    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._confirmed: OrderedDict[int, None] = OrderedDict()

    async def pressed(self, interaction: discord.Interaction, text: str) -> None:
        """A button of ours, of whatever age."""
        await safely(self._pressed(interaction, text))

    async def _pressed(self, interaction: discord.Interaction, text: str) -> None:
        if text == CONFIRM:
            await self._confirm(interaction)
        elif text.startswith(f"{ORIGINAL}:"):
            await self._original(interaction, JobId(text.removeprefix(f"{ORIGINAL}:")))
        else:
            press = decode_press(text)
            if press is not None:
                await self._press(interaction, press)

    async def submitted(self, interaction: discord.Interaction) -> None:
        """The modal with a changed request."""
        text = typed(_field(interaction.data))
        await self._answering.answer(interaction, lambda: Imagine(text=text.removeprefix(IMAGINE)))

    async def _press(self, interaction: discord.Interaction, press: Press) -> None:
        if press.action is Action.EDIT:
            await self._edit(interaction, press)
            return
        await self._answering.answer(interaction, lambda: press)
        if press.action in {Action.KEEP, Action.RELEASE}:
            await self._redraw(interaction, press.job)

    # Edit.

    async def _edit(self, interaction: discord.Interaction, press: Press) -> None:
        turn = Turn(interaction)
        call = await self._call(turn, press)
        if call is None:
            return
        answer = await self._answering.in_time(turn, call)
        text = str(answer.data.get("text", "")).removeprefix(IMAGINE) if isinstance(answer, Reply) else ""
        if not text:
            await self._answering.tell_safely(turn, answer)
        elif turn.is_open and len(text) <= LONGEST_EDITED:
            async with asyncio.timeout(CALL_LIMIT_S):
                await interaction.response.send_modal(EditModal(text))
        else:
            words = "Copy it, change it and send it again:"
            block = discord.Embed(description=in_block(f"{IMAGINE}{text}")[:4096], colour=REPLY_COLOUR)
            await turn.say([discord.Embed(description=words, colour=REPLY_COLOUR), block])

    async def _call(self, turn: Turn, command: Command) -> Call | None:
        """None when the person may not; they were told."""
        try:
            return call_of(turn.interaction, command, self._answering.access)
        except RequestError as error:
            await self._answering.tell_safely(turn, Refused(sentence=sentence(error.key, error.values)))
            return None

    # Confirm.

    async def _confirm(self, interaction: discord.Interaction) -> None:
        """
        Do what the message with the button keeps.

        A second press, before the button is seen to be gone, does nothing; and as the key is the message, it would
        start nothing twice after a restart either.
        """
        message = interaction.message
        text = _kept_in(message)
        turn = Turn(interaction)
        if message is None or text is None:
            await turn.sentence(GONE)
            return
        if message.id in self._confirmed:
            await interaction.response.defer()
            return
        self._confirmed[message.id] = None
        if len(self._confirmed) > MOST_CONFIRMED:
            self._confirmed.popitem(last=False)
        try:
            await turn.take_over(BEGINNING)
        except (discord.HTTPException, TimeoutError):
            self._confirmed.pop(message.id, None)
            raise
        await self._answering.answer(interaction, lambda: read_command(text), turn=turn, key=f"{CONFIRM}:{message.id}")

    # Keep and Release.

    async def _redraw(self, interaction: discord.Interaction, job: JobId) -> None:
        """The pressed card says until when the machine is there, or that it is gone."""
        card = await self._answering.backend.cards.card(job)
        message = interaction.message
        if card is None or message is None or card.handle.message != str(message.id):
            return
        drawing = Drawing(card=card, has_original=has_original(message))
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await self._answering.messages.put(drawing, message.id)
        except (discord.HTTPException, TimeoutError) as error:
            log.info("a card could not be drawn anew: %s", error)

    # Original.

    async def _original(self, interaction: discord.Interaction, job: JobId) -> None:
        """The pictures as they were painted, for whoever may see the request's details."""
        turn = Turn(interaction)
        call = await self._call(turn, Press(job=job, action=Action.DETAILS))
        if call is None:
            return
        answer = await self._answering.in_time(turn, call)
        card = await self._answering.backend.cards.card(job)
        if not isinstance(answer, Reply) or card is None:
            await self._answering.tell_safely(turn, answer)
            return
        if not card.images:
            await self._answering.tell_safely(turn, Refused(sentence=sentence("no_longer_kept", {})))
            return
        if turn.is_open:
            await turn.hold(is_public=False)  # to upload them may take longer than Discord waits
        found = await originals_of(self._answering.backend.orchestrator, card)
        room = interaction.filesize_limit - KEPT_FREE
        originals = [Attached(name="", data=picture) for picture in found]
        await self._send_originals(turn, [each for each in originals if len(each.data) <= room], len(card.images))

    async def _send_originals(self, turn: Turn, originals: list[Attached], wanted: int) -> None:
        """One a message: together they could be too large."""
        named = [
            replace(each, name=f"glowplug-{place + 1}.{suffix_of(each.data)}") for place, each in enumerate(originals)
        ]
        words = f"{plural(len(named), 'original')}."
        if wanted > len(named):
            missing = plural(wanted - len(named), "picture")
            words += f" {missing} more: too large for Discord here, or gone; the bot's own page has what there is."
        await turn.say([discord.Embed(description=words, colour=REPLY_COLOUR)], files=named[:1])
        for each in named[1:]:
            async with asyncio.timeout(CALL_LIMIT_S):
                await turn.interaction.followup.send(files=to_files([each]), ephemeral=True)


def _kept_in(message: discord.Message | None) -> str | None:
    if message is None or not message.embeds:
        return None
    return from_block(message.embeds[-1].description or "")


def _field(data: Any, depth: int = DEEPEST) -> str:
    """The one value in what a modal sends, wherever its layout puts it."""
    if depth == 0:
        return ""
    if isinstance(data, dict):
        if isinstance(data.get("value"), str):
            return str(data["value"])
        return _field(data.get("components") or data.get("component"), depth - 1)
    if isinstance(data, list):
        return next((text for text in (_field(each, depth - 1) for each in data) if text), "")
    return ""
