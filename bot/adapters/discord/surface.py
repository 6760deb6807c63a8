"""Discord as a chat surface."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta

import discord

from bot.adapters.discord.answering import GRACE, Answering
from bot.adapters.discord.asked import AskedTable
from bot.adapters.discord.client import Client, Work
from bot.adapters.discord.failures import AWAY, TOO_LARGE, failed, translated
from bot.adapters.discord.files import fitted
from bot.adapters.discord.markup import clock, countdown
from bot.adapters.discord.messages import Drawing, Messages, Pending
from bot.adapters.discord.notes import Notes
from bot.adapters.discord.people import NAME, place_of
from bot.adapters.originals import originals_of
from bot.chat.access import Access
from bot.chat.card import Card, CardState
from bot.chat.handle import ReplyHandle
from bot.chat.model import Note
from bot.chat.pace import Pace, Rate
from bot.chat.places import PICTURES, Showing, showing_of
from bot.chat.surface import Backend, Chat, Limits, SurfaceUnavailable
from bot.chat.voice import Voice
from orchestrator.api import UserId

log = logging.getLogger(__name__)

RATE = Rate(writes=5, per=timedelta(seconds=5), kept_back=1)
"""Of one channel: what Discord's headers have allowed for edits and messages. discord.py obeys the headers besides."""

SMALLEST_LIMIT = discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
CLOSE_LIMIT_S = 5.0
IN_A_MOMENT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordOptions:
    """
    Attributes:
        admin_channel: Where admins' news is posted as well; empty for nowhere.
        grace: How long an answer may take before something is said instead.
    """

    token: str = field(repr=False)
    access: Access
    admin_channel: str = ""
    grace: timedelta = GRACE


class DiscordSurface(Chat):
    name = NAME
    limits = Limits(longest=timedelta(seconds=60))
    voice = Voice(clock=clock, countdown=countdown)

    def __init__(self, options: DiscordOptions) -> None:
        self._options = options
        self._pace = Pace(lambda _: RATE)
        self._work: Work | None = None
        self._backend: Backend | None = None
        self.client = self._new_client()
        self._asked = AskedTable()
        self._messages = Messages(lambda: self.client, self._asked)
        self._notes = Notes(lambda: self.client, options.access, options.admin_channel)

    @property
    def pace(self) -> Pace:
        return self._pace

    @property
    def admins(self) -> tuple[UserId, ...]:
        """Those that are named; who has an admin's role is not known to us."""
        return tuple(UserId(f"{NAME}:{admin}") for admin in sorted(self._options.access.admins) if admin.isdecimal())

    # The connection.

    async def run(self, backend: Backend) -> None:
        self.serve(backend)
        pause = FIRST_PAUSE_S
        while True:
            try:
                await self._connect()
            except (discord.DiscordException, *AWAY) as error:
                problem = failed(error)
                if problem is not None:
                    raise problem from None
                pause = FIRST_PAUSE_S if self.client.is_ready() else pause
                log.warning("Discord is left for %.0f s: %s", pause, str(error) or type(error).__name__)
            await asyncio.sleep(pause)
            self.client = self._new_client()  # one that was closed cannot be opened again
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _connect(self) -> None:
        """Be connected; discord.py itself takes up a connection that breaks off."""
        try:
            await self.client.start(self._options.token)
        finally:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self.client.close()

    async def finish(self) -> None:
        if self._work is not None:
            await self._work.under_way.none()

    def _new_client(self) -> Client:
        return Client(lambda: self._work)

    def serve(self, backend: Backend) -> None:
        """Have what people do answered by *backend*, as soon as the client is connected."""
        self._backend = backend
        answering = Answering(
            backend=backend,
            access=self._options.access,
            asked=self._asked,
            messages=self._messages,
            grace=self._options.grace,
        )
        self._work = Work(answering)

    # Cards.

    async def show(self, card: Card) -> ReplyHandle:
        self._check_ready()
        with translated():
            try:
                message = await self._messages.find(card)
            except Pending:
                return self._unwritten(card.handle)
            if message is not None and not self._messages.is_news(card):
                return self._unwritten(ReplyHandle(surface=NAME, chat=card.handle.chat, message=str(message)))
            if card.is_over:
                return await self._touched_up(card, message)
            return await self._messages.put(Drawing(card=card), message)

    async def _touched_up(self, card: Card, message: int | None) -> ReplyHandle:
        """The pictures are there; what is below them has changed."""
        if message is None:
            return self._unwritten(card.handle)
        await self._messages.touch_up(card, message)
        return ReplyHandle(surface=NAME, chat=card.handle.chat, message=str(message))

    def _unwritten(self, handle: ReplyHandle) -> ReplyHandle:
        self._pace.refund(handle.chat)
        return handle

    async def deliver(self, card: Card) -> ReplyHandle:
        backend = self._check_ready()
        with translated():
            try:
                message = await self._messages.find(card)
            except Pending:
                raise SurfaceUnavailable("its message is being made", retry_after=IN_A_MOMENT) from None
            guild = await self._guild(card)
            limit = self._filesize_limit(guild)
            try:
                return await self._messages.put(await self._finished(backend, card, guild, limit), message)
            except discord.HTTPException as error:
                if error.status != 413 and error.code != TOO_LARGE:
                    raise
            log.warning("Discord takes less than %d bytes in the channel %s", limit, card.handle.chat)
            return await self._messages.put(await self._finished(backend, card, guild, limit // 2), message)

    async def _finished(self, backend: Backend, card: Card, guild: discord.Guild | None, limit: int) -> Drawing:
        if card.state is not CardState.SUCCEEDED:
            return Drawing(card=card)
        pictures = await originals_of(backend.orchestrator, card)
        ready = await fitted(pictures, limit=limit, is_spoiler=await self._is_spoiler(backend, guild))
        return Drawing(card=card, files=ready.files, has_original=not ready.is_original)

    async def _is_spoiler(self, backend: Backend, guild: discord.Guild | None) -> bool:
        if guild is None:
            return False
        chosen = await backend.orchestrator.people.place_setting(place_of(guild.id), PICTURES)
        return showing_of(chosen) is Showing.SPOILER

    def _filesize_limit(self, guild: discord.Guild | None) -> int:
        return SMALLEST_LIMIT if guild is None else guild.filesize_limit

    async def _guild(self, card: Card) -> discord.Guild | None:
        """None in private, and where we may not look. Threads are known to us only once they are asked for."""
        if not card.handle.chat.isdecimal():
            return None
        number = int(card.handle.chat)
        try:
            channel = self.client.get_channel(number) or await self.client.fetch_channel(number)
        except (discord.Forbidden, discord.NotFound):
            return None
        return None if isinstance(channel, discord.abc.PrivateChannel) else channel.guild

    # News.

    async def notify(self, note: Note) -> None:
        self._check_ready()
        with translated():
            told = await self._notes.tell(note)
        now = asyncio.get_running_loop().time()
        for channel in told:
            self._pace.spend(str(channel), now)

    def _check_ready(self) -> Backend:
        """Guilds must be known before anything is posted: they say how large and how hidden pictures may be."""
        if self._backend is None or self.client.is_closed() or not self.client.is_ready():
            raise SurfaceUnavailable("Discord is not connected yet")
        return self._backend
