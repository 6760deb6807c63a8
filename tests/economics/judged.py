"""``auto`` held against the best fixed rule of the very log that it is judged on, and against the informed bound."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.domain.bounds import Times, informed
from orchestrator.domain.fixed_rules import best_fixed
from orchestrator.domain.terms import Terms
from tests.economics.closed_form import auto_usd
from tests.economics.logs import GENERATED, first_users_people, halves

PRICES = ((0.003, 491.6), (0.02, 491.6), (0.02, 120.0), (0.02, 60.0), (0.05, 300.0))
"""Dollars for a picture on the bridge, and seconds of a cold start."""

TERMS = tuple(Terms(bridge_usd=usd, cold_start_s=seconds) for usd, seconds in PRICES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    Attributes:
        before: What the same people had asked for when it began.
    """

    name: str
    people: Sequence[Times]
    before: Sequence[Times] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Dollars for the whole log."""

    auto: float
    best_fixed: float
    best_fixed_rule: str
    informed: float

    @property
    def ratio(self) -> float:
        return self.auto / self.best_fixed


def cases(seeds: Sequence[int] = (0,)) -> Iterator[Case]:
    first, rest = halves(first_users_people())
    yield Case(name="first 45 days", people=first)
    yield Case(name="last 45 days", people=rest)
    yield Case(name="last 45 days, the first ones known", people=rest, before=first)
    for name, generated in GENERATED.items():
        for seed in seeds:
            yield Case(name=f"{name} {seed}", people=generated(seed))


def judge(case: Case, terms: Terms) -> Judged:
    rule, usd = best_fixed(case.people, terms)
    return Judged(
        auto=auto_usd(case.people, terms, before=case.before),
        best_fixed=usd,
        best_fixed_rule=rule.name,
        informed=informed(case.people, terms),
    )
