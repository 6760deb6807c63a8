"""Telegram as a chat surface."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from telegram import Bot, BotCommand, BotCommandScopeChat, Update
from telegram.error import BadRequest, Forbidden, InvalidToken, NetworkError, TelegramError

from bot.adapters.originals import originals_of
from bot.adapters.telegram.answering import Answering
from bot.adapters.telegram.failures import translated
from bot.adapters.telegram.firsts import Firsts
from bot.adapters.telegram.markup import escaped
from bot.adapters.telegram.messages import Closed, Drawing, Messages
from bot.adapters.telegram.people import account
from bot.adapters.telegram.photos import photo_of
from bot.adapters.telegram.polling import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    REFUSED,
    Updates,
    Webhook,
    confirm,
    listen,
    poll,
)
from bot.adapters.telegram.presses import Presses
from bot.adapters.telegram.reading import CarefulRequest, UpdatesRequest
from bot.adapters.telegram.render import buttons_of
from bot.adapters.telegram.spots import NAME, Spot, is_group, spot_of
from bot.adapters.telegram.talking import Talking
from bot.chat.access import Access
from bot.chat.card import Card, CardState
from bot.chat.handle import ReplyHandle
from bot.chat.model import Note
from bot.chat.pace import Pace, Rate
from bot.chat.places import PICTURES, Showing, showing_of
from bot.chat.surface import Backend, Chat, Limits, SurfaceFailed, SurfaceUnavailable, Unreachable
from bot.chat.typed import COMMANDS
from bot.chat.voice import Voice
from bot.chat.words import clipped
from orchestrator.api import UserId

log = logging.getLogger(__name__)

GROUP = Rate(writes=20, per=timedelta(seconds=63), kept_back=5)
PRIVATE = Rate(writes=1, per=timedelta(seconds=1))
"""
What Telegram allows in one chat, as far as it says so (core.telegram.org/bots/faq, "My bot is hitting limits").

It says 20 a minute for groups. We count when we send and Telegram when it receives: a first write that was three
seconds on its way would be one too many for the twenty-first.
"""

CALL_S = 20.0
UPLOAD_S = 60.0
LONGEST_DESCRIPTION = 256


def rate_of(chat: str) -> Rate:
    return GROUP if chat.startswith("-") else PRIVATE


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramOptions:
    """
    Attributes:
        api: The Bot API server, without a path.
        webhook: None asks for updates instead.
        rate: How often a chat may be written to.
    """

    token: str = field(repr=False)
    access: Access
    api: str = "https://api.telegram.org"
    webhook: Webhook | None = None
    rate: Callable[[str], Rate] = rate_of


class TelegramSurface(Chat):
    name = NAME
    limits = Limits(longest=timedelta(seconds=90))
    voice = Voice()

    def __init__(self, options: TelegramOptions) -> None:
        self._options = options
        self._pace = Pace(options.rate)
        self._bot = _bot(options)
        self._messages = Messages(self._bot)
        self._talking = Talking(self._bot, self._messages, self._pace)
        self._firsts = Firsts()
        self._backend: Backend | None = None
        self._hearing: tuple[asyncio.Task[None], Updates] | None = None

    @property
    def pace(self) -> Pace:
        return self._pace

    @property
    def admins(self) -> tuple[UserId, ...]:
        return tuple(UserId(f"{NAME}:{admin}") for admin in sorted(self._options.access.admins) if admin.isdecimal())

    # The connection.

    async def run(self, backend: Backend) -> None:
        pause = FIRST_PAUSE_S
        while True:
            failed: SurfaceFailed | None = None
            try:
                await self._serve(backend)
            except* SurfaceFailed as group:
                failed = _first(group)
            except* (TelegramError, OSError) as group:
                log.warning("Telegram is left for %.0f s: %s", pause, group.exceptions[0])
            finally:
                self._backend = self._hearing = None
                await self._bot.shutdown()
            if failed is not None:
                raise failed
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _serve(self, backend: Backend) -> None:
        """Be connected, until something breaks off that is not mended by asking again."""
        username = await self._log_in()
        answering = Answering(backend=backend, access=self._options.access, talking=self._talking, username=username)
        presses = Presses(self._bot, answering, self._messages)
        await self._name_commands()
        async with asyncio.TaskGroup() as group:
            updates = Updates(lambda update: _handle(update, answering, presses), group)
            if self._options.webhook is None:
                await self._bot.delete_webhook()
                hearing = group.create_task(poll(self._bot, updates), name="poll")
            else:
                hearing = group.create_task(listen(self._bot, updates, self._options.webhook), name="listen")
            self._backend, self._hearing = backend, (hearing, updates)
            await asyncio.Event().wait()

    async def finish(self) -> None:
        if self._hearing is None:
            return
        hearing, updates = self._hearing
        if self._options.webhook is None:
            hearing.cancel()  # two must not ask at once, and nothing new is taken
            await asyncio.wait({hearing})
        await updates.finish()
        if self._options.webhook is None:
            await confirm(self._bot, updates)

    async def _log_in(self) -> str:
        """
        Learn our own name, however long Telegram is away.

        Raises:
            SurfaceFailed: The token is refused.
        """
        pause = FIRST_PAUSE_S
        while True:
            try:
                await self._bot.initialize()
            except InvalidToken:
                raise SurfaceFailed(REFUSED) from None
            except NetworkError as error:
                log.warning("Telegram cannot be reached (%s); tried again in %.0f s", type(error).__name__, pause)
            else:
                return self._bot.username
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _name_commands(self) -> None:
        """What people are offered when they type a slash: admins, in private, all of it."""
        everybody = [_named(name) for name, spoken in COMMANDS.items() if not spoken.is_for_admins]
        try:
            await self._bot.set_my_commands(everybody)
            for admin in sorted(self._options.access.admins):
                await self._name_for_admin(admin)
        except NetworkError as error:
            log.warning("the list of commands could not be set: %s", error)

    async def _name_for_admin(self, admin: str) -> None:
        if not admin.isdecimal():
            return
        try:
            await self._bot.set_my_commands([_named(name) for name in COMMANDS], scope=BotCommandScopeChat(int(admin)))
        except (BadRequest, Forbidden):
            log.info("an admin has not opened the bot yet and is not offered admins' commands")

    # Cards.

    async def show(self, card: Card) -> ReplyHandle:
        backend = self._check_ready()
        spot = spot_of(card.handle)
        if spot is None:
            return card.handle
        if spot.message is not None and not self._messages.is_news(card):
            self._pace.refund(card.handle.chat)
            return card.handle
        try:
            with translated():
                return await self._shown(backend, card, spot)
        except Closed:
            return card.handle

    async def _shown(self, backend: Backend, card: Card, spot: Spot) -> ReplyHandle:
        """In its message, or in one new one where there is none or it is gone."""
        if card.is_over:
            if spot.message is not None:
                await self._messages.touch_up(card, spot)
            return spot.handle()
        if spot.message is not None and await self._messages.change(Drawing(card=card), spot):
            return spot.handle()
        people = backend.orchestrator.people
        made = await self._firsts.once(people, card.job, spot, lambda: self._messages.open(card, spot))
        if made is None:
            self._pace.refund(card.handle.chat)
        return (made or spot).handle()

    async def _ended(self, card: Card, spot: Spot) -> ReplyHandle:
        """Its person must hear of it: rather twice than not at all."""
        if spot.message is not None and await self._messages.change(Drawing(card=card), spot):
            return spot.handle()
        return (await self._messages.open(card, spot)).handle()

    async def deliver(self, card: Card) -> ReplyHandle:
        backend = self._check_ready()
        spot = spot_of(card.handle)
        if spot is None:
            return card.handle
        try:
            with translated():
                if card.state is not CardState.SUCCEEDED:
                    return await self._ended(card, spot)
                return await self._finished(backend, card, spot)
        except Closed:
            return card.handle

    async def _finished(self, backend: Backend, card: Card, spot: Spot) -> ReplyHandle:
        """The message is there, and noted down, before the picture goes into it."""
        drawing = await self._drawn(backend, card)
        if spot.message is None or not await self._painted(drawing, spot):
            spot = await self._messages.open(card, spot)
            await backend.handler.moved(card.job, spot.handle())
            self._count_one_more(spot)
            await self._painted(drawing, spot)
        return spot.handle()

    def _count_one_more(self, spot: Spot) -> None:
        """
        A message and its picture are two writes, and posting has counted one.

        Raises:
            SurfaceUnavailable: There is no room for it now; the message is there meanwhile.
        """
        now, lane = asyncio.get_running_loop().time(), str(spot.chat)
        free = self._pace.free_at(lane, now)
        if free > now:
            raise SurfaceUnavailable("the chat is written to often", retry_after=timedelta(seconds=free - now))
        self._pace.spend(lane, now)

    async def _painted(self, drawing: Drawing, spot: Spot) -> bool:
        """With its picture, or with words and the originals a button away where the picture is not taken there."""
        try:
            return await self._messages.change(drawing, spot)
        except (BadRequest, Closed) as error:
            if drawing.photo is None:
                raise
            log.warning("Telegram does not take a picture (%s); its original is a button away", error)
            return await self._messages.change(replace(drawing, photo=None), spot)

    async def _drawn(self, backend: Backend, card: Card) -> Drawing:
        found = await originals_of(backend.orchestrator, card)
        photo = await photo_of(found)
        place = f"{NAME}:{card.handle.chat}"
        chosen = await backend.orchestrator.people.place_setting(place, PICTURES)
        is_spoiler = showing_of(chosen) is Showing.SPOILER
        return Drawing(card=card, photo=photo, has_originals=bool(found), is_spoiler=is_spoiler)

    # News.

    async def notify(self, note: Note) -> None:
        self._check_ready()
        with translated():
            if note.user is None:
                await self._tell_admins(note)
            elif not await self._told_alone(account(note.user), note):
                await self._mention(note)

    async def _tell_admins(self, note: Note) -> None:
        admins = [int(admin) for admin in sorted(self._options.access.admins) if admin.isdecimal()]
        if not admins:
            raise SurfaceUnavailable("no admin is known who could be told; set TELEGRAM_ADMINS")
        told = [await self._told_alone(each, note) for each in admins if f"{NAME}:{each}" not in note.leaving_out]
        if told and not any(told):
            raise Unreachable("no admin has opened the bot")

    async def _told_alone(self, number: int | None, note: Note) -> bool:
        """False when they take no messages: they never opened the bot, or blocked it."""
        if number is None:
            return False
        try:
            await self._talking.say(Spot(chat=number), [escaped(note.sentence)], keyboard=buttons_of(note.buttons))
        except Closed:
            return False
        return True

    async def _mention(self, note: Note) -> None:
        """
        Tell it in the group where they asked.

        Raises:
            Unreachable: There is none, or it is closed to us.
        """
        number, spot = account(note.user) if note.user else None, spot_of(ReplyHandle(surface=NAME, chat=note.chat))
        if number is None or spot is None or not is_group(spot.chat):
            raise Unreachable("they take no private messages, and there is no group to mention them in")
        text = f'<a href="tg://user?id={number}">You</a>: {escaped(note.sentence)}'
        try:
            await self._talking.say(spot, [text], keyboard=buttons_of(note.buttons))
        except Closed as error:
            raise Unreachable("they can be told neither alone nor in their group") from error

    def _check_ready(self) -> Backend:
        if self._backend is None:
            raise SurfaceUnavailable("Telegram is not connected yet")
        return self._backend


def _first(group: BaseExceptionGroup[SurfaceFailed]) -> SurfaceFailed:
    (first, *_) = group.exceptions
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def _handle(update: Update, answering: Answering, presses: Presses) -> None:
    try:
        if update.callback_query is not None:
            await presses.pressed(update.callback_query)
        elif update.message is not None:
            await answering.wrote(update.message)
        elif update.edited_message is not None:
            await answering.edited(update.edited_message)
    except Closed as error:
        log.info("an answer reached nobody: %s", error)


def _bot(options: TelegramOptions) -> Bot:
    request = CarefulRequest(
        connection_pool_size=32, read_timeout=CALL_S, write_timeout=CALL_S, media_write_timeout=UPLOAD_S
    )
    # Two: one that is broken off for the last word may be held by httpx for a while.
    polls = UpdatesRequest(connection_pool_size=2, read_timeout=CALL_S)
    api = options.api.rstrip("/")
    return Bot(
        options.token,
        base_url=f"{api}/bot",
        base_file_url=f"{api}/file/bot",
        request=request,
        get_updates_request=polls,
    )


def _named(name: str) -> BotCommand:
    return BotCommand(name.removeprefix("/"), clipped(COMMANDS[name].purpose, LONGEST_DESCRIPTION))
