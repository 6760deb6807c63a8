"""What replays of one log say: a month's dollars and people's waits for each policy, beside what it costs at least."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from orchestrator.domain.activity import Request, days_between
from orchestrator.domain.bounds import hindsight, informed, people_of
from orchestrator.domain.fixed_rules import best_fixed
from orchestrator.domain.money import dollars
from orchestrator.domain.terms import Terms
from orchestrator.domain.traffic import MONTH
from orchestrator.sim.replay import Replayed

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Dollars a month. *best_fixed_rule* is the name of the rule that costs *best_fixed*."""

    hindsight: float
    informed: float
    best_fixed: float
    best_fixed_rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """
    One policy; a month has 30 days, waits are seconds, None where nobody waited.

    Attributes:
        first_p50: Of each person's first request after ten minutes without one.
        lost_jobs: Requests that got no picture.
        orphans: Machines that run on although nobody knows them.
    """

    name: str
    gpu_usd_month: float
    bridge_usd_month: float
    cold_starts_month: float
    first_p50: float | None
    first_p95: float | None
    wait_p50: float | None
    wait_p99: float | None
    lost_jobs: int
    orphans: int

    @property
    def total_usd_month(self) -> float:
        return self.gpu_usd_month + self.bridge_usd_month


def days_of(requests: Sequence[Request]) -> int:
    """From the first request to the last, in whole days, at least one; *requests* are in the order of time."""
    return days_between(requests[0].at, requests[-1].at)


def bounds_of(requests: Iterable[Request], terms: Terms, *, days: int) -> Bounds:
    people = people_of(requests)
    rule, usd = best_fixed(people, terms)
    months = days * _DAY / MONTH
    return Bounds(
        hindsight=hindsight(people, terms) / months,
        informed=informed(people, terms) / months,
        best_fixed=usd / months,
        best_fixed_rule=rule.name,
    )


def figures_of(replayed: Replayed, *, days: int) -> Figures:
    months = days * _DAY / MONTH
    waits = sorted(wait.seconds for wait in replayed.waits)
    firsts = sorted(wait.seconds for wait in replayed.waits if wait.is_first)
    return Figures(
        name=replayed.policy,
        gpu_usd_month=dollars(replayed.gpu) / months,
        bridge_usd_month=dollars(replayed.bridge) / months,
        cold_starts_month=replayed.cold_starts / months,
        first_p50=nearest_rank(firsts, 0.50),
        first_p95=nearest_rank(firsts, 0.95),
        wait_p50=nearest_rank(waits, 0.50),
        wait_p99=nearest_rank(waits, 0.99),
        lost_jobs=replayed.lost_jobs,
        orphans=replayed.orphans,
    )


def nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    """The smallest of *ordered* that at least *share* of them do not exceed."""
    return ordered[max(math.ceil(share * len(ordered) - 1e-9), 1) - 1] if ordered else None


def ratio(usd: float, to: float) -> float | None:
    """None where there is nothing to compare with."""
    return usd / to if to > 0 else None
