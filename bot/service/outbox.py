"""What a surface has yet to show: the newest version of each job, ends first, no faster than the surface allows."""

import asyncio
from dataclasses import dataclass

from bot.chat.handle import ReplyHandle
from bot.chat.pace import Pace
from bot.chat.surface import Scope
from orchestrator.api import JobId, JobView


@dataclass(slots=True, kw_only=True)
class _Entry:
    view: JobView
    lane: str
    not_before: float = 0.0

    @property
    def is_end(self) -> bool:
        return self.view.ended_at is not None


class Outbox:
    """
    Bounded by the number of jobs that are unfinished or not yet told: a newer version takes the older one's place.

    Taken by one task; put into by any.
    """

    def __init__(self, pace: Pace, scope: Scope) -> None:
        self._scope = scope
        self._pace = pace
        self._waiting: dict[JobId, _Entry] = {}
        self._busy: set[JobId] = set()
        self._news = asyncio.Event()

    def put(self, view: JobView, *, after: float = 0.0) -> None:
        """Queue *view*, not to be taken before *after* seconds; an older version never replaces a newer one."""
        known = self._waiting.get(view.id)
        if known is not None and known.view.revision > view.revision:
            return
        not_before = asyncio.get_running_loop().time() + after if after else 0.0
        self._waiting[view.id] = _Entry(view=view, lane=self._lane(view), not_before=not_before)
        self._news.set()

    def _lane(self, view: JobView) -> str:
        return view.id if self._scope is Scope.CARD else ReplyHandle.decode(view.origin).chat

    def close(self, view: JobView, seconds: float) -> None:
        """The chat of *view* takes nothing for so long; the others go on."""
        self._pace.close(self._lane(view), asyncio.get_running_loop().time() + seconds)

    async def take(self) -> JobView:
        """
        The next version to show, as soon as its chat may be written to again.

        Until :meth:`done` is called, no other version of that job is taken.
        """
        loop = asyncio.get_running_loop()
        while True:
            self._news.clear()
            now = loop.time()
            due = {job: self._due(entry, now) for job, entry in self._waiting.items() if job not in self._busy}
            ready = [job for job, at in due.items() if at <= now]
            if ready:
                return self._taken(min(ready, key=self._rank), now)
            await self._wait(min(due.values(), default=None), now)

    def _due(self, entry: _Entry, now: float) -> float:
        return max(entry.not_before, self._pace.free_at(entry.lane, now, is_urgent=entry.is_end))

    def _rank(self, job: JobId) -> bool:
        return not self._waiting[job].is_end

    def _taken(self, job: JobId, now: float) -> JobView:
        entry = self._waiting.pop(job)
        self._busy.add(job)
        self._pace.spend(entry.lane, now)
        return entry.view

    async def _wait(self, until: float | None, now: float) -> None:
        try:
            async with asyncio.timeout(None if until is None else max(until - now, 0.001)):
                await self._news.wait()
        except TimeoutError:
            return

    def done(self, job: JobId) -> None:
        self._busy.discard(job)
        self._news.set()
