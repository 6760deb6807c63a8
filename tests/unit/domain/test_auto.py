"""The default policy does as it is advised, within the idle timeout; more budget takes nothing away from anybody."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.ids import JobId
from orchestrator.domain.money import MicroUsd
from orchestrator.domain.policy.advice import Advice, Adviser
from orchestrator.domain.policy.auto import Auto
from orchestrator.domain.policy.shadow import Ask, Belief
from orchestrator.domain.policy.spend import Caps, Spent, broken_cap
from orchestrator.domain.snapshot import Evidence, SessionSnapshot
from tests.contract.samples import a_session

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
USD_S = 0.3 / 3600
KNOWN = Belief(usd_s=USD_S, cold_s=300, start_usd=300 * USD_S, paint_s=14.4)

MISSES = replace(a_session(), last_request_at=NOW, bridged_job=JobId("last"))

minutes = st.integers(0, 60).map(lambda number: timedelta(minutes=number))
gaps = st.lists(st.integers(1, 1000), min_size=1, max_size=40)


def seen(advice: Advice | None) -> SessionSnapshot:
    """Somebody whose last picture an API made."""
    return SessionSnapshot(session=MISSES, jobs=(), instances=(), evidence=Evidence(advice=advice))


def advised(times: Sequence[float], most_kept: timedelta = timedelta(minutes=10), bridge_usd: float = 0.05) -> Advice:
    adviser = Adviser(most_kept)
    return [adviser.ask("ada", Ask(at=at, bridge_usd=bridge_usd), KNOWN) for at in times][-1]


def test_it_rents_and_keeps_as_advised() -> None:
    advice = advised([0, 20, 40])
    policy = Auto(idle_timeout=timedelta(minutes=10))

    assert policy.wants_machine(seen(advice), NOW)
    assert policy.warm_until(seen(advice)) == NOW + advice.keep
    assert not policy.wants_machine(seen(advice), NOW + advice.keep)
    assert not policy.wants_machine(seen(replace(advice, rents=False)), NOW)


def test_who_lost_an_idle_machine_gets_no_other_before_the_next_request() -> None:
    advice = advised([0, 20, 40])
    idle = replace(seen(advice), session=replace(MISSES, bridged_job=None))

    assert not Auto(idle_timeout=timedelta(minutes=10)).wants_machine(idle, NOW)


def test_of_whom_nothing_is_known_no_machine_is_rented_for() -> None:
    policy = Auto(idle_timeout=timedelta(minutes=10))

    assert not policy.wants_machine(seen(None), NOW)
    assert policy.warm_until(seen(None)) == NOW + policy.idle_timeout


@given(gaps, minutes, minutes)
def test_a_longer_idle_timeout_never_gives_a_machine_back_earlier_on_the_same_advice(
    gaps: list[int], one: timedelta, other: timedelta
) -> None:
    snapshot = seen(advised(list(accumulate(gaps))))
    shorter, longer = (Auto(idle_timeout=idle_timeout) for idle_timeout in sorted((one, other)))

    assert NOW <= shorter.warm_until(snapshot) <= longer.warm_until(snapshot)
    assert shorter.warm_until(snapshot) <= NOW + shorter.idle_timeout
    assert longer.wants_machine(snapshot, NOW) or not shorter.wants_machine(snapshot, NOW)


usd = st.integers(0, 100).map(MicroUsd)
caps = st.builds(Caps, person_day=st.none() | usd, day=st.none() | usd, month=st.none() | usd)


@given(caps, caps, st.builds(Spent, person_day=usd, day=usd, month=usd), usd)
def test_a_higher_cap_never_refuses_what_a_lower_one_allows(
    one: Caps, other: Caps, spent: Spent, extra: MicroUsd
) -> None:
    higher = Caps(
        person_day=_higher(one.person_day, other.person_day),
        day=_higher(one.day, other.day),
        month=_higher(one.month, other.month),
    )

    assert broken_cap(one, spent, extra) or broken_cap(higher, spent, extra) is None


def _higher(one: MicroUsd | None, other: MicroUsd | None) -> MicroUsd | None:
    return None if one is None or other is None else max(one, other)


def test_where_a_bridge_takes_less_than_a_machines_painting_no_habit_is_worth_a_machine() -> None:
    all_day = [number * KNOWN.paint_s for number in range(500)]

    assert not advised(all_day, bridge_usd=USD_S * KNOWN.paint_s / 2).rents


def test_who_asks_all_day_gets_a_machine_and_who_asks_once_a_day_does_not() -> None:
    assert advised([number * 30.0 for number in range(20)], bridge_usd=0.02).rents
    assert not advised([number * 86_400.0 for number in range(20)], bridge_usd=0.02).rents


@pytest.mark.parametrize("name", ["keep_s", "rule", "credit_usd", "cold_s", "start_usd", "usd_hour"])
def test_it_says_why_in_plain_numbers(name: str) -> None:
    assert isinstance(advised([0.0, 20.0]).numbers()[name], str | int | float)
