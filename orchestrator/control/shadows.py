"""The shadow ledger as people see it: what other policies would have cost on the requests that really came."""

from datetime import datetime, timedelta

from orchestrator.api import ShadowLedger, ShadowRow
from orchestrator.control.experience import Experience
from orchestrator.domain.money import MicroUsd, micro_usd
from orchestrator.domain.policy.shadow import BRIDGE_ONLY, RULES, rule_like
from orchestrator.ports.store import Books

FIRST_USERS = rule_like(1, 300, 600)
"""His rule, with a bridge for what comes while his machine is cold."""

MOMENT = timedelta(microseconds=1)


async def shadow_ledger(books: Books, experience: Experience, now: datetime) -> ShadowLedger | None:
    """All of it until *now*, machines that would still be on included; None while nothing was asked for."""
    since, adviser, belief = experience.since, experience.adviser, experience.belief
    if since is None:
        return None
    money = adviser.money(now.timestamp(), belief)
    best = int(money[1:].argmin()) + 1  # the first one goes by money: it is no rule that anybody could choose
    own = adviser.own_usd(now.timestamp(), belief)
    usd = {
        "auto": own,
        "bridge-only": money[BRIDGE_ONLY],
        "first-user": money[FIRST_USERS],
        "always-on(24), one machine": belief.usd_s * max((now - since).total_seconds(), 0.0),
        f"best fixed rule in hindsight {RULES[best].name}": money[best],
    }
    return ShadowLedger(
        since=since,
        requests=adviser.requests,
        booked=await books.ledger.total(since, now + MOMENT),
        rows=tuple(_row(name, float(cost), own) for name, cost in usd.items()),
    )


def _row(name: str, usd: float, auto_usd: float) -> ShadowRow:
    cost, auto = micro_usd(usd), micro_usd(auto_usd)
    return ShadowRow(name=name, cost=cost, difference=MicroUsd(cost - auto))
