"""
The loops that keep people posted.

    keep_posted
    ├─ feed          one reader of the orchestrator's updates
    ├─ notices
    └─ one poster a surface, with a few posts under way at once

A surface that is down or slow holds up nobody: the feed only ever replaces what waits for it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping

from bot.chat.surface import ChatSurface, SurfaceUnavailable
from bot.service.delivery import deliver
from bot.service.desk import Desk
from bot.service.notices import tell_notices
from bot.service.outbox import Outbox
from bot.service.progress import show
from orchestrator.api import JobId, JobView, is_expected

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


async def keep_posted(desk: Desk, leaving: asyncio.Event | None = None) -> None:
    """
    Show progress, deliver ends and tell notices on every surface, until cancelled.

    Once *leaving* is set nothing more is begun, and this returns when what is under way is done: a post that is cut
    off in the middle is perhaps there, and nobody has written that down.
    """
    leaving = leaving or asyncio.Event()
    posters = {name: Poster(desk, surface) for name, surface in desk.surfaces.items()}
    async with asyncio.TaskGroup() as group:
        for name, poster in posters.items():
            group.create_task(poster.run(leaving), name=f"poster:{name}")
        feed = group.create_task(_unceasing("updates", lambda: _feed(desk, posters), leaving), name="feed")
        group.create_task(_unceasing("notices", lambda: tell_notices(desk, leaving), leaving), name="notices")
        await leaving.wait()
        feed.cancel()


async def _unceasing(name: str, work: Callable[[], Awaitable[None]], leaving: asyncio.Event) -> None:
    """Do *work*, which starts from what is not yet acknowledged, again whenever it breaks off."""
    while not leaving.is_set():
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - people must be told whatever happens
            _log_unless_expected(error, f"{name} broke off; they are asked for again")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_PAUSE_S):
                await leaving.wait()


def _log_unless_expected(error: Exception, what: str) -> None:
    if is_expected(error):
        log.warning("%s: %s", what, error)
    else:
        log.error("%s", what, exc_info=error)


async def _feed(desk: Desk, posters: Mapping[str, "Poster"]) -> None:
    """Every end that nobody was told of comes first, so nothing is lost by a restart."""
    async for view in desk.orchestrator.updates():
        if view.surface in posters:
            posters[view.surface].put(view)


class Poster:
    """Brings one surface up to date."""

    def __init__(self, desk: Desk, surface: ChatSurface) -> None:
        self._desk = desk
        self._surface = surface
        self._outbox = Outbox(surface.pace, surface.limits.scope)
        self._failures: dict[JobId, int] = {}
        self._is_away = False

    def put(self, view: JobView) -> None:
        self._outbox.put(view)

    async def run(self, leaving: asyncio.Event) -> None:
        """Post until *leaving* is set, and then what is under way."""
        async with asyncio.TaskGroup() as group:
            beginning = group.create_task(self._begin_posts(group), name="begin posts")
            await leaving.wait()
            beginning.cancel()

    async def _begin_posts(self, group: asyncio.TaskGroup) -> None:
        slots = asyncio.Semaphore(self._surface.limits.at_once)
        while True:
            await slots.acquire()
            view = await self._outbox.take()
            post = group.create_task(self._post(view), name=f"post:{view.id}")
            post.add_done_callback(lambda _: slots.release())

    async def _post(self, view: JobView) -> None:
        try:
            async with asyncio.timeout(self._surface.limits.longest.total_seconds()):
                await self._tell(view)
            self._note_back()
            self._failures.pop(view.id, None)
        except (SurfaceUnavailable, TimeoutError) as error:
            self._note_away(error)
            self._later(view, error)
        except Exception as error:  # noqa: BLE001 - the next version may do
            _log_unless_expected(error, f"the card of job {view.id} could not be posted")
            self._later(view, error)
        finally:
            self._outbox.done(view.id)

    async def _tell(self, view: JobView) -> None:
        if view.ended_at is None or view.acknowledged:  # a picture that is there, with news below it
            await show(self._desk, self._surface, view)
        else:
            await deliver(self._desk, self._surface, view)

    def _later(self, view: JobView, error: Exception) -> None:
        """
        Offer it again, after what the surface asked for or ever longer pauses.

        A newer version takes its place at once. Where none comes, as for a job that waits, its person would else look
        at an old card, or at none.
        """
        asked = error.retry_after if isinstance(error, SurfaceUnavailable) else None
        if asked is not None:
            self._outbox.close(view, asked.total_seconds())
        failures = self._failures[view.id] = self._failures.get(view.id, 0) + 1
        pause = min(FIRST_PAUSE_S * 2 ** min(failures - 1, 10), LONGEST_PAUSE_S)
        self._outbox.put(view, after=asked.total_seconds() if asked else pause)

    def _note_away(self, error: Exception) -> None:
        if not self._is_away:
            log.warning("%s does not take cards (%s); they are kept", self._surface.name, str(error) or "too slow")
        self._is_away = True

    def _note_back(self) -> None:
        if self._is_away:
            log.info("%s takes cards again", self._surface.name)
        self._is_away = False
