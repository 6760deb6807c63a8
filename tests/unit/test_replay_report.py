"""What a replay says of a month."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.cli.simulate_tables import document
from orchestrator.domain.activity import Request
from orchestrator.domain.money import micro_usd
from orchestrator.domain.terms import Terms
from orchestrator.sim.replay import Replayed, Wait
from orchestrator.sim.replay_report import Bounds, bounds_of, days_of, figures_of, nearest_rank

START = datetime(2026, 1, 1, tzinfo=UTC)
BOUNDS = Bounds(hindsight=1.0, informed=2.0, best_fixed=4.0, best_fixed_rule="fixed(2,300,180)")


def replayed(*waits: tuple[float, bool]) -> Replayed:
    return Replayed(
        policy="auto",
        gpu=micro_usd(6.0),
        bridge=micro_usd(3.0),
        cold_starts=6,
        waits=tuple(Wait(user="ada", at=START, seconds=seconds, is_first=is_first) for seconds, is_first in waits),
        lost_jobs=0,
        orphans=0,
    )


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1.0), (0.05, 1.0), (0.5, 10.0), (0.95, 19.0), (0.951, 20.0), (0.99, 20.0), (1.0, 20.0)]
)
def test_a_percentile_is_one_of_the_values_that_so_many_do_not_exceed(share: float, value: float) -> None:
    assert nearest_rank([float(each) for each in range(1, 21)], share) == value
    assert nearest_rank([], share) is None
    assert nearest_rank([7.0], share) == 7.0


def test_a_month_has_thirty_days_and_a_log_at_least_one() -> None:
    requests = [Request(at=START, user="ada"), Request(at=START + timedelta(days=89, hours=13), user="ada")]

    assert days_of(requests) == 90
    assert days_of(requests[:1]) == 1
    figures = figures_of(replayed((1.0, True)), days=90)
    assert (figures.gpu_usd_month, figures.bridge_usd_month, figures.total_usd_month) == (2.0, 1.0, 3.0)
    assert figures.cold_starts_month == 2.0
    assert bounds_of(requests, Terms(), days=90).informed == pytest.approx(0.006 / 3)


def test_first_pictures_and_all_pictures_have_percentiles_of_their_own() -> None:
    waits = [(500.0, True), (4.0, True), (14.0, False), (15.0, False)]

    figures = figures_of(replayed(*waits), days=30)

    assert (figures.first_p50, figures.first_p95) == (4.0, 500.0)
    assert (figures.wait_p50, figures.wait_p99) == (14.0, 500.0)


def test_the_json_has_the_keys_that_were_agreed_on() -> None:
    found = document((figures_of(replayed((4.0, True)), days=30),), BOUNDS, days=30)

    assert found == {
        "days": 30,
        "policies": [
            {
                "name": "auto",
                "gpu_usd_month": 6.0,
                "bridge_usd_month": 3.0,
                "total_usd_month": 9.0,
                "cold_starts_month": 6.0,
                "first_image_p50_s": 4.0,
                "first_image_p95_s": 4.0,
                "wait_p50_s": 4.0,
                "wait_p99_s": 4.0,
                "lost_jobs": 0,
                "orphans": 0,
                "ratio_to_best_fixed": 2.25,
                "ratio_to_informed": 4.5,
            }
        ],
        "hindsight_usd_month": 1.0,
        "informed_usd_month": 2.0,
        "best_fixed_usd_month": 4.0,
        "best_fixed_rule": "fixed(2,300,180)",
    }


def test_where_nothing_costs_anything_there_is_no_ratio() -> None:
    bounds = Bounds(hindsight=0.0, informed=0.0, best_fixed=0.0, best_fixed_rule="fixed(1,300,30)")

    (policy,) = document((figures_of(replayed(), days=30),), bounds, days=30)["policies"]

    assert policy["ratio_to_informed"] is policy["ratio_to_best_fixed"] is policy["wait_p50_s"] is None
