"""The local page as a chat surface. It keeps nothing: cards come from the orchestrator whenever a page is opened."""

from datetime import datetime, timedelta

from bot.adapters.web.readers import Readers, send
from bot.adapters.web.wire import card_document
from bot.chat.card import Card
from bot.chat.documents import name_of
from bot.chat.handle import ReplyHandle
from bot.chat.model import Note
from bot.chat.pace import Pace, Rate
from bot.chat.surface import ChatSurface, Limits, Scope, SurfaceUnavailable
from bot.chat.voice import Voice
from orchestrator.api import UserId

NAME = "web"


def user_id(name: str) -> UserId:
    """A person of the page, by the name that they typed."""
    return UserId(f"{NAME}:{name}")


def _here(moment: datetime) -> str:
    """In this computer's time zone: the page is read on this computer."""
    return f"{moment.astimezone():%H:%M}"


class WebSurface(ChatSurface):
    """Sends cards to every open page. A page that is opened later reads them itself, so nothing waits for it."""

    name = NAME
    limits = Limits(scope=Scope.CARD, longest=timedelta(seconds=10), at_once=8)
    voice = Voice(clock=_here)
    admins: tuple[UserId, ...] = ()

    def __init__(self) -> None:
        self._pace = Pace(lambda _: Rate(writes=5, per=timedelta(seconds=1), kept_back=1))
        self.readers = Readers()

    @property
    def pace(self) -> Pace:
        return self._pace

    async def show(self, card: Card) -> ReplyHandle:
        send(self.readers.of(name_of(card.user)), "card", card.job, card_document(card))
        return card.handle

    async def deliver(self, card: Card) -> ReplyHandle:
        self.readers.stir()
        return await self.show(card)

    async def notify(self, note: Note) -> None:
        name = None if note.user is None else name_of(note.user)
        readers = self.readers.of(name)
        if not readers:
            raise SurfaceUnavailable("no page is open")
        send(readers, "notice", note.topic or note.sentence, {"user": name, "text": note.sentence})
