"""The shadow ledger: all rules at once cost what each costs alone; the running bound is the one found afterwards."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain.bounds import informed
from orchestrator.domain.fixed_rules import KEEPS_S, FixedRule, fixed_usd
from orchestrator.domain.policy.shadow import (
    BRIDGE_ONLY,
    RULES,
    WAIT_USD_S,
    Ask,
    Belief,
    Bound,
    Shadow,
    rule_like,
)
from orchestrator.domain.terms import Terms

MOST_KEPT_S = 600.0

gaps = st.one_of(st.integers(0, 30), st.integers(0, 700), st.integers(0, 5000))
times = st.lists(gaps, min_size=1, max_size=30).map(lambda drawn: list(accumulate(drawn)))
terms = st.builds(Terms, bridge_usd=st.floats(0.001, 0.05), cold_start_s=st.integers(1, 900).map(float))


def belief(terms: Terms, *, lost_usd: float = 0.0) -> Belief:
    cold_usd = terms.gpu_usd_s * terms.cold_start_s
    return Belief(
        usd_s=terms.gpu_usd_s, cold_s=terms.cold_start_s, start_usd=cold_usd + lost_usd, paint_s=terms.paint_s
    )


def costs(times: Sequence[float], known: Belief, bridge_usd: float | None) -> Sequence[float]:
    """Of each rule, until its machine is given back."""
    shadow = Shadow(MOST_KEPT_S)
    asked = sum(shadow.ask(Ask(at=at, bridge_usd=bridge_usd), known) for at in times)
    return list(asked + shadow.settle(inf, known))


@given(times, terms, st.sampled_from(range(1, BRIDGE_ONLY)))
def test_a_rule_among_all_costs_what_it_costs_alone(times: list[float], terms: Terms, place: int) -> None:
    rule = RULES[place]
    alone = FixedRule(count=rule.requests, window_s=int(rule.window_s), keep_s=int(rule.keep_s))

    cost = costs(times, belief(terms), terms.bridge_usd)

    assert cost[place] == pytest.approx(fixed_usd([times], alone, terms))
    assert cost[BRIDGE_ONLY] == pytest.approx(len(times) * (terms.bridge_usd or 0.0))


@given(times, terms)
def test_the_bound_so_far_is_the_one_found_afterwards(times: list[float], terms: Terms) -> None:
    """Forwards and backwards; at each request, as if it were the last."""
    bound, known = Bound(), belief(terms)

    for number, at in enumerate(times, start=1):
        bound.ask(Ask(at=at, bridge_usd=terms.bridge_usd), known)
        if number % 7 == 0 or number == len(times):
            assert bound.off_usd == pytest.approx(informed([times[:number]], terms))
            assert bound.usd <= bound.off_usd


@given(times, terms, st.floats(0, 0.1))
def test_the_bound_never_falls_and_what_is_lost_with_starts_does_not_lower_it(
    times: list[float], terms: Terms, lost_usd: float
) -> None:
    fair, poor, found = Bound(), Bound(), []

    for at in times:
        ask = Ask(at=at, bridge_usd=terms.bridge_usd)
        fair.ask(ask, belief(terms))
        poor.ask(ask, belief(terms, lost_usd=lost_usd))
        found.append(fair.usd)
        assert fair.usd <= poor.usd + 1e-12

    assert all(before <= after + 1e-12 for before, after in pairwise(found))


@settings(max_examples=50)
@given(times, st.integers(1, max(KEEPS_S)))
def test_without_a_bridge_nobody_waits_longer_for_a_machine_that_is_kept_longer(
    times: list[float], cold_s: int
) -> None:
    """
    Where it is kept for a cold start at least, and paints at once.

    Else a machine that was given back and ordered again, and is still busy, may happen to be there for longer.
    """
    free = Belief(usd_s=0.0, cold_s=cold_s, start_usd=0.0, paint_s=0.0)
    keeps = sorted(float(keep_s) for keep_s in KEEPS_S if keep_s >= cold_s)
    usd = costs(times, free, None)

    waited = [usd[rule_like(1, 300.0, keep_s)] / WAIT_USD_S for keep_s in keeps]

    assert all(longer <= shorter + 1e-6 for shorter, longer in pairwise(waited))


@given(times, terms)
def test_credit_is_no_more_than_a_start_or_a_request_is_worth(times: list[float], terms: Terms) -> None:
    shadow, known = Shadow(MOST_KEPT_S), belief(terms)

    for at in times:
        shadow.ask(Ask(at=at, bridge_usd=terms.bridge_usd), known)
        assert 0 <= shadow.credit_usd <= max(known.start_usd, terms.bridge_usd or 0.0)
