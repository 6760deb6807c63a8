"""
How each cloud and each managed API is doing, for people: what this life has seen, and what the books keep of it.

The loops know it in memory; what they write down here is for the commands that read the books beside a running bot.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from orchestrator.api import BridgeState, BridgeView
from orchestrator.control.board import CloudHealth
from orchestrator.domain.errors import AccountProblem, CloudError, RateLimited
from orchestrator.domain.ids import CloudName
from orchestrator.domain.instance import Instance
from orchestrator.domain.money import MicroUsd
from orchestrator.ports.store import Books

CLOUD = "health:"
BRIDGE = "bridge:"


def after_answer(health: CloudHealth) -> CloudHealth:
    """A call went well; what went wrong before is remembered as the last error."""
    return replace(health, problem="", has_good_key=True, limited_until=None)


def after_refusal(health: CloudHealth, error: CloudError, now: datetime) -> CloudHealth:
    until = now + error.retry_after if isinstance(error, RateLimited) else health.limited_until
    good = False if isinstance(error, AccountProblem) else health.has_good_key
    return replace(
        health, problem=str(error), last_error=str(error), failed_at=now, has_good_key=good, limited_until=until
    )


def runway(health: CloudHealth, cloud: CloudName, live: Iterable[Instance], now: datetime) -> timedelta | None:
    """How long the balance lasts for the machines that live there; None where that has no answer."""
    rate = sum(instance.price for instance in live if instance.cloud == cloud)
    if health.balance is None or health.balance_at is None or not rate:
        return None
    lasts = timedelta(hours=health.balance / rate)
    return max(lasts - (now - health.balance_at), timedelta())


async def note_cloud(books: Books, cloud: CloudName, health: CloudHealth) -> None:
    document = {
        "problem": health.problem,
        "last_error": health.last_error,
        "failed_at": _stamp(health.failed_at),
        "has_good_key": health.has_good_key,
        "limited_until": _stamp(health.limited_until),
        "balance": health.balance,
        "balance_at": _stamp(health.balance_at),
    }
    await books.set_fact(CLOUD + cloud, json.dumps(document))


async def cloud_of_books(books: Books, cloud: CloudName) -> CloudHealth:
    """As it was written down last, without the listing."""
    known = json.loads(await books.fact(CLOUD + cloud) or "{}")
    balance = known.get("balance")
    return CloudHealth(
        problem=known.get("problem", ""),
        last_error=known.get("last_error", ""),
        failed_at=_moment(known.get("failed_at")),
        has_good_key=known.get("has_good_key"),
        limited_until=_moment(known.get("limited_until")),
        balance=None if balance is None else MicroUsd(balance),
        balance_at=_moment(known.get("balance_at")),
    )


async def note_bridge(books: Books, view: BridgeView) -> None:
    document = {"title": view.title, "state": view.state, "why": view.why}
    await books.set_fact(BRIDGE + view.name, json.dumps(document))


async def bridge_of_books(books: Books, name: str) -> BridgeView | None:
    """As it was when it last answered or was switched off; None where it never was."""
    fact = await books.fact(BRIDGE + name)
    if fact is None:
        return None
    known = json.loads(fact)
    return BridgeView(name=name, title=known["title"], state=BridgeState(known["state"]), why=known["why"])


def _stamp(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _moment(stamp: float | None) -> datetime | None:
    return None if stamp is None else datetime.fromtimestamp(stamp, UTC)
