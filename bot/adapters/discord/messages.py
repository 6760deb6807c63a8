"""
Where cards are: one message each, found again, edited, and made anew only when it is gone.

A card is edited by channel and message with the bot's own token. An interaction's token is the way in where the bot
may not see the channel, and it dies after a quarter of an hour.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import discord

from bot.adapters.discord.asked import AskedTable, interaction_of, message_of
from bot.adapters.discord.buttons import job_named_in, view_of
from bot.adapters.discord.failures import is_closed_to_us, is_gone
from bot.adapters.discord.files import Attached, to_files
from bot.adapters.discord.render import NO_VIEW, Look, embed_of, look_of
from bot.chat.card import Card
from bot.chat.handle import ReplyHandle
from orchestrator.api import JobId

log = logging.getLogger(__name__)

NO_MENTIONS = discord.AllowedMentions.none()
LONGEST_NONCE = 25
LOOKED_THROUGH = 100
"""Messages after an interaction among which the answer to it is looked for."""

MOST_LOOKS = 1000
MOST_CLOSED = 200


class Pending(Exception):
    """The message of this card is being made by whoever answers the interaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """
    A card, ready to be posted.

    Attributes:
        files: None leaves the attachments as they are.
    """

    card: Card
    files: tuple[Attached, ...] | None = None
    has_original: bool = False

    def new(self, hint: str = "") -> dict[str, Any]:
        """For a message that is made."""
        view = view_of(self.card, has_original=self.has_original)
        words = {"embed": embed_of(self.card, hint=hint), "allowed_mentions": NO_MENTIONS}
        return words | ({"view": view} if view else {}) | ({"files": to_files(self.files)} if self.files else {})

    def change(self, hint: str = "") -> dict[str, Any]:
        """For a message that is there."""
        return {
            "content": None,
            "embed": embed_of(self.card, hint=hint),
            "view": view_of(self.card, has_original=self.has_original),
            "allowed_mentions": NO_MENTIONS,
            **({} if self.files is None else {"attachments": to_files(self.files)}),
        }


class Messages:
    """Brings drawings to their messages. Raises what discord.py raises where Discord is away or busy."""

    def __init__(self, client: Callable[[], discord.Client], asked: AskedTable) -> None:
        self._client = client
        self._asked = asked
        self._looks: OrderedDict[JobId, Look] = OrderedDict()
        self._have_originals: OrderedDict[JobId, None] = OrderedDict()
        self._adopted: OrderedDict[int, JobId] = OrderedDict()
        self._closed: OrderedDict[str, None] = OrderedDict()

    # What was seen.

    def is_news(self, card: Card) -> bool:
        """Whether a reader would see a difference to what is there."""
        before = self._looks.get(card.job)
        return before is None or not before.reads_as(look_of(card))

    def note(self, card: Card) -> None:
        self._looks[card.job] = look_of(card)
        self._looks.move_to_end(card.job)
        if len(self._looks) > MOST_LOOKS:
            self._looks.popitem(last=False)

    def has_original(self, card: Card) -> bool:
        """Whether its message was made to offer its originals, as far as this life of ours knows."""
        return card.job in self._have_originals

    def _note_original(self, drawing: Drawing) -> None:
        if drawing.has_original:
            self._have_originals[drawing.card.job] = None
            if len(self._have_originals) > MOST_LOOKS:
                self._have_originals.popitem(last=False)

    # Where it is.

    async def find(self, card: Card) -> int | None:
        """
        The message of *card*; None when there is none yet.

        Raises:
            Pending: It comes in a moment.
        """
        known = message_of(card.handle)
        number = interaction_of(card.handle)
        if known is not None or number is None:
            return known
        asked = self._asked.get(card.handle)
        if asked is None:
            return await self._adopt(card, number)
        if asked.is_pending:
            raise Pending
        return asked.message if asked.job == card.job else None

    async def _adopt(self, card: Card, interaction: int) -> int | None:
        """What answered an interaction before a restart: the message with this job's buttons, or one without any."""
        channel = self._client().get_partial_messageable(int(card.handle.chat))
        found: list[discord.Message] = []
        try:
            async for message in channel.history(
                limit=LOOKED_THROUGH, after=discord.Object(interaction), oldest_first=True
            ):
                metadata = message.interaction_metadata
                if metadata is not None and metadata.id == interaction and message.author == self._client().user:
                    found.append(message)
        except discord.HTTPException as error:
            if not is_closed_to_us(error):
                raise
        return self._claimed(card.job, found)

    def _claimed(self, job: JobId, found: list[discord.Message]) -> int | None:
        """No two jobs of one interaction take the same message; nothing is awaited between looking and taking."""
        for message in found:
            if job_named_in(message) == job:
                return message.id
        for message in found:
            if job_named_in(message) is None and self._adopted.get(message.id, job) == job:
                self._adopted[message.id] = job
                if len(self._adopted) > MOST_LOOKS:
                    self._adopted.popitem(last=False)
                return message.id
        return None

    # Bringing it there.

    async def put(self, drawing: Drawing, message: int | None) -> ReplyHandle:
        """Show it in *message*, or in a new one where there is none or it is gone; says where it is now."""
        card = drawing.card
        if not card.handle.chat.isdecimal():
            self._note_closed(card, "its channel is not known")
            return card.handle
        at = await self._edited(drawing, message) if message is not None else None
        if at is None:
            at = await self._posted(drawing, instead_of=message)
        if at is None:
            return card.handle
        self.note(card)
        self._note_original(drawing)
        return replace(card.handle, message=str(at))

    async def touch_up(self, card: Card, message: int) -> None:
        """Change the words below pictures that stay as they are; nothing is made anew where they are gone."""
        await self._edited(Drawing(card=card, has_original=self.has_original(card)), message)
        self.note(card)

    async def _edited(self, drawing: Drawing, message: int) -> int | None:
        """None when the message is gone."""
        channel = self._client().get_partial_messageable(int(drawing.card.handle.chat))
        try:
            await channel.get_partial_message(message).edit(**drawing.change())
        except discord.HTTPException as error:
            if is_gone(error):
                return None
            if not is_closed_to_us(error):
                raise
            return await self._edited_by_token(drawing, message, error)
        return message

    async def _edited_by_token(self, drawing: Drawing, message: int, why: discord.HTTPException) -> int | None:
        interaction = self._asked.token_for(message, drawing.card.handle)
        if interaction is None:
            self._note_closed(drawing.card, why.text)
            return message
        try:
            await interaction.followup.edit_message(message, **drawing.change(NO_VIEW))
        except discord.HTTPException as error:
            if is_gone(error):
                return None
            if not is_closed_to_us(error):
                raise
            self._note_closed(drawing.card, error.text)
        return message

    async def _posted(self, drawing: Drawing, *, instead_of: int | None) -> int | None:
        """
        Make its message; None where nothing can be written.

        The nonce makes Discord answer a repeated request with the message of the first one. A card that replaces a
        deleted one must not get that one back, so it is named by what it replaces.
        """
        card = drawing.card
        nonce = str(card.job)[-LONGEST_NONCE:] if instead_of is None else str(instead_of)
        channel = self._client().get_partial_messageable(int(card.handle.chat))
        try:
            return (await channel.send(nonce=nonce, **drawing.new())).id
        except discord.HTTPException as error:
            if not is_closed_to_us(error):
                raise
            return await self._posted_by_token(drawing, instead_of, error)

    async def _posted_by_token(
        self, drawing: Drawing, instead_of: int | None, why: discord.HTTPException
    ) -> int | None:
        interaction = self._asked.token_for(instead_of, drawing.card.handle)
        if interaction is None:
            self._note_closed(drawing.card, why.text)
            return None
        try:
            made = await interaction.followup.send(wait=True, **drawing.new(NO_VIEW))
        except discord.HTTPException as error:
            if not is_closed_to_us(error):
                raise
            self._note_closed(drawing.card, error.text)
            return None
        self._asked.keep(made.id, interaction)
        return made.id

    def _note_closed(self, card: Card, why: str) -> None:
        """Say once a channel that its cards reach nobody; the pictures are in the person's history all the same."""
        if card.handle.chat not in self._closed:
            log.warning("cards cannot be shown in the Discord channel %s any more: %s", card.handle.chat, why)
        self._closed[card.handle.chat] = None
        if len(self._closed) > MOST_CLOSED:
            self._closed.popitem(last=False)
