"""Lets go of what is kept for a while only: pictures, events, told news, claims; now and then, a little at a time."""

import logging
from datetime import datetime, timedelta

from orchestrator.control.shared import Shared
from orchestrator.domain.people import CLAIMED_FOR
from orchestrator.domain.policy.keeping import Farewell, Keep, to_drop
from orchestrator.ports.blobs import Blobs

log = logging.getLogger(__name__)

EVERY = timedelta(hours=6)
"""Much shorter than anything is kept."""

SOON = timedelta(seconds=1)
"""Between two steps while there is more to do: everybody else gets their turn."""

MOST_JOBS = 50
MOST_ROWS = 1000
"""In one step."""

NEWS_FOR = timedelta(days=62)
"""Told news is kept at least so long: the news of a month's budget is told once a month, and known by its notice."""


class Keeping:
    """The loop's step."""

    def __init__(self, shared: Shared, blobs: Blobs, keep: Keep) -> None:
        self._shared = shared
        self._blobs = blobs
        self._keep = keep

    async def step(self) -> timedelta:
        now = self._shared.clock.now()
        has_pictures = await self._drop_pictures(now)
        has_rows = await self._forget_rows(now)
        return SOON if has_pictures or has_rows else EVERY

    async def _drop_pictures(self, now: datetime) -> bool:
        """Whether there may be more."""
        farewell = await self._chosen(now)
        # The files go first: after a crash in between their names are still known, and the next step goes on.
        for key in farewell.files:
            await self._blobs.remove(key)
        if farewell.jobs:
            async with self._shared.store.writing() as books:
                await books.keeping.drop_pictures(farewell.jobs)
            log.info("the pictures of %d requests are no longer kept", len(farewell.jobs))
        return len(farewell.jobs) == MOST_JOBS

    async def _chosen(self, now: datetime) -> Farewell:
        sizes = await self._blobs.sizes()
        async with self._shared.store.reading() as books:
            kept = await books.keeping.pictures()
            needed = await books.keeping.needed(now - self._keep.span)
        return to_drop(kept, sizes, self._keep, needed=needed, now=now, limit=MOST_JOBS)

    async def _forget_rows(self, now: datetime) -> bool:
        """Whether there may be more."""
        async with self._shared.store.writing() as books:
            gone = (
                await books.keeping.forget_events(now - self._keep.span, MOST_ROWS),
                await books.keeping.forget_notices(now - max(self._keep.span, NEWS_FOR), MOST_ROWS),
                await books.keeping.forget_claims(now - CLAIMED_FOR, MOST_ROWS),
            )
        return MOST_ROWS in gone
