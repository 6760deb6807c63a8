"""How long machines live for somebody's traffic."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.domain.traffic import FIRST_USER, HIS_COLD_START, traffic_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def at(minutes: float, user: str = "ada") -> tuple[datetime, str]:
    return NOON + timedelta(minutes=minutes), user


def test_requests_of_one_person_at_most_ten_minutes_apart_are_one_stretch() -> None:
    traffic = traffic_of([at(30), at(0), at(10), at(30.5)])

    assert traffic is not None
    assert (traffic.pictures, traffic.stretches, traffic.busy) == (4, 2, timedelta(minutes=10.5))


def test_each_person_has_a_machine_of_their_own() -> None:
    traffic = traffic_of([at(0), at(1, "bob")])

    assert traffic is not None
    assert (traffic.stretches, traffic.busy) == (2, timedelta())


def test_a_stretch_costs_its_cold_start_and_the_idle_time_after_it() -> None:
    traffic = traffic_of([at(0), at(60 * 24 * 30 - 5), at(60 * 24 * 30)])

    assert traffic is not None
    assert traffic.pictures_month == pytest.approx(3)
    assert traffic.machine_month(timedelta(minutes=8)) == timedelta(minutes=5 + 2 * (8 + 10))


def test_nothing_asked_is_no_traffic() -> None:
    assert traffic_of([]) is None


def test_the_first_users_month_takes_some_hundred_hours() -> None:
    hours = FIRST_USER.machine_month(HIS_COLD_START) / timedelta(hours=1)

    assert FIRST_USER.pictures_month == pytest.approx(1939)
    assert 100 < hours < 125
