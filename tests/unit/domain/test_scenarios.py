"""The first user's estimates, and what a replay says of them."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.activity import Request
from orchestrator.domain.quantiles import Quantiles
from orchestrator.domain.scenarios import REACTIVE, Assumptions, Replay, Scenario, reactive_estimate

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TERMS = Assumptions()


def at(minutes: float, user: str = "ada") -> Request:
    return Request(at=NOON + timedelta(minutes=minutes), user=user)


def replayed(*requests: Request, terms: Assumptions = TERMS) -> dict[str, Scenario]:
    replay = Replay(terms)
    for request in requests:
        replay.add(request)
    return {scenario.name.split(",")[0]: scenario for scenario in replay.scenarios()}


def hours_paid(scenario: Scenario) -> float:
    """Of a log of one day."""
    return scenario.usd_month / 30 / TERMS.usd_hour


def test_fixed_hours_cost_what_the_first_user_reckoned() -> None:
    low = {name: scenario.estimate.low for name, scenario in replayed().items()}

    assert low == pytest.approx({"24/7": 216, "16 h": 144, "12 h": 108, "6 h": 54, REACTIVE: 18})


def test_reactive_is_twelve_dollars_and_six_for_cold_starts() -> None:
    estimate = reactive_estimate(TERMS)

    assert (estimate.running, estimate.cold_starts) == pytest.approx((12, 6))
    assert (round(estimate.low), round(estimate.high)) == (18, 25)


def test_requests_outside_the_hours_are_not_served() -> None:
    by_name = replayed(at(0), at(60 * 6))  # 12:00 and 18:00

    assert {name: scenario.served for name, scenario in by_name.items()} == {
        "24/7": 1.0,
        "16 h": 1.0,
        "12 h": 0.5,
        "6 h": 0.5,
        REACTIVE: 1.0,
    }


def test_hours_after_midnight_belong_to_the_evening_before() -> None:
    by_name = replayed(at(60 * 13.5), at(60 * 14.5))  # 01:30 and 02:30

    assert (by_name["12 h"].served, by_name["16 h"].served, by_name["6 h"].served) == (0.5, 0.5, 0.0)


def test_outside_the_hours_a_bridge_makes_the_picture_for_its_price() -> None:
    by_name = replayed(at(0), at(60 * 6), terms=Assumptions(bridge_usd=0.01))

    assert by_name["12 h"].bridge_usd_month == pytest.approx(0.01 * 30)
    assert by_name["24/7"].bridge_usd_month == 0


def test_one_machine_makes_one_picture_at_a_time() -> None:
    always = replayed(at(0), at(0, "bob"), at(0, "eve"))["24/7"]

    assert (always.waits.p50, always.waits.p95) == (28.8, 43.2)


def test_what_is_queued_when_the_hours_end_is_made_and_paid_for() -> None:
    end = 60 * 11 - 0.1  # 22:59:54
    evening = replayed(at(end), at(end, "bob"), at(end, "eve"))["6 h"]

    assert evening.served == 1.0
    assert hours_paid(evening) * 3600 == pytest.approx(6 * 3600 + 2 * 14.4)


def test_a_lone_request_costs_its_cold_start_its_picture_and_ten_minutes() -> None:
    reactive = replayed(at(0))[REACTIVE]

    assert hours_paid(reactive) * 3600 == pytest.approx(491.6 + 14.4 + 600)
    assert reactive.first.p50 == 506.0


def test_requests_during_a_cold_start_wait_in_its_queue() -> None:
    reactive = replayed(at(0), at(1), at(2))[REACTIVE]

    assert hours_paid(reactive) * 3600 == pytest.approx(491.6 + 3 * 14.4 + 600)
    assert (reactive.waits.p50, reactive.cold_starts_month) == (506.0 + 14.4 - 60, 30)


def test_each_person_has_a_machine_and_gives_it_back_after_ten_idle_minutes() -> None:
    reactive = replayed(at(0), at(1, "bob"), at(40))[REACTIVE]

    assert reactive.cold_starts_month == 3 * 30


def test_failed_tries_cost_and_are_waited_for() -> None:
    reactive = replayed(at(0))[REACTIVE]
    failing = 300 + 3 * 491.6 / 2

    assert reactive.failing_usd_month is not None
    assert reactive.failing_first is not None
    assert (reactive.failing_usd_month - reactive.usd_month) / 30 / 0.30 * 3600 == pytest.approx(failing)
    assert reactive.failing_first.p50 == pytest.approx(506 + failing, abs=1)


@given(st.lists(st.tuples(st.integers(0, 3600), st.sampled_from(["ada", "bob"])), min_size=1, max_size=40))
def test_no_replay_serves_sooner_than_a_picture_takes_or_costs_less_than_its_work(steps: list[tuple[int, str]]) -> None:
    moments = accumulate(step for step, _ in steps)
    requests = [at(second / 60, user) for second, (_, user) in zip(moments, steps, strict=True)]

    for scenario in replayed(*requests).values():
        assert scenario.waits.p50 is None or 14.4 <= scenario.waits.p50 <= (scenario.waits.p95 or 0)
        assert scenario.first.p50 is None or scenario.first.p50 >= 14.4
    reactive = replayed(*requests)[REACTIVE]
    days = max(1, round(sum(step for step, _ in steps) / 86_400))
    assert reactive.usd_month * days / 30 / 0.30 * 3600 >= len(requests) * 14.4


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_within_a_thousandth_of_the_true_one(values: list[float], share: float) -> None:
    quantiles = Quantiles()
    for value in values:
        quantiles.add(value)

    found = quantiles.at(share)

    true = sorted(values)[max(0, -(-int(share * 100) * len(values) // 100) - 1)]
    assert found == pytest.approx(true, rel=1.1e-3, abs=0.051)
