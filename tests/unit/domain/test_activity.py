"""What is said of a log of requests, by the first user's definitions."""

import statistics
import tracemalloc
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.activity import Activity, Request, Tally, dead_of, peak_of
from orchestrator.domain.scenarios import Assumptions, Replay

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday."""

gaps = st.lists(st.tuples(st.integers(0, 600_000), st.sampled_from(["ada", "bob", "eve"])), max_size=60)


def at(minutes: float, user: str = "ada") -> Request:
    return Request(at=NOON + timedelta(minutes=minutes), user=user, platform="discord")


def counted(*requests: Request, most_people: int = 99) -> Activity:
    tally = Tally(most_people=most_people)
    for request in requests:
        tally.add(request)
    return tally.report()


def test_three_requests_each_within_five_minutes_of_the_one_before_are_a_burst() -> None:
    bursts = counted(at(0), at(5), at(10), at(15.1), at(20.1)).bursts

    assert (bursts.count, bursts.mean, bursts.largest) == (1, 3.0, 3)


def test_people_in_between_do_not_break_a_burst_and_do_not_make_one() -> None:
    bursts = counted(at(0), at(1, "bob"), at(2), at(3, "bob"), at(4), at(20, "eve")).bursts

    assert bursts.sizes == {3: 1}


def test_the_median_is_of_gaps_of_one_person_up_to_five_minutes() -> None:
    assert counted(at(0), at(0.5, "bob"), at(1), at(3), at(9)).median_gap == timedelta(minutes=1.5)


def test_a_request_behind_a_later_one_is_counted_and_gives_no_gap() -> None:
    report = counted(at(0), at(2), at(1), at(3))

    assert (report.total, report.late, report.bursts.largest) == (4, 1, 4)
    assert report.median_gap == timedelta(minutes=1.5)
    assert report.last == NOON + timedelta(minutes=3)


def test_nothing_asked_has_no_peak_and_no_people() -> None:
    report = counted()

    assert (report.total, report.per_day, report.busiest_weekday, report.peak, report.dead) == (
        0,
        0.0,
        None,
        None,
        None,
    )
    assert report.people == ()


def test_weekdays_and_shares() -> None:
    report = counted(at(0), at(1), at(2, "bob"), at(60 * 24))

    assert report.busiest_weekday == "Monday"
    assert (report.weekdays["Monday"], report.weekdays["Tuesday"]) == (3, 1)
    assert [(p.user, p.count, p.share) for p in report.people] == [("ada", 3, 0.75), ("bob", 1, 0.25)]


def test_people_beyond_the_limit_are_counted_together() -> None:
    report = counted(at(0), at(1, "bob"), at(2, "eve"), at(3), most_people=2)

    assert (report.total, report.others, len(report.people)) == (4, 1, 2)


@pytest.mark.parametrize(
    ("busy", "peak", "dead"),
    [
        ({18: 5, 19: 7, 20: 5, 9: 1}, (18, 21), (21, 9)),
        ({23: 5, 0: 7, 1: 5}, (23, 2), (2, 23)),
        ({3: 1}, (1, 4), (4, 3)),
        (dict.fromkeys(range(24), 1), (0, 3), None),
    ],
)
def test_midnight_is_no_border(busy: dict[int, int], peak: tuple[int, int], dead: tuple[int, int] | None) -> None:
    hours = [busy.get(hour, 0) for hour in range(24)]

    assert (peak_of(hours), dead_of(hours)) == (peak, dead)


@given(gaps)
def test_one_pass_says_what_the_whole_log_says(steps: list[tuple[int, str]]) -> None:
    requests, now = [], 0
    for step, user in steps:
        now += step
        requests.append(Request(at=NOON + timedelta(milliseconds=now), user=user))

    report = counted(*requests)

    runs, gaps_ms = _by_hand(requests)
    bursts = [run for run in runs if run >= 3]
    assert (report.bursts.count, report.bursts.largest) == (len(bursts), max(bursts, default=0))
    assert sum(report.hours) == sum(report.weekdays.values()) == sum(report.by_day.values()) == len(requests)
    median = report.median_gap
    assert (median / timedelta(milliseconds=1) if median is not None else None) == (
        statistics.median(gaps_ms) if gaps_ms else None
    )


def _by_hand(requests: Iterable[Request]) -> tuple[list[int], list[float]]:
    of_user = defaultdict(list)
    for request in requests:
        of_user[request.user].append(request.at)
    runs, found = [], []
    for times in of_user.values():
        run = 1
        for earlier, later in pairwise(times):
            close = later - earlier <= timedelta(minutes=5)
            found += [(later - earlier) / timedelta(milliseconds=1)] if close else []
            runs += [] if close else [run]
            run = run + 1 if close else 1
        runs.append(run)
    return runs, found


def test_memory_does_not_grow_with_the_log() -> None:
    short, long = (_peak_bytes(rows) for rows in (4_000, 16_000))

    assert long < 1.1 * short


def _peak_bytes(rows: int) -> int:
    tracemalloc.start()
    try:
        tally, replay = Tally(), Replay(Assumptions())
        for row in range(rows):
            request = at(row * 0.25, f"u{row % 50}")
            tally.add(request)
            replay.add(request)
        tally.report()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
