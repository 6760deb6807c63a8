"""
Where cards are: one message each, made as text, edited, and made anew only when it is gone.

Telegram knows no name under which a message could be made once. So a message is made with words alone, and pictures
come by editing it, which may be repeated: whatever happens in between, no picture is posted twice.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from telegram import Bot, InlineKeyboardMarkup, InputMediaPhoto, LinkPreviewOptions, Message, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated, TelegramError

from bot.adapters.telegram.failures import is_closed_to_us, is_gone, is_not_parsed, is_unchanged, is_without_topic
from bot.adapters.telegram.markup import plain
from bot.adapters.telegram.render import Look, caption_of, keyboard_of, look_of, text_of
from bot.adapters.telegram.spots import Spot, is_group
from bot.chat.card import Card
from orchestrator.api import JobId

log = logging.getLogger(__name__)

T = TypeVar("T")

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
MOST_LOOKS = 1000
MOST_CLOSED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """
    A card, ready to be posted.

    Attributes:
        photo: What is to stand above the words; None for words alone.
        is_below_photo: The words stand below a photo that stays as it is.
        has_originals: There are originals to be had.
    """

    card: Card
    photo: bytes | None = None
    is_below_photo: bool = False
    has_originals: bool = False
    is_spoiler: bool = False

    @property
    def keyboard(self) -> InlineKeyboardMarkup | None:
        return keyboard_of(self.card, has_originals=self.has_originals)


class Closed(Exception):
    """Nothing can be written in that chat any more."""


class Messages:
    """Raises what python-telegram-bot raises where Telegram is away or busy, and Closed."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._looks: OrderedDict[JobId, Look] = OrderedDict()
        self._have_originals: OrderedDict[JobId, None] = OrderedDict()
        self._closed: OrderedDict[int, None] = OrderedDict()

    # What was seen.

    def is_news(self, card: Card) -> bool:
        """Whether a reader would see a difference to what is there."""
        return self._looks.get(card.job) != look_of(card)

    def note(self, card: Card) -> None:
        self._looks[card.job] = look_of(card)
        self._looks.move_to_end(card.job)
        if len(self._looks) > MOST_LOOKS:
            self._looks.popitem(last=False)

    # Words.

    async def send(
        self, spot: Spot, text: str, *, keyboard: InlineKeyboardMarkup | None = None, is_reply: bool = True
    ) -> Message:
        """
        A new message, which answers what *spot* says that it answers.

        Raises:
            Closed: It cannot be written there.
        """

        async def sent(words: str, mode: str | None, chat: int) -> Message:
            answers = ReplyParameters(spot.after, allow_sending_without_reply=True) if spot.after and is_reply else None
            return await self._bot.send_message(
                chat,
                words,
                parse_mode=mode,
                reply_markup=keyboard,
                message_thread_id=spot.topic,
                reply_parameters=answers,
                link_preview_options=NO_PREVIEW,
            )

        async def followed(words: str, mode: str | None) -> Message:
            try:
                return await sent(words, mode, spot.chat)
            except ChatMigrated as error:  # the group became a supergroup: the same people under another id
                return await sent(words, mode, error.new_chat_id)

        try:
            return await _as_html(text, followed)
        except TelegramError as error:
            if spot.topic is not None and is_without_topic(error):
                return await self.send(replace(spot, topic=None), text, keyboard=keyboard, is_reply=is_reply)
            if is_closed_to_us(error):
                raise self._noted_closed(spot.chat, error) from error
            raise

    # Cards.

    async def open(self, card: Card, spot: Spot) -> Spot:
        """Make the message of *card*, with words alone."""
        made = await self.send(spot, text_of(card), keyboard=keyboard_of(card))
        self.note(card)
        return Spot(chat=made.chat_id, message=made.message_id, topic=spot.topic)

    async def change(self, drawing: Drawing, spot: Spot) -> bool:
        """
        Bring the message at *spot* up to date, as often as wanted. False when it is gone, or left behind by its group.

        Raises:
            Closed: It cannot be written there.
        """
        try:
            await self._changed(drawing, spot)
        except TelegramError as error:
            if is_gone(error):
                return False
            if is_closed_to_us(error):
                raise self._noted_closed(spot.chat, error) from error
            if not is_unchanged(error):
                raise
        self.note(drawing.card)
        self._note_originals(drawing)
        return True

    async def touch_up(self, card: Card, spot: Spot) -> None:
        """
        Change the words below a picture that stays as it is; nothing is made anew where it is gone.

        Raises:
            Closed: It cannot be written there.
        """
        has_originals = card.job in self._have_originals
        below = Drawing(card=card, is_below_photo=bool(card.images), has_originals=has_originals)
        try:
            await self.change(below, spot)
        except BadRequest:  # the picture was not taken there: its words stand alone
            await self.change(replace(below, is_below_photo=False), spot)

    def _note_originals(self, drawing: Drawing) -> None:
        if drawing.has_originals:
            self._have_originals[drawing.card.job] = None
            if len(self._have_originals) > MOST_LOOKS:
                self._have_originals.popitem(last=False)

    async def _changed(self, drawing: Drawing, spot: Spot) -> None:
        if drawing.photo is not None:
            await self._with_photo(drawing, drawing.photo, spot)
        elif drawing.is_below_photo:
            await self._words_below(drawing, spot)
        else:
            await self._words(drawing, spot)

    async def _words(self, drawing: Drawing, spot: Spot) -> None:
        await _as_html(
            text_of(drawing.card),
            lambda words, mode: self._bot.edit_message_text(
                words,
                chat_id=spot.chat,
                message_id=spot.message,
                parse_mode=mode,
                reply_markup=drawing.keyboard,
                link_preview_options=NO_PREVIEW,
            ),
        )

    async def _words_below(self, drawing: Drawing, spot: Spot) -> None:
        """The picture stays as it is."""
        await _as_html(
            caption_of(drawing.card),
            lambda words, mode: self._bot.edit_message_caption(
                chat_id=spot.chat,
                message_id=spot.message,
                caption=words,
                parse_mode=mode,
                reply_markup=drawing.keyboard,
            ),
        )

    async def _with_photo(self, drawing: Drawing, photo: bytes, spot: Spot) -> None:
        await _as_html(
            caption_of(drawing.card),
            lambda words, mode: self._bot.edit_message_media(
                InputMediaPhoto(
                    photo, caption=words, parse_mode=mode, has_spoiler=drawing.is_spoiler, filename="glowplug.jpg"
                ),
                chat_id=spot.chat,
                message_id=spot.message,
                reply_markup=drawing.keyboard,
            ),
        )

    def _noted_closed(self, chat: int, error: TelegramError) -> Closed:
        """Say once a chat that nobody is reached there; the pictures are in the person's history all the same."""
        if chat not in self._closed:
            log.warning("a Telegram %s takes no messages any more: %s", "group" if is_group(chat) else "chat", error)
        self._closed[chat] = None
        if len(self._closed) > MOST_CLOSED:
            self._closed.popitem(last=False)
        return Closed(error.message)


async def _as_html(text: str, call: Callable[[str, str | None], Awaitable[T]]) -> T:
    """Send *text* as HTML, or without its markup where the server does not take it."""
    try:
        return await call(text, ParseMode.HTML)
    except BadRequest as error:
        if not is_not_parsed(error):
            raise
        log.warning("Telegram does not take our markup: %s", error)
        return await call(plain(text), None)
