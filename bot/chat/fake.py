"""A surface that remembers what it was told. For tests, and for trying things out without a chat."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from bot.chat.card import Card
from bot.chat.handle import ReplyHandle
from bot.chat.model import Note
from bot.chat.pace import Pace, Rate
from bot.chat.surface import ChatSurface, Limits, SurfaceUnavailable, Unreachable
from bot.chat.voice import Voice
from orchestrator.api import JobId, UserId


@dataclass(slots=True, kw_only=True)
class RecordingSurface(ChatSurface):
    """
    Keeps messages as a chat does: one a card, the newest version of it.

    Attributes:
        call_s: How long each call takes; what it does is done halfway, so a caller may be gone by the answer.
        messages: The newest version of each card.
        posted: The cards that made a new message, in order.
        shown: Every version that was shown, in order.
        delivered: How each job ended, in the order in which that was told.
        is_away: While set, nothing is taken.
        closed: Accounts that take nothing from us.
        refused: How many calls were not taken because of that.
    """

    name: str = "recording"
    limits: Limits = Limits()
    pace: Pace = field(default_factory=lambda: Pace(lambda _: Rate(writes=1000, per=timedelta(seconds=1))))
    voice: Voice = Voice(clock=lambda moment: f"{moment:%H:%M}")
    call_s: float = 0.0
    admins: tuple[UserId, ...] = ()
    messages: dict[JobId, Card] = field(default_factory=dict)
    posted: list[JobId] = field(default_factory=list)
    shown: list[Card] = field(default_factory=list)
    delivered: list[Card] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    is_away: bool = False
    closed: set[UserId | None] = field(default_factory=set)
    refused: int = 0

    async def show(self, card: Card) -> ReplyHandle:
        async with self._call():
            self.shown.append(card)
            return self._put(card)

    async def deliver(self, card: Card) -> ReplyHandle:
        async with self._call():
            self.delivered.append(card)
            return self._put(card)

    def _put(self, card: Card) -> ReplyHandle:
        if card.job not in self.messages:
            self.posted.append(card.job)
        self.messages[card.job] = card
        return card.handle

    async def notify(self, note: Note) -> None:
        async with self._call():
            if note.user in self.closed:
                self.refused += 1
                raise Unreachable("they take no private messages")
            self.notes.append(note)

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[None]:
        if self.is_away:
            self.refused += 1
            raise SurfaceUnavailable(f"{self.name} is away")
        await asyncio.sleep(self.call_s / 2)
        yield
        await asyncio.sleep(self.call_s / 2)
