"""When a download counts as too slow."""

from datetime import timedelta

from orchestrator.control.machine_agent import Progress
from orchestrator.control.stopwatch import Floor

WINDOW = timedelta(seconds=10)
TOTAL = 10_000


def verdicts(*seen: tuple[float, int]) -> list[bool]:
    """What a floor of 100 bytes a second says to each moment and the bytes that are there by then."""
    floor = Floor(100, WINDOW)
    return [floor.is_too_slow(at, Progress(bytes_done=done, bytes_total=TOTAL, rate_bps=0)) for at, done in seen]


def test_nothing_is_too_slow_before_a_whole_window_has_passed() -> None:
    assert verdicts((0, 0), (5, 1), (9.9, 2)) == [False, False, False]


def test_slower_than_the_floor_over_a_window_is_too_slow() -> None:
    assert verdicts((0, 0), (5, 400), (10, 900)) == [False, False, True]


def test_just_the_floor_is_fast_enough() -> None:
    assert verdicts((0, 0), (10, 1000), (20, 2000)) == [False, False, False]


def test_fast_beginning_does_not_excuse_what_follows() -> None:
    assert verdicts((0, 0), (1, 5000), (6, 5000), (12, 5001)) == [False, False, False, True]


def test_slow_beginning_is_forgotten_once_it_is_fast() -> None:
    assert verdicts((0, 0), (9, 10), (10, 4000), (20, 8000)) == [False, False, False, False]


def test_checksums_at_the_end_take_as_long_as_they_take() -> None:
    assert verdicts((0, 9000), (9, TOTAL), (60, TOTAL), (90, TOTAL)) == [False, False, False, False]


def test_bytes_that_had_to_be_thrown_away_begin_a_new_window() -> None:
    assert verdicts((0, 5000), (9, 2000), (15, 2100), (19, 2200)) == [False, False, False, True]
