"""The port between what the bot does and where people talk to it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from bot.chat.card import Card
from bot.chat.handle import ReplyHandle
from bot.chat.model import Answer, Call, Note
from orchestrator.api import JobId, UserId


class SurfaceUnavailable(Exception):
    """
    The surface cannot take it now: offer it again later.

    Attributes:
        retry_after: What the surface asked for; None when it did not say.
    """

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Scope(StrEnum):
    CARD = "card"  # each card may be edited that often
    CHAT = "chat"  # all cards of a chat together


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """
    How often a surface may be written to: *edits* in any stretch of *per*.

    Attributes:
        limit: The longest that one call may take before the surface counts as unavailable.
        at_once: Calls under way at the same time, each for another card.
    """

    edits: int
    per: timedelta
    scope: Scope = Scope.CHAT
    limit: timedelta = timedelta(seconds=30)
    at_once: int = 4


class ChatSurface(Protocol):
    """
    One place to talk to people.

    Every method may be called again with the same card: showing a card twice changes nothing, and a final that was
    perhaps posted is edited, never posted anew. No method is called twice at once for one card.
    """

    @property
    def name(self) -> str:
        """What jobs that were asked for here carry as their surface."""
        ...

    @property
    def budget(self) -> Budget: ...

    def time_of_day(self, moment: datetime) -> str:
        """Say *moment* as people there read it."""
        ...

    async def show(self, card: Card) -> ReplyHandle:
        """
        Bring the card of an unfinished job up to date.

        Returns where the card is now: another place than before when its message was gone and a new one was made.

        Raises:
            SurfaceUnavailable: Not now. This version is dropped; a newer one follows.
        """
        ...

    async def deliver(self, card: Card) -> ReplyHandle:
        """
        Show how a job ended. When this returns, the person can see it.

        Raises:
            SurfaceUnavailable: Not now. It is offered again until it is taken.
        """
        ...

    async def notify(self, note: Note) -> None:
        """
        Tell a person something beside the cards.

        Raises:
            SurfaceUnavailable: It is offered again later.
        """
        ...


class CommandHandler(Protocol):
    """What a surface calls. One instance serves them all."""

    async def handle(self, call: Call) -> Answer:
        """Do what was asked for. A mistake is an answer too, never an exception."""
        ...

    async def moved(self, job: JobId, to: ReplyHandle) -> None:
        """The card of *job* is in another message now."""
        ...


class CardReader(Protocol):
    """What surfaces that can look back read."""

    async def card(self, job: JobId) -> Card | None: ...

    async def cards(self, *, user: UserId | None, before: JobId | None, limit: int) -> tuple[Card, ...]:
        """Newest first."""
        ...
