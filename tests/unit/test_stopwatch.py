"""When a download counts as too slow, and what is believed of what a machine says about its steps."""

import asyncio
from datetime import timedelta

from orchestrator.adapters.system import SystemClock
from orchestrator.control.machine_agent import Progress
from orchestrator.control.stopwatch import MOST_SEEN, Beginning, Floor, Meter, Stopwatch
from orchestrator.domain.stages import Stage, Step
from tests import virtual_time

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


# The first seconds.


def first_verdicts(*seen: tuple[float, int]) -> list[bool]:
    """As :func:`verdicts`, of the beginning alone."""
    beginning = Beginning(100, WINDOW)
    return [beginning.is_too_slow(at, Progress(bytes_done=done, bytes_total=TOTAL, rate_bps=0)) for at, done in seen]


def test_a_download_that_begins_slower_than_the_floor_is_too_slow_after_its_first_window() -> None:
    assert first_verdicts((0, 0), (1, 10), (6, 400), (11, 900)) == [False, False, False, True]


def test_the_first_window_begins_with_the_first_byte() -> None:
    assert first_verdicts((0, 0), (30, 0), (31, 50), (40, 60), (41, 60)) == [False, False, False, False, True]


def test_what_was_there_before_is_no_first_byte() -> None:
    assert first_verdicts((0, 5000), (30, 5000), (31, 5001), (41, 5002)) == [False, False, False, True]


def test_a_download_that_begins_well_is_judged_by_longer_windows_from_then_on() -> None:
    assert first_verdicts((0, 0), (1, 10), (11, 1010), (40, 1011)) == [False, False, False, False]


def test_what_is_complete_within_the_first_window_is_fast_enough() -> None:
    assert first_verdicts((0, 9_990), (1, 9_995), (5, TOTAL), (30, TOTAL)) == [False, False, False, False]


def test_bytes_thrown_away_in_the_first_window_begin_a_new_one() -> None:
    seen = ((0, 0), (1, 10), (8, 5000), (9, 20), (10, 30), (12, 40), (20, 50))

    assert first_verdicts(*seen) == [False, False, False, False, False, False, True]


# How fast it was.


def metered(*seen: tuple[float, int]) -> int:
    meter = Meter()
    for at, done in seen:
        meter.note(at, Progress(bytes_done=done, bytes_total=TOTAL, rate_bps=10**9))
    return meter.bytes_per_s


def test_a_link_is_measured_by_what_came_since_the_first_word() -> None:
    assert metered((5, 2000), (7, 2600), (15, 7000)) == 500


def test_checksums_after_the_last_byte_slow_no_link() -> None:
    assert metered((0, 0), (10, TOTAL), (90, TOTAL)) == 1000


def test_bytes_thrown_away_begin_a_new_measurement() -> None:
    assert metered((0, 0), (10, 9000), (20, 1000), (25, 2000)) == 200


def test_less_than_a_second_measures_nothing() -> None:
    assert metered((0, 0), (0.9, 9000)) == metered((0, 9000)) == metered() == 0


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


async def test_a_step_that_ends_tells_how_fast_the_link_was_and_so_does_one_that_fails() -> None:
    told = Told()
    for step in (Step.AGENT, Step.TORCH):
        await told.watch.begin(step)
        told.watch.measured(step, 5_000)

    await told.watch.end(Step.AGENT)
    await told.watch.fail(Step.TORCH)

    assert [stage.rate_bps for stage in told.stages] == [0, 0, 5_000, 5_000]


async def test_what_moved_nothing_measured_nothing() -> None:
    told = Told()
    await told.watch.begin(Step.MODELS, bytes_total=TOTAL)

    await told.watch.progress(Step.MODELS, Progress(bytes_done=TOTAL, bytes_total=TOTAL, rate_bps=10**9))
    await told.watch.end(Step.MODELS)

    assert told.stages[-1].rate_bps == 0


def test_what_came_beside_a_download_came_by_the_same_link() -> None:
    told = Told()

    async def download() -> None:
        await told.watch.begin(Step.MODELS, bytes_total=TOTAL)
        for done, beside in ((0, 0), (5_000, 2_000)):
            progress = Progress(bytes_done=done, bytes_total=TOTAL, rate_bps=1)
            await told.watch.progress(Step.MODELS, progress, link=progress.with_more(beside))
            await asyncio.sleep(10)
        await told.watch.end(Step.MODELS)

    virtual_time.run(download())

    assert told.stages[-1].rate_bps == 700
    assert max(stage.bytes_done for stage in told.stages[:-1]) == 5_000
