"""What people must hear beside their cards: written in the transaction of what it speaks of, told by the bot."""

from datetime import datetime, timedelta

from orchestrator.control.budgets import caps_in_force
from orchestrator.control.moves import NEWS_AGAIN_AFTER, tell
from orchestrator.control.shared import Shared
from orchestrator.domain.errors import VolumeMissing
from orchestrator.domain.ids import UserId
from orchestrator.domain.instance import Instance
from orchestrator.domain.job import Job, Value
from orchestrator.domain.money import MicroUsd, dollars
from orchestrator.domain.policy.spend import Cap, used_shares
from orchestrator.domain.session import Session
from orchestrator.ports.store import Books

WAITED = timedelta(minutes=1)
"""Whoever waited longer looks elsewhere by now."""

BEFORE_THE_END = timedelta(minutes=2)
"""Time to press Keep; a quarter of a shorter idle timeout."""

LOOKED_AT = 50
"""Of a person's newest jobs, to find one that a machine has made."""

NEARLY = 0.8


async def painted(books: Books, job: Job, now: datetime) -> None:
    """
    Tell that the pictures of *job* are there, where its person may have stopped looking.

    Several that were waited for together are one piece of news; what was asked for after that is another.
    """
    if now - job.submitted_at > WAITED:
        since = max(job.submitted_at, now - NEWS_AGAIN_AFTER)
        topic = f"done:{job.session}"
        await tell(books, job.user, "job_done", {"job": job.id}, topic=topic, now=now, unless_since=since)


async def giving_back(books: Books, session: Session, instance: Instance, at: datetime, now: datetime) -> None:
    """Tell that a warm machine which has made pictures is given back at *at*; once more after it was kept."""
    newest = await books.jobs.page(user=session.user, before=None, limit=LOOKED_AT)
    made = next((job for job in newest if job.instance == instance.id and job.images), None)
    if made is None:
        return
    values: dict[str, Value] = {
        "job": made.id,
        "at": at.timestamp(),
        "gpu": instance.offer.gpu if instance.offer else "GPU",
    }
    await tell(books, session.user, "giving_back", values, topic=f"giving_back:{session.id}:{at.timestamp()}", now=now)


async def budgets(books: Books, shared: Shared, user: UserId, now: datetime) -> None:
    """Tell whoever it concerns that a cap is nearly used, or used up: once for each day or month of it."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    spent = await books.ledger.spent(user, day=day, month=day.replace(day=1))
    for cap, limit, share in used_shares(await caps_in_force(books, shared), spent):
        if share < NEARLY:
            continue
        whose = user if cap is Cap.PERSON_DAY else None
        begin = day.replace(day=1) if cap is Cap.MONTH else day
        key = "over_budget" if share >= 1 else "budget_nearly_used"
        values: dict[str, Value] = {"cap": str(cap), "limit_usd": dollars(limit), "share": round(share * 100)}
        topic = f"{key}:{cap}:{whose or ''}:{begin:%Y-%m-%d}"
        await tell(books, whose, key, values, topic=topic, now=now, unless_since=begin - timedelta(microseconds=1))


async def low_balance(books: Books, cloud: str, balance: MicroUsd, now: datetime) -> None:
    """Tell it once a day while it stays low."""
    values: dict[str, Value] = {"cloud": cloud, "left_usd": dollars(balance)}
    topic, yesterday = f"low_balance:{cloud}", now - timedelta(days=1)
    await tell(books, None, "low_balance", values, topic=topic, now=now, unless_since=yesterday)


async def volume_missing(books: Books, error: VolumeMissing, now: datetime) -> None:
    """Tell it once a day while machines fetch their models each time."""
    values: dict[str, Value] = {"cloud": error.cloud, "problem": str(error)}
    topic, yesterday = f"volume_missing:{error.cloud}", now - timedelta(days=1)
    await tell(books, None, "volume_missing", values, topic=topic, now=now, unless_since=yesterday)
