"""A chat of a simulated world, with the bot's own posting loops behind it: what they would have shown is kept."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from bot.chat.card import ENDS, Card, CardState
from bot.chat.handle import ReplyHandle
from bot.chat.model import Note
from bot.chat.pace import Pace, Rate
from bot.chat.surface import Limits, SurfaceUnavailable
from bot.chat.voice import Voice
from bot.service.desk import open_desk
from bot.service.posting import keep_posted
from bot.service.router import Router
from orchestrator.api import JobId, Orchestrator, UserId
from orchestrator.faults import WorldFault
from orchestrator.sim.world import World

NAME = "sim"
RATE = Rate(writes=5, per=timedelta(seconds=20), kept_back=2)


@dataclass(slots=True, kw_only=True)
class Message:
    """One message: the job that it is about, and every version of it."""

    job: JobId
    versions: list[Card] = field(default_factory=list)


class SimChat:
    """
    Outlives the bot. Each call takes a while; what it does is done halfway.

    In every second world it knows no message again that was not written down, as Telegram does not.
    """

    name = NAME
    limits = Limits()
    voice = Voice(clock=lambda moment: f"{moment:%H:%M}")
    admins: tuple[UserId, ...] = (UserId("sim:admin"),)

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = random.Random(f"chat/{world.seed}")
        self.pace = Pace(lambda _: RATE)
        self._forgets = world.seed % 2 == 0
        self._backend: tuple[Orchestrator, Router] | None = None
        self.messages: dict[str, Message] = {}
        self.notes: list[Note] = []

    async def show(self, card: Card) -> ReplyHandle:
        return await self._put(card)

    async def deliver(self, card: Card) -> ReplyHandle:
        return await self._put(card)

    async def notify(self, note: Note) -> None:
        async with self._call():
            self.notes.append(note)

    async def _put(self, card: Card) -> ReplyHandle:
        async with self._call():
            name = card.handle.message or (await self._opened(card) if self._forgets else self._adopted(card))
            if not name:
                return card.handle
            versions = self.messages[name].versions
            if not versions or versions[-1].state is not card.state:
                self._world.note(f"card {card.job} in message {name}: {card.state}")
            versions.append(card)
            if card.is_over:
                self._world.tempt_fate()
            return ReplyHandle(surface=NAME, chat=NAME, message=name)

    async def _opened(self, card: Card) -> str:
        """
        As on Telegram: nobody finds a message again that was not written down.

        So one for progress is made once at most, and one for a picture is written down before the picture goes in.
        """
        assert self._backend is not None, "it is served"
        bot, router = self._backend
        if not card.is_over and not await bot.people.claim(f"{NAME}:card:{card.job}"):
            return ""
        name = self._new(card)
        if card.images:
            await router.moved(card.job, ReplyHandle(surface=NAME, chat=NAME, message=name))
        return name

    def _adopted(self, card: Card) -> str:
        """As on Discord: a message that an earlier life made and did not note down is found by its buttons."""
        known = next((name for name, message in self.messages.items() if message.job == card.job), "")
        return known or self._new(card)

    def _new(self, card: Card) -> str:
        name = str(len(self.messages) + 1)
        self.messages[name] = Message(job=card.job)
        return name

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[None]:
        await asyncio.sleep(self._dice.uniform(0.05, 0.4))
        if self._world.weather.is_on(WorldFault.SURFACE_DOWN, self._world.timeline.now):
            raise SurfaceUnavailable("the chat is down")
        yield
        await asyncio.sleep(self._dice.uniform(0.05, 0.4))

    # What the world asks of it.

    async def serve(self, bot: Orchestrator) -> None:
        desk = open_desk(bot, [self], self._world.life.clock.now)
        self._backend = bot, Router(desk)
        await keep_posted(desk)

    def violations(self) -> list[str]:
        painted = Counter(
            message.job
            for message in self.messages.values()
            if message.versions and message.versions[-1].state is CardState.SUCCEEDED
        )
        found = [f"job {job}: its pictures are posted twice" for job, times in painted.items() if times > 1]
        for name, message in self.messages.items():
            for earlier, later in zip(message.versions, message.versions[1:], strict=False):
                if earlier.state in ENDS and later.state is not earlier.state:
                    found.append(f"message {name}: {earlier.state} became {later.state}")
                is_cold = earlier.state is later.state is CardState.COLD_START
                if later.revision < earlier.revision or (is_cold and later.attempt < earlier.attempt):
                    found.append(f"message {name} went backwards: {_place(earlier)} to {_place(later)}")
        return found


def _place(card: Card) -> str:
    return f"{card.state}, revision {card.revision}, machine {card.attempt}"
