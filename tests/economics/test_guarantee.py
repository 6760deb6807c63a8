"""What ``auto`` never costs, whoever asks whenever (docs/decisions/0018-auto.md)."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import timedelta
from math import inf

import pytest
from hypothesis import example, given, settings, target

from orchestrator.domain.bounds import Times, informed
from orchestrator.domain.policy.advice import MARGIN, Adviser
from orchestrator.domain.policy.shadow import BREAK_EVEN, KEEPS_S, Ask, Shadow
from orchestrator.domain.terms import Terms
from tests.economics.closed_form import IDLE_TIMEOUT, advised, auto_usd, belief
from tests.economics.drawn import people, terms
from tests.economics.plain import paid

EXAMPLES = 150
CENTS = 1e-9
PAINT_S = Terms().generate_s


def stretch(*gaps: tuple[float, int]) -> Times:
    times = [0.0]
    for gap, count in gaps:
        times += [times[-1] + gap * (number + 1) for number in range(count)]
    return times


SELDOM = stretch((2400, 39))
"""Five times the least, while break-even kept each machine for at least two minutes, that people may think."""

ONCE_WARM = stretch((15, 40), (480, 60))
"""Eight times, while it kept one for as long as a start costs, whatever a request was worth."""

LONG_PAST = stretch((15, 800), (610, 140))
"""Three and a half times, while its credit had no end and was good for a machine at each single request for a day."""


@settings(max_examples=EXAMPLES)
@example([SELDOM], Terms(bridge_usd=0.0025, cold_start_s=20))
@example([[0.0]], Terms(bridge_usd=0.003, cold_start_s=20))
@given(people(PAINT_S), terms)
def test_it_costs_three_times_the_least_at_most_but_for_what_comes_while_a_machine_starts(
    who: Sequence[Times], terms: Terms
) -> None:
    """Each person who asks no faster than a machine paints; and one cold start."""
    told = advised(Adviser(IDLE_TIMEOUT), who, terms)
    start = terms.gpu_usd_s * terms.cold_start_s

    spent, least = [paid(each, terms) for each in told], [informed([times], terms) for times in who]
    ratios = [(each.usd - each.rush_usd - start) / usd for each, usd in zip(spent, least, strict=True)]

    target(max(ratios))
    assert max(ratios) <= MARGIN + CENTS


def test_a_newcomer_does_not_pay_for_what_everybody_else_is_used_to() -> None:
    """By the others' habits each request is worth ten minutes of a machine; the newcomer comes once a day."""
    terms = Terms(bridge_usd=0.012)
    busy = [hour * 7200.0 + at for hour in range(240) for at in (*stretch((15, 40)), *stretch((1100, 1), (15, 40))[1:])]
    daily = [(21 + day) * 86_400.0 for day in range(12)]

    _, told = advised(Adviser(IDLE_TIMEOUT), [busy, daily], terms)

    assert paid(told, terms).usd <= MARGIN * informed([daily], terms) + terms.gpu_usd_s * terms.cold_start_s


@settings(max_examples=EXAMPLES)
@given(people(1), terms)
def test_it_costs_a_constant_times_the_least_that_depends_on_how_many_ask_within_a_cold_start(
    who: Sequence[Times], terms: Terms
) -> None:
    usd_s, bridge_usd = terms.gpu_usd_s, terms.bridge_usd or 0.0
    start = usd_s * terms.cold_start_s
    rush = max(_followers(times, terms.cold_start_s) for times in who) * max(bridge_usd, usd_s * terms.paint_s)

    usd = auto_usd(who, terms) - start * len(who)

    target(usd / informed(who, terms) / (MARGIN + rush / start))
    assert usd <= (MARGIN + rush / start) * informed(who, terms) + CENTS


@pytest.mark.parametrize(
    ("times", "terms"),
    [
        (SELDOM, Terms(bridge_usd=0.0025, cold_start_s=20)),
        (ONCE_WARM, Terms(bridge_usd=0.003)),
        (LONG_PAST, Terms(bridge_usd=0.01, cold_start_s=600)),
    ],
)
def test_break_even_alone_stays_within_the_margin(times: Times, terms: Terms) -> None:
    shadow, known = Shadow(IDLE_TIMEOUT.total_seconds()), belief(terms)

    usd = sum(shadow.ask(Ask(at=at, bridge_usd=terms.bridge_usd), known)[BREAK_EVEN] for at in times)
    usd += shadow.settle(inf, known)[BREAK_EVEN]

    assert usd <= MARGIN * informed([times], terms) + known.start_usd


def _followers(times: Times, within_s: float) -> int:
    """The most requests that follow one within so many seconds."""
    return max(bisect_left(times, at + within_s) - number - 1 for number, at in enumerate(times))


@settings(max_examples=30)
@given(people(1), terms)
def test_its_own_ledger_says_what_doing_as_told_comes_to(who: Sequence[Times], terms: Terms) -> None:
    adviser = Adviser(IDLE_TIMEOUT)
    told = advised(adviser, who, terms)

    assert adviser.own_usd(inf, belief(terms)) == pytest.approx(sum(paid(each, terms).usd for each in told))


@settings(max_examples=30)
@given(people(1), terms)
def test_keep_alive_stays_within_its_clamp(who: Sequence[Times], terms: Terms) -> None:
    """Never above the idle timeout, nor below what one request is worth or the shortest of the rules keeps."""
    idle_timeout = timedelta(seconds=200)
    worth_s = (terms.bridge_usd or 0.0) / terms.gpu_usd_s
    least_s = min(*KEEPS_S, worth_s, idle_timeout.total_seconds())

    for each in advised(Adviser(idle_timeout), who, terms):
        for request in each:
            assert least_s - 1e-6 <= request.keep_s <= idle_timeout.total_seconds()


@settings(max_examples=30)
@given(people(1), terms)
def test_what_no_bridge_can_make_gets_a_machine_at_once_and_it_is_kept(who: Sequence[Times], terms: Terms) -> None:
    adviser, known = Adviser(IDLE_TIMEOUT), belief(terms)

    for at, number in sorted((at, number) for number, times in enumerate(who) for at in times):
        advice = adviser.ask(f"person {number}", Ask(at=at), known)
        assert advice.rents
        assert advice.keep >= min(timedelta(seconds=min(KEEPS_S)), timedelta(seconds=terms.cold_start_s))
