"""The port between what the bot does and where people talk to it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from bot.chat.card import Card
from bot.chat.handle import ReplyHandle
from bot.chat.model import Answer, Call, Note
from bot.chat.pace import Pace
from bot.chat.voice import Voice
from orchestrator.api import JobId, Orchestrator, UserId


class SurfaceUnavailable(Exception):
    """
    The surface cannot take it now: offer it again later.

    Attributes:
        retry_after: What the surface asked for; None when it did not say.
    """

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unreachable(Exception):
    """Whoever is to be told takes nothing from us there: trying again is of no use, another account may be."""


class SurfaceFailed(Exception):
    """
    The surface cannot run with these settings; trying again is of no use.

    Attributes:
        sentence: What is wrong and what to do about it.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Scope(StrEnum):
    CARD = "card"  # each card by itself
    CHAT = "chat"  # all cards of a chat together


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    How posting to a surface is bounded, beside its pace.

    Attributes:
        scope: What has a lane of its own in the surface's pace.
        longest: The longest that one call may take before the surface counts as unavailable.
        at_once: Calls under way at the same time, each for another card.
    """

    scope: Scope = Scope.CHAT
    longest: timedelta = timedelta(seconds=30)
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
    def limits(self) -> Limits: ...

    @property
    def pace(self) -> Pace:
        """How often it may be written to. Posting counts before it calls; answers and news count themselves."""
        ...

    @property
    def voice(self) -> Voice:
        """How moments are said to people there."""
        ...

    @property
    def admins(self) -> tuple[UserId, ...]:
        """Accounts of admins who can be told something alone; each has choices of their own."""
        ...

    async def show(self, card: Card) -> ReplyHandle:
        """
        Bring the card of an unfinished job up to date.

        Returns where the card is now: another place than before when it had no message yet, or its message was gone
        and a new one was made. Where a reader would see no difference nothing is written, and the pace is refunded.

        Raises:
            SurfaceUnavailable: Not now. It is offered again unless a newer version comes.
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
        Tell a person something beside the cards: to them alone, or by a mention in *note*'s chat where they take
        no such messages.

        Raises:
            SurfaceUnavailable: It is offered again later.
            Unreachable: They are closed to us: no private message, no chat to mention them in.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """
    What a surface works with.

    Attributes:
        orchestrator: For what is only read: workflows, presets and pictures.
        now: The time, aware, in UTC.
    """

    handler: CommandHandler
    cards: CardReader
    orchestrator: Orchestrator
    now: Callable[[], datetime]


class Chat(ChatSurface, Protocol):
    """A surface with a connection of its own to somebody's servers."""

    async def run(self, backend: Backend) -> None:
        """
        Connect and serve people until cancelled; a lost connection is made anew.

        Raises:
            SurfaceFailed: A wrong token, a missing permission: an operator has to change something.
        """
        ...

    async def finish(self) -> None:
        """
        Return when everything that people have asked for is answered; the bot is about to leave.

        Cards can be posted until :meth:`run` is cancelled.
        """
        ...
