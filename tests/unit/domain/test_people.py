"""Quiet hours, wherever midnight is."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.domain.people import Profile, QuietHours


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC)


def hours(begin: float, end: float, offset: float = 0) -> QuietHours:
    return QuietHours(begin=timedelta(hours=begin), end=timedelta(hours=end), offset=timedelta(hours=offset))


@pytest.mark.parametrize(
    ("quiet", "when", "holds"),
    [
        (hours(1, 5), at(1), True),
        (hours(1, 5), at(4, 59), True),
        (hours(1, 5), at(5), False),
        (hours(22, 8), at(23), True),
        (hours(22, 8), at(7, 59), True),
        (hours(22, 8), at(12), False),
        (hours(22, 8, offset=2), at(20), True),
        (hours(22, 8, offset=2), at(6), False),
        (hours(22, 8, offset=-3.5), at(1), False),
        (hours(22, 8, offset=-3.5), at(1, 30), True),
    ],
)
def test_quiet_hours_are_where_the_person_is(quiet: QuietHours, when: datetime, holds: bool) -> None:
    assert quiet.holds(when) is holds
    assert Profile(quiet=quiet).is_quiet(when) is holds


def test_without_any_nothing_is_quiet() -> None:
    assert not Profile().is_quiet(at(3))
