"""Cards of jobs, each held to what its last version said."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.chat.card import Card, Telling, draw
from bot.chat.handle import ReplyHandle
from bot.chat.surface import CardReader, ChatSurface
from bot.chat.voice import Voice
from orchestrator.api import JobId, JobView, Orchestrator, SessionView, Succeeded, UserId

FRESH = timedelta(seconds=2)
"""A session is looked up once for all the cards that are made within this time."""

MOST_SESSIONS = 200
MOST_MOVED = 2000
"""Cards whose place is remembered; views that are under way are of the last few seconds."""


@dataclass(slots=True, kw_only=True)
class _Place:
    """Where a card is since it moved, and whether that was written down."""

    handle: ReplyHandle
    is_noted: bool = False


class CardBook(CardReader):
    """
    Makes every card that a person sees.

    It remembers the last version of the cards of unfinished jobs, where the cards are that moved lately, and nothing
    that would be missed after a restart.
    """

    def __init__(
        self, orchestrator: Orchestrator, surfaces: Mapping[str, ChatSurface], now: Callable[[], datetime]
    ) -> None:
        self._orchestrator = orchestrator
        self._surfaces = surfaces
        self._now = now
        self._unfinished: dict[JobId, Card] = {}
        self._moved: OrderedDict[JobId, _Place] = OrderedDict()
        self._sessions: dict[UserId, tuple[datetime, SessionView | None]] = {}

    async def of(self, view: JobView) -> Card:
        """The card of *view*, or the newer one that was made before."""
        session = await self._session(view)
        surface = self._surfaces.get(view.surface)
        telling = Telling(
            now=self._now(),
            workflows=self._orchestrator.workflows(),
            session=session,
            voice=surface.voice if surface else Voice(),
        )
        card = draw(view, telling, self._unfinished.get(view.id))
        moved = self._moved.get(view.id)
        if moved is not None and moved.handle != card.handle:  # the view was perhaps made before that was written down
            card = replace(card, handle=moved.handle)
        if card.is_over:
            self._unfinished.pop(view.id, None)
        else:
            self._unfinished[view.id] = card
        return card

    async def move(self, job: JobId, to: ReplyHandle) -> None:
        """The card is there now, whatever views say that are under way already, also after its end was seen."""
        self._moved[job] = _Place(handle=to)
        self._moved.move_to_end(job)
        if len(self._moved) > MOST_MOVED:
            self._moved.popitem(last=False)
        await self.settle(job)

    async def settle(self, job: JobId) -> None:
        """
        Write down where the card is, if that failed when it moved.

        After a restart nobody would find it else, and its pictures would be posted a second time.
        """
        place = self._moved.get(job)
        if place is not None and not place.is_noted:
            await self._orchestrator.rebind(job, place.handle.encode())
            place.is_noted = True

    async def _session(self, view: JobView) -> SessionView | None:
        """The person's session, where the card offers to keep its machine."""
        if not isinstance(view.status, Succeeded):
            return None
        at, session = self._sessions.get(view.user, (None, None))
        now = self._now()
        is_known = session is not None and session.warm_until is not None
        just_ready = view.status.warming is not None and view.status.warming.is_ready and not is_known
        if at is not None and now - at < FRESH and not just_ready:
            return session
        session = await self._orchestrator.session(view.user)
        if len(self._sessions) >= MOST_SESSIONS:
            self._sessions.clear()
        self._sessions[view.user] = now, session
        return session

    def forget_session(self, user: UserId) -> None:
        """The person's machine was kept or given back: look anew."""
        self._sessions.pop(user, None)

    async def card(self, job: JobId) -> Card | None:
        view = await self._orchestrator.job(job)
        return None if view is None else await self.of(view)

    async def cards(self, *, user: UserId | None, before: JobId | None, limit: int) -> tuple[Card, ...]:
        views = await self._orchestrator.jobs(user=user, before=before, limit=limit)
        return tuple([await self.of(view) for view in views])
