"""Moves that several loops make in the same way: giving a machine up, putting a job back, booking what is due."""

from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.domain.ids import UserId
from orchestrator.domain.instance import EndReason, Instance
from orchestrator.domain.job import Failure, Job, JobState, Value
from orchestrator.domain.money import MicroUsd, MicroUsdPerHour
from orchestrator.domain.notices import Notice
from orchestrator.domain.offer import is_dearer
from orchestrator.ports.store import Booking, Books, Details

NEWS_AGAIN_AFTER = timedelta(minutes=10)
"""The same news is told again to the same people only after this."""


async def end_instance(
    books: Books, instance: Instance, reason: EndReason, now: datetime, *, details: Details | None = None
) -> Instance:
    """Give up a machine that is not given up yet, and have its session looked at."""
    ended = await books.instances.change(instance, instance.ending(reason, now), reason=str(reason), details=details)
    if instance.session is not None:
        await books.sessions.touch(instance.session, now)
    return ended


async def requeue(books: Books, job: Job, now: datetime, *, reason: str, avoids: tuple[str, ...] | None = None) -> Job:
    """Put a running job back into the queue: same seed, same card, another machine."""
    queued = replace(
        job.moved_to(JobState.QUEUED, now),
        prompt=None,
        instance=None,
        bridge="",
        bridge_ref="",
        avoids=job.avoids if avoids is None else avoids,
        started_at=None,
    )
    queued = await books.jobs.change(job, queued, reason=reason)
    await books.sessions.touch(job.session, now)
    return queued


async def fail(books: Books, job: Job, failure: Failure, now: datetime) -> Job:
    """End a job for good; its person is told why."""
    failed = replace(job.moved_to(JobState.FAILED, now), failure=failure)
    failed = await books.jobs.change(job, failed, reason=failure.key, details=dict(failure.values))
    await tell_failed(books, failed, now)
    await books.sessions.touch(job.session, now)
    return failed


async def tell_failed(books: Books, job: Job, now: datetime) -> None:
    """Its person may not look at the card any more."""
    await tell(books, job.user, "job_failed", {"job": job.id}, topic=f"failed:{job.id}", now=now)


async def book_due(books: Books, instance: Instance, now: datetime) -> Instance:
    """Write into the ledger what *instance* has cost since it was last booked."""
    due = MicroUsd(instance.cost(now) - instance.booked)
    if due <= 0 or instance.cloud is None or instance.ref is None:  # an order that nobody has seen is only reserved
        return instance
    await books.ledger.book(
        Booking(at=now, user=instance.user, cloud=instance.cloud, instance=instance.id, job=None, amount=due)
    )
    return await books.instances.change(
        instance, replace(instance, booked=MicroUsd(instance.booked + due)), reason="booked"
    )


async def charge(books: Books, instance: Instance, price: MicroUsdPerHour) -> Instance:
    """Count what the cloud charges, not what its offer said."""
    if instance.offer is None or not is_dearer(instance.offer, price):
        return instance
    charged = replace(instance, offer=instance.offer.charged(price))
    details: Details = {"offered_micro": instance.price, "charged_micro": price}
    return await books.instances.change(instance, charged, reason="dearer than offered", details=details)


async def tell(
    books: Books,
    user: UserId | None,
    key: str,
    values: dict[str, Value],
    *,
    topic: str,
    now: datetime,
    unless_since: datetime | None = None,
) -> None:
    """Leave a notice for *user*, or for the admins when None; not again what was left after *unless_since*."""
    notice = Notice(id=0, user=user, key=key, values=values, topic=topic, at=now)
    await books.notices.add(notice, unless_since=unless_since or now - NEWS_AGAIN_AFTER)
