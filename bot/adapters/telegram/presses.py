"""Buttons: what a press means, and the few that are more than a command."""

import logging

from telegram import Bot, CallbackQuery, InputMediaDocument, Message
from telegram.error import TelegramError

from bot.adapters.originals import originals_of
from bot.adapters.pictures import content_type
from bot.adapters.telegram.answering import Answering, spot_of
from bot.adapters.telegram.failures import is_unchanged
from bot.adapters.telegram.markup import code
from bot.adapters.telegram.messages import Closed, Drawing, Messages
from bot.adapters.telegram.people import call_of, check
from bot.adapters.telegram.photos import FILE_LIMIT
from bot.adapters.telegram.render import CONFIRM, ORIGINAL
from bot.adapters.telegram.spots import Spot
from bot.adapters.telegram.spots import spot_of as known_spot
from bot.chat.buttons import Action
from bot.chat.commands import Press
from bot.chat.model import Answer, Refused, Reply, Started
from bot.chat.press import decode_press
from bot.chat.prompt import YES
from bot.chat.texts import sentence
from bot.chat.words import clipped, plural
from orchestrator.api import JobId, RequestError

log = logging.getLogger(__name__)

LONGEST_TOAST = 200
"""Characters (Bot API, ``answerCallbackQuery``)."""

NOT_YOURS = "That question was for somebody else."
EDIT = "Tap it to copy, change it and send it again:"
TOASTS = frozenset({Action.CANCEL, Action.KEEP, Action.RELEASE})
"""What needs no message: the card shows it as well."""


class Presses:
    def __init__(self, bot: Bot, answering: Answering, messages: Messages) -> None:
        self._bot = bot
        self._answering = answering
        self._messages = messages

    async def pressed(self, query: CallbackQuery) -> None:
        """A button of ours, of whatever age; the waiting circle on it always ends."""
        data = query.data or ""
        try:
            message = _pressed_on(query)
            check(self._answering.access, query.from_user, message.chat)
            if data == CONFIRM:
                await self._confirm(query, message)
            elif data.startswith(f"{ORIGINAL}:"):
                await self._originals(query, message, JobId(data.removeprefix(f"{ORIGINAL}:")))
            else:
                await self._press(query, message, data)
        except RequestError as error:
            await self._toast(query, sentence(error.key, error.values), is_alert=True)

    async def _press(self, query: CallbackQuery, message: Message, data: str) -> None:
        press = decode_press(data)
        if press is None:
            raise RequestError("button_gone")
        spot = spot_of(message)
        if press.action is Action.CANCEL:
            await self._adopt(message, press.job)
        answer = await self._answer(query, spot, press)
        await self._tell(query, spot, press, answer)
        if press.action in {Action.KEEP, Action.RELEASE}:
            await self._redraw(message, press.job)

    async def _answer(self, query: CallbackQuery, spot: Spot, press: Press) -> Answer:
        access = self._answering.access
        call = call_of(press, user=query.from_user, spot=spot, access=access, key=f"press:{query.id}")
        return await self._answering.handled(call)

    async def _tell(self, query: CallbackQuery, spot: Spot, press: Press, answer: Answer) -> None:
        match answer:
            case Refused(sentence=said):
                await self._toast(query, said, is_alert=True)
            case Reply(text=text) if press.action in TOASTS:
                await self._toast(query, text)
            case Reply(data=data) if press.action is Action.EDIT:
                await self._toast(query)
                await self._answering.talking.say(spot, [f"{EDIT}\n{code(str(data['text']))}"])
            case Reply():
                await self._toast(query)
                await self._answering.tell(spot, answer)
            case Started():
                await self._toast(query, answer.note)

    async def _adopt(self, message: Message, job: JobId) -> None:
        """Cancel stands below cards alone: where we never heard which message a card is, it is this one."""
        card = await self._answering.backend.cards.card(job)
        known = None if card is None else known_spot(card.handle)
        if known is not None and known.message is None and known.chat == message.chat_id:
            await self._answering.backend.handler.moved(job, known.at(message.message_id).handle())

    # Confirm.

    async def _confirm(self, query: CallbackQuery, message: Message) -> None:
        """
        Do what was asked about: the question answers the message that it is about, which outlasts a restart.

        The key is the question, so a second press starts nothing twice.
        """
        asked = message.reply_to_message
        if asked is None or not asked.text:
            raise RequestError("button_gone")
        if asked.from_user is None or asked.from_user.id != query.from_user.id:
            await self._toast(query, NOT_YOURS, is_alert=True)
            return
        await self._toast(query)
        await self._without_buttons(message)
        key = f"confirm:{message.chat_id}:{message.message_id}"
        await self._answering.run(query.from_user, spot_of(asked), f"{asked.text} {YES}", key=key)

    async def _without_buttons(self, message: Message) -> None:
        try:
            await self._answering.talking.in_step(
                message.chat_id,
                lambda: self._bot.edit_message_reply_markup(message.chat_id, message.message_id),
            )
        except TelegramError as error:  # the answer matters more, and a second press starts nothing twice
            if not is_unchanged(error):
                log.info("a question could not be changed: %s", error)

    # Keep and Release.

    async def _redraw(self, message: Message, job: JobId) -> None:
        """The pressed card says until when the machine is there, or that it is gone."""
        card = await self._answering.backend.cards.card(job)
        spot = Spot(chat=message.chat_id, message=message.message_id)
        if card is None or card.handle.message.partition("@")[0] != str(message.message_id):
            return
        try:
            has_photo = bool(message.photo)
            drawing = Drawing(card=card, is_below_photo=has_photo, has_originals=has_photo)
            await self._answering.talking.in_step(spot.chat, lambda: self._messages.change(drawing, spot))
        except (TelegramError, Closed) as error:
            log.info("a card could not be drawn anew: %s", error)

    # Originals.

    async def _originals(self, query: CallbackQuery, message: Message, job: JobId) -> None:
        """
        The pictures as they were painted, for whoever may see the request's details.

        At most once a press: where it is not known whether they arrived they are not sent again.
        """
        spot = spot_of(message)
        answer = await self._answer(query, spot, Press(job=job, action=Action.DETAILS))
        card = await self._answering.backend.cards.card(job)
        if not isinstance(answer, Reply) or card is None:
            await self._tell(query, spot, Press(job=job, action=Action.DETAILS), answer)
            return
        if not card.images:
            raise RequestError("no_longer_kept")
        await self._toast(query)
        orchestrator = self._answering.backend.orchestrator
        if not await orchestrator.people.claim(f"telegram:originals:{query.id}"):
            return
        found = await originals_of(orchestrator, card)
        small = [picture for picture in found if len(picture) <= FILE_LIMIT]
        await self._send_files(spot, small)
        if len(small) < len(card.images):
            missing = plural(len(card.images) - len(small), "picture")
            await self._answering.talking.sentence(spot, f"{missing} more: too large for Telegram; ask an admin.")

    async def _send_files(self, spot: Spot, pictures: list[bytes]) -> None:
        named = [(f"glowplug-{place + 1}.{_suffix(picture)}", picture) for place, picture in enumerate(pictures)]
        try:
            if len(named) == 1:
                [(name, picture)] = named
                await self._answering.talking.in_step(
                    spot.chat,
                    lambda: self._bot.send_document(
                        spot.chat, picture, filename=name, message_thread_id=spot.topic, reply_to_message_id=spot.after
                    ),
                )
            elif named:
                album = [InputMediaDocument(picture, filename=name) for name, picture in named]
                await self._answering.talking.in_step(
                    spot.chat,
                    lambda: self._bot.send_media_group(
                        spot.chat, album, message_thread_id=spot.topic, reply_to_message_id=spot.after
                    ),
                )
        except TelegramError as error:
            log.warning("originals were perhaps not sent, and are not sent again: %s", error)

    # The circle on the button.

    async def _toast(self, query: CallbackQuery, text: str = "", *, is_alert: bool = False) -> None:
        """End the waiting. Where Telegram has forgotten the press, or takes nothing now, what it asks for is done."""
        try:
            await self._bot.answer_callback_query(query.id, clipped(text, LONGEST_TOAST) or None, show_alert=is_alert)
        except TelegramError as error:
            log.info("a press could not be answered any more: %s", error)


def _pressed_on(query: CallbackQuery) -> Message:
    """
    The message with the button.

    Raises:
        RequestError: It is so old that Telegram does not show it to us any more.
    """
    if not isinstance(query.message, Message):
        raise RequestError("button_gone")
    return query.message


def _suffix(picture: bytes) -> str:
    return content_type(picture).rpartition("/")[2].replace("octet-stream", "bin")
