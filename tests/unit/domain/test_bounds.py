"""What a log costs at the least: the sums agree with trying everything out, and with one another."""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.activity_log import Remarks, read_log
from orchestrator.domain.activity import Request
from orchestrator.domain.bounds import Times, hindsight, informed, people_of
from orchestrator.domain.fixed_rules import COUNTS, KEEPS_S, WINDOWS_S, FixedRule, best_fixed, fixed_usd
from orchestrator.domain.terms import Terms

LOG = Path(__file__).parents[2] / "data" / "generations_90d.csv"
START = datetime(2026, 1, 1, tzinfo=UTC)

gaps = st.one_of(st.integers(0, 30), st.integers(0, 700), st.integers(0, 5000))
few = st.lists(gaps, min_size=1, max_size=6)
many = st.lists(st.lists(gaps, min_size=1, max_size=40), min_size=1, max_size=3)
terms = st.builds(
    Terms,
    gpu_usd_hour=st.sampled_from([0.0, 0.3, 3.0]),
    bridge_usd=st.sampled_from([0.0, 0.0005, 0.003, 0.02, 0.05]),
    cold_start_s=st.sampled_from([0.0, 60.0, 491.6]),
    generate_s=st.sampled_from([0.0, 14.4, 200.0]),
    images_per_request=st.sampled_from([1, 3]),
)


def after(gaps: list[int]) -> Times:
    times = [0.0]
    for gap in gaps[1:]:
        times.append(times[-1] + gap)
    return times


def second(terms: Terms) -> float:
    return terms.gpu_usd_hour / 3600


def paint(terms: Terms) -> float:
    return terms.generate_s * terms.images_per_request


def close(value: float) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-12)


def tried(times: Times, terms: Terms) -> Iterator[float]:
    """Dollars of every way to go on at each request: with a machine keep or end it, without one start it or not."""
    walk = _walk if terms.bridge_usd is not None else _waiting_walk
    for choices in product((False, True), repeat=len(times)):
        yield walk(times, choices, terms)


def _walk(times: Times, choices: tuple[bool, ...], terms: Terms) -> float:
    usd, started = 0.0, None
    for at, goes_on in zip(times, choices, strict=True):
        is_ready = started is not None and at >= started + terms.cold_start_s
        usd += 0.0 if is_ready else (terms.bridge_usd or 0.0) * terms.images_per_request
        if started is not None and not goes_on:
            usd += second(terms) * (at - started + paint(terms) * is_ready)
            started = None
        elif started is None and goes_on:
            started = at
    return usd if started is None else math.inf  # kept for nobody: one of the other choices


def _waiting_walk(times: Times, choices: tuple[bool, ...], terms: Terms) -> float:
    usd, started, ready, waiting = 0.0, None, 0.0, 0
    for at, following, goes_on in zip(times, [*times[1:], math.inf], choices, strict=True):
        if started is None:
            started, ready, waiting = at, at + terms.cold_start_s, 1
        elif at < ready:
            waiting += 1
        else:
            waiting = 0
        if not goes_on and (following >= ready or not waiting):  # whoever still comes before it is ready waits with it
            usd += second(terms) * (
                (ready - started + paint(terms) * waiting) if waiting else at - started + paint(terms)
            )
            started = None
    return usd if started is None else math.inf


def foreseen(times: Times, terms: Terms) -> Iterator[float]:
    """Dollars of every way to make each request: on the bridge, on a machine kept from the one before, on a new one."""
    bridge = (terms.bridge_usd or 0.0) * terms.images_per_request
    for ways in product("bkn", repeat=len(times)):
        usd = 0.0
        for i, way in enumerate(ways):
            before = ways[i - 1] if i else "b"
            follows = ways[i + 1] if i + 1 < len(times) else "b"
            if way == "k":
                usd += math.inf if before == "b" else second(terms) * (times[i] - times[i - 1])
            usd += {"b": bridge, "k": 0.0, "n": second(terms) * terms.cold_start_s}[way]
            usd += second(terms) * paint(terms) if way != "b" and follows != "k" else 0.0
        yield usd


@given(few, terms)
def test_informed_is_the_best_of_all_ways_to_start_at_requests(gaps: list[int], terms: Terms) -> None:
    times = after(gaps)

    assert informed([times], terms) == close(min(tried(times, terms)))


@given(few, terms)
def test_without_a_bridge_informed_is_the_best_of_all_ways_to_let_people_wait(gaps: list[int], terms: Terms) -> None:
    times, terms = after(gaps), replace(terms, bridge_usd=None)

    assert informed([times], terms) == close(min(tried(times, terms)))
    assert hindsight([times], terms) == informed([times], terms)


@given(few, terms)
def test_hindsight_is_the_best_of_all_ways_to_have_machines_warm_in_time(gaps: list[int], terms: Terms) -> None:
    times = after(gaps)

    assert hindsight([times], terms) == close(min(foreseen(times, terms)))


rules = st.builds(
    FixedRule,
    count=st.sampled_from([*COUNTS, None]),
    window_s=st.sampled_from(WINDOWS_S),
    keep_s=st.sampled_from(KEEPS_S),
)


@given(many, terms, rules)
def test_hindsight_costs_no_more_than_informed_and_that_no_more_than_any_fixed_rule(
    people_gaps: list[list[int]], terms: Terms, rule: FixedRule
) -> None:
    people = [after(gaps) for gaps in people_gaps]
    slack = 1 + 1e-9
    best, usd = best_fixed(people, terms)

    assert hindsight(people, terms) <= informed(people, terms) * slack + 1e-12
    assert informed(people, terms) <= usd * slack + 1e-12
    assert usd <= fixed_usd(people, rule, terms) * slack + 1e-12
    assert usd == close(fixed_usd(people, best, terms))


@given(many, terms)
def test_without_a_bridge_the_best_fixed_rule_rents_at_once_and_informed_costs_no_more(
    people_gaps: list[list[int]], terms: Terms
) -> None:
    people, terms = [after(gaps) for gaps in people_gaps], replace(terms, bridge_usd=None)

    best, usd = best_fixed(people, terms)

    assert best.count == 1
    assert informed(people, terms) <= usd * (1 + 1e-9) + 1e-12


FIXED_TERMS = Terms(gpu_usd_hour=3.6, bridge_usd=1.0, cold_start_s=100, generate_s=10)
"""A tenth of a cent a second."""


@pytest.mark.parametrize(
    ("times", "rule", "usd"),
    [
        ([0, 50, 200], FixedRule(count=None), 3.0),
        ([0, 50, 200, 260], FixedRule(count=1, keep_s=180), 2.0 + 0.440),  # two before it is ready; ends 180 s later
        ([0, 50, 200, 260], FixedRule(count=2, keep_s=180), 2.0 + 0.390),  # ordered at the second
        ([0, 300, 600], FixedRule(count=2, window_s=300, keep_s=60), 3.0),  # 300 s ago is outside of 300 s
        ([0, 299], FixedRule(count=2, window_s=300, keep_s=60), 2.0 + 0.060),  # given back before it was ready
        ([0, 100, 100, 100, 100], FixedRule(count=1, keep_s=30), 5.0 + 0.060),  # ended at 30, and again at 130
        ([0, 20, 40, 60, 80, 100, 100, 100, 100], FixedRule(count=1, keep_s=30), 5.0 + 0.140),  # until all is painted
    ],
)
def test_a_fixed_rule_costs_what_its_bridge_and_its_machine_do(times: list[float], rule: FixedRule, usd: float) -> None:
    assert fixed_usd([times], rule, FIXED_TERMS) == close(usd)


def test_without_a_bridge_a_machine_is_not_given_back_before_it_has_painted() -> None:
    terms = replace(FIXED_TERMS, bridge_usd=None)

    assert fixed_usd([[0, 50]], FixedRule(count=1, keep_s=30), terms) == close(0.120)


def test_each_person_has_machines_of_their_own() -> None:
    at = [START, START + timedelta(seconds=10), START + timedelta(seconds=30)]
    requests = [Request(at=at[2], user="ada"), Request(at=at[1], user="bob"), Request(at=at[0], user="ada")]

    assert people_of(requests) == ([0.0, 30.0], [10.0])


@pytest.fixture(scope="module")
def ninety_days() -> tuple[Times, ...]:
    return people_of(read_log(LOG, Remarks()))


@pytest.mark.parametrize(
    ("bridge_usd", "cold_start_s", "rule", "month"),
    [
        (0.003, 491.6, "bridge-only", (5.82, 5.82, 5.82)),
        (0.02, 491.6, "fixed(2,300,180)", (34.49, 28.70, 14.66)),
        (0.02, 120, "fixed(2,300,180)", (21.33, 17.46, 9.36)),
        (0.02, 60, "fixed(2,300,180)", (18.04, 14.49, 7.46)),
        (0.05, 300, "fixed(1,300,180)", (62.03, 51.47, 14.13)),
    ],
)
def test_what_ninety_days_of_the_first_users_people_cost_at_the_least(
    ninety_days: tuple[Times, ...],
    bridge_usd: float,
    cold_start_s: float,
    rule: str,
    month: tuple[float, float, float],
) -> None:
    """Worked out a second time by another program; dollars a month of 30 days."""
    terms = Terms(bridge_usd=bridge_usd, cold_start_s=cold_start_s)

    best, usd = best_fixed(ninety_days, terms)

    assert best.name == rule
    found = tuple(round(each / 3, 2) for each in (usd, informed(ninety_days, terms), hindsight(ninety_days, terms)))
    assert found == month
