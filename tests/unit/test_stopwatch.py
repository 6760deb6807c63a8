"""When a download counts as too slow, and what is believed of what a machine says about its steps."""

from datetime import timedelta

from orchestrator.adapters.system import SystemClock
from orchestrator.control.machine_agent import Progress
from orchestrator.control.stopwatch import MOST_SEEN, Floor, Stopwatch
from orchestrator.domain.stages import Stage, Step

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


def test_a_machine_that_says_every_moment_how_far_it_is_fills_no_memory() -> None:
    floor = Floor(100, WINDOW)

    for moment in range(100_000):
        floor.is_too_slow(moment / 1000, Progress(bytes_done=moment % 9000, bytes_total=TOTAL, rate_bps=0))

    assert len(floor._seen) <= MOST_SEEN + 2


# What a machine says of its own steps.


class Told:
    """Attributes: stages: Every report of one stopwatch, in order."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.watch = Stopwatch(SystemClock(), self.note, ())

    async def note(self, stage: Stage) -> None:
        self.stages.append(stage)


async def test_a_step_that_never_began_does_not_end() -> None:
    told = Told()

    await told.watch.end(Step.TORCH)

    assert told.stages == []


async def test_our_own_count_of_the_bytes_stands_whatever_a_machine_says() -> None:
    told = Told()
    await told.watch.begin(Step.MODELS, bytes_total=TOTAL)

    await told.watch.progress(Step.MODELS, Progress(bytes_done=2**52, bytes_total=2**52, rate_bps=1))

    assert (told.stages[-1].bytes_done, told.stages[-1].bytes_total) == (TOTAL, TOTAL)
