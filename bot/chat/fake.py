"""A surface that remembers what it was told. For tests, and for trying things out without a chat."""

from dataclasses import dataclass, field
from datetime import timedelta

from bot.chat.card import Card
from bot.chat.handle import ReplyHandle
from bot.chat.model import Note
from bot.chat.pace import Pace, Rate
from bot.chat.surface import ChatSurface, Limits, SurfaceUnavailable
from bot.chat.voice import Voice
from orchestrator.api import JobId


@dataclass(slots=True, kw_only=True)
class RecordingSurface(ChatSurface):
    """
    Keeps messages as a chat does: one a card, the newest version of it.

    Attributes:
        messages: The newest version of each card.
        shown: Every version that was shown, in order.
        delivered: How each job ended, in the order in which that was told.
        is_away: While set, nothing is taken.
    """

    name: str = "recording"
    limits: Limits = Limits()
    pace: Pace = field(default_factory=lambda: Pace(lambda _: Rate(writes=1000, per=timedelta(seconds=1))))
    voice: Voice = Voice(clock=lambda moment: f"{moment:%H:%M}")
    messages: dict[JobId, Card] = field(default_factory=dict)
    shown: list[Card] = field(default_factory=list)
    delivered: list[Card] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    is_away: bool = False

    async def show(self, card: Card) -> ReplyHandle:
        self._check_here()
        self.messages[card.job] = card
        self.shown.append(card)
        return card.handle

    async def deliver(self, card: Card) -> ReplyHandle:
        self._check_here()
        self.messages[card.job] = card
        self.delivered.append(card)
        return card.handle

    async def notify(self, note: Note) -> None:
        self._check_here()
        self.notes.append(note)

    def _check_here(self) -> None:
        if self.is_away:
            raise SurfaceUnavailable(f"{self.name} is away")
