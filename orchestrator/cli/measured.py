"""What the bot's own books say of each cloud and API in the last 30 days, for ``compare``."""

import statistics
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.domain.ids import CloudName
from orchestrator.domain.job import Job, JobState
from orchestrator.domain.money import MICRO
from orchestrator.domain.policy.memory import MOST_OUTCOMES
from orchestrator.ports.store import Books

SPAN = timedelta(days=30)
PAGE = 200
COLD_STARTS = 20


@dataclass(slots=True, kw_only=True)
class Measured:
    """
    Of one cloud or API.

    Attributes:
        spent: Booked there, in dollars.
        worked: Machines that got ready, or requests that an API answered with pictures.
        failed: Machines and requests that did not.
        seconds: What the pictures of each request took together, divided by their number.
        cold_starts: Seconds from the order of a machine until it was ready.
    """

    pictures: int = 0
    spent: float = 0.0
    worked: int = 0
    failed: int = 0
    seconds: list[float] = field(default_factory=list)
    cold_starts: tuple[float, ...] = ()

    @property
    def usd_per_image(self) -> float | None:
        return self.spent / self.pictures if self.pictures and self.spent else None

    @property
    def success_rate(self) -> float | None:
        tries = self.worked + self.failed
        return self.worked / tries if tries else None

    @property
    def cold_start_s(self) -> float | None:
        """Of a cloud until a machine is ready; of an API, where nothing is cold, until a picture is there."""
        known = self.cold_starts or self.seconds
        return statistics.median(known) if known else None


async def measure(books: Books, now: datetime) -> dict[str, Measured]:
    """By the name of the cloud or API in the books."""
    found: defaultdict[str, Measured] = defaultdict(Measured)
    since = now - SPAN
    for row in await books.ledger.by_day(since):
        found[row.cloud].spent += row.amount / MICRO
    for outcome in await books.instances.outcomes(since, MOST_OUTCOMES):
        found[outcome.cloud].worked += outcome.worked
        found[outcome.cloud].failed += not outcome.worked
    async for job in _jobs(books, since):
        for name in job.avoids:
            found[name].failed += 1
        if job.state is JobState.SUCCEEDED:
            await _count(books, job, found)
    for name, measured in found.items():
        if not measured.seconds:
            measured.cold_starts = await books.instances.cold_starts(CloudName(name), COLD_STARTS)
    return dict(found)


async def _jobs(books: Books, since: datetime) -> AsyncIterator[Job]:
    before = None
    while page := await books.jobs.page(user=None, before=before, limit=PAGE):
        for job in page:
            if job.submitted_at >= since:
                yield job
        before = page[-1].id
        if page[-1].submitted_at < since:
            return


async def _count(books: Books, job: Job, found: defaultdict[str, Measured]) -> None:
    """Put its pictures down to who made them."""
    if job.bridge:
        made = found[job.bridge]
        made.worked += 1
        if job.served is not None:
            made.seconds.append(job.served.seconds / max(len(job.images), 1))
    else:
        instance = await books.instances.get(job.instance) if job.instance else None
        if instance is None or instance.cloud is None:
            return
        made = found[instance.cloud]
    made.pictures += len(job.images)
