"""
Tells the bot what changed: views of the jobs that may look different now, and notices.

Level-triggered like every loop: woken, it builds the views of all unfinished jobs and publishes those that differ
from what was published last. A subscriber that is slow gets the newest view of a job, never all of them.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import timedelta

from orchestrator.api import ColdStart, JobView, Succeeded
from orchestrator.control.lookups import Lookups
from orchestrator.control.shared import Shared
from orchestrator.control.views import Views
from orchestrator.domain.ids import JobId
from orchestrator.domain.notices import Notice

PACE = timedelta(milliseconds=100)
"""Between two rounds: progress is for people."""

LATENESS = timedelta(seconds=10)
"""Between two rounds while a machine warms up: that a step takes long is news that nothing rings for."""


class Subscription:
    """One reader: the newest unread view of each job, in the order in which they first changed."""

    def __init__(self) -> None:
        self._unread: dict[JobId, JobView] = {}
        self._news = asyncio.Event()

    def put(self, view: JobView) -> None:
        self._unread[view.id] = view
        self._news.set()

    async def take(self) -> JobView:
        while not self._unread:
            self._news.clear()
            await self._news.wait()
        return self._unread.pop(next(iter(self._unread)))


class Newsroom:
    """The loop's step, and what ``updates()`` and ``notices()`` return."""

    def __init__(self, shared: Shared, views: Views) -> None:
        self._shared = shared
        self._views = views
        self._subscriptions: set[Subscription] = set()
        self._published: dict[JobId, JobView] = {}
        self._last_round = -math.inf

    async def step(self) -> timedelta | None:
        """Publish what changed since the last round, ends at once and progress at its pace."""
        loop = asyncio.get_running_loop()
        too_soon = self._last_round + PACE.total_seconds() - loop.time()
        if too_soon > 0:
            await self._shared.wakeups.ends.wait(timedelta(seconds=too_soon))
        self._shared.wakeups.ends.clear()
        self._last_round = loop.time()
        if not self._subscriptions:
            return None
        for view in await self._changed():
            for subscription in self._subscriptions:
                subscription.put(view)
        return LATENESS if any(_is_warming(view) for view in self._published.values()) else None

    async def _changed(self) -> list[JobView]:
        """Of everything that is unfinished, or ended without its person knowing, what looks different now."""
        views: list[JobView] = []
        async with self._shared.store.reading() as books:
            look, watched = Lookups(books), {job.session: job for job in await books.sessions.bridged()}
            for session in dict.fromkeys((*await books.sessions.busy(), *watched)):
                scene = await self._views.scene(look, session)
                jobs = scene.snapshot.jobs if scene else ()
                views += [await self._views.job(look, job, scene) for job in jobs]
                if session in watched:
                    views.append(await self._views.job(look, watched[session], scene))
            shown = {job.id for job in watched.values()}
            ends = [job for job in await books.jobs.unacknowledged() if job.id not in shown]
            views += [await self._views.job(look, job, None) for job in ends]
            views += await self._no_longer_watched(look, {view.id for view in views})
        changed = [view for view in views if self._is_news(view)]
        self._published = {view.id: view for view in views}
        return changed

    async def _no_longer_watched(self, look: Lookups, seen: set[JobId]) -> list[JobView]:
        """Cards that showed a machine getting warm do so no more: that is told once."""
        gone = [view.id for view in self._published.values() if view.id not in seen and _is_warming(view)]
        jobs = [await look.books.jobs.get(name) for name in gone]
        return [await self._views.job(look, job, None) for job in jobs if job is not None and job.is_over]

    def _is_news(self, view: JobView) -> bool:
        return self._published.get(view.id) != view

    async def updates(self) -> AsyncIterator[JobView]:
        """First every end not yet acknowledged, then live."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            self._published.clear()
            self._shared.wakeups.newsroom.wake()
            while True:
                yield await subscription.take()
        finally:
            self._subscriptions.discard(subscription)

    async def notices(self) -> AsyncIterator[Notice]:
        """First every notice not yet acknowledged, then live."""
        told: set[int] = set()
        while True:
            async with self._shared.store.reading() as books:
                untold = await books.notices.unacknowledged()
            told &= {notice.id for notice in untold}
            for notice in untold:
                if notice.id not in told:
                    told.add(notice.id)
                    yield notice
            await self._shared.wakeups.notices.wait(None)


def _is_warming(view: JobView) -> bool:
    """Whether it shows a machine that is not ready yet."""
    status = view.status
    if isinstance(status, Succeeded):
        return status.warming is not None and not status.warming.is_ready
    return isinstance(status, ColdStart)
