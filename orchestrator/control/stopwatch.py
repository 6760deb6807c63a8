"""Times the steps of one preparation and reports them, at most a few times a second. Used by the preparer alone."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.control.machine_agent import Progress
from orchestrator.domain.stages import Stage, StageState, Step
from orchestrator.ports.clock import Clock

MOST_SEEN = 100
"""What is remembered of a window, however often a machine says how far it is."""

LEAST_MEASURED = timedelta(seconds=1)
"""What came in less says nothing about a link."""

REPORT_EVERY = timedelta(milliseconds=300)

Report = Callable[[Stage], Awaitable[None]]


class Stopwatch:
    """
    The stages of one machine, as they go.

    A step that was done before a crash of ours keeps its old times and is not reported again: finding it done is
    no work worth telling. One that was under way goes on from when it began.
    """

    def __init__(self, clock: Clock, report: Report, earlier: Iterable[Stage]) -> None:
        self._clock = clock
        self._report = report
        self._stages = {stage.step: stage for stage in earlier}
        self._told_at = 0.0
        self._meters: dict[Step, Meter] = {}
        self._measured: dict[Step, int] = {}

    def now(self) -> datetime:
        return self._clock.now()

    async def begin(self, step: Step, *, bytes_total: int = 0) -> None:
        known = self._stages.get(step)
        if known is not None and known.state is StageState.DONE:
            return
        began = known.started_at if known is not None and known.started_at else self._clock.now()
        await self._tell(Stage(step=step, state=StageState.RUNNING, started_at=began, bytes_total=bytes_total))

    async def progress(self, step: Step, progress: Progress, *, link: Progress | None = None) -> None:
        """
        Report how far it is, unless that was just done; the bytes never fall.

        Args:
            link: The same with all that has come by the link meanwhile, by which that is measured.
        """
        now = asyncio.get_running_loop().time()
        stage = self._stages[step]
        self._meters.setdefault(step, Meter()).note(now, link or progress)
        if stage.state is StageState.DONE or now - self._told_at < REPORT_EVERY.total_seconds():
            return
        self._told_at = now
        total = stage.bytes_total or progress.bytes_total  # ours, where we know it: a machine may say anything
        done = min(max(progress.bytes_done, stage.bytes_done), total)
        await self._tell(replace(stage, bytes_done=done, bytes_total=total, rate_bps=progress.rate_bps))

    def measured(self, step: Step, bytes_per_s: int) -> None:
        """Take note of what a sample showed of the link: it is reported when *step* ends, as what its bytes showed."""
        self._measured[step] = bytes_per_s

    async def end(self, step: Step) -> None:
        """Report that it is done; one that never began, by a machine's word, is not told of."""
        stage = self._stages.get(step)
        if stage is None or stage.state is StageState.DONE:
            return
        ended = replace(stage, state=StageState.DONE, ended_at=self._clock.now(), rate_bps=self._link(step))
        await self._tell(replace(ended, bytes_done=stage.bytes_total))

    async def took(self, step: Step, began: datetime) -> None:
        """Report a step that nobody waits for once it is done: while it runs it is no news."""
        await self._tell(Stage(step=step, state=StageState.DONE, started_at=began, ended_at=self._clock.now()))

    async def fail(self, step: Step) -> None:
        stage = self._stages.get(step) or Stage(step=step, state=StageState.RUNNING, started_at=self._clock.now())
        ended_at, link = self._clock.now(), self._link(step)
        await self._tell(replace(stage, state=StageState.FAILED, ended_at=ended_at, rate_bps=link))

    def bytes_done(self, step: Step) -> int:
        stage = self._stages.get(step)
        return stage.bytes_done if stage is not None else 0

    def _link(self, step: Step) -> int:
        meter = self._meters.get(step)
        return self._measured.get(step, 0 if meter is None else meter.bytes_per_s)

    async def _tell(self, stage: Stage) -> None:
        self._stages[stage.step] = stage
        await self._report(stage)


class Meter:
    """
    Measures a link by one download: only what came after the first word of it counts.

    What was there before did not come by this link, and checksums at the end are no work of it.
    """

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last = (0.0, 0)

    def note(self, now: float, progress: Progress) -> None:
        """Take note of *progress*; as :meth:`Floor.is_too_slow`."""
        if self._first is None or progress.bytes_done < self._last[1]:
            self._first = self._last = now, progress.bytes_done
        elif self._last[1] < progress.bytes_total:
            self._last = now, progress.bytes_done

    @property
    def bytes_per_s(self) -> int:
        """0 when too little was seen to tell."""
        if self._first is None:
            return 0
        seconds, count = self._last[0] - self._first[0], self._last[1] - self._first[1]
        return round(count / seconds) if seconds >= LEAST_MEASURED.total_seconds() else 0


class Beginning:
    """Says once whether the first *window* of a download, from its first byte on, was slower than *bytes_per_s*."""

    def __init__(self, bytes_per_s: int, window: timedelta) -> None:
        self._bytes_per_s = bytes_per_s
        self._window = window.total_seconds()
        self._there = self._last = -1
        self._began: tuple[float, int] | None = None
        self._is_over = False

    def is_too_slow(self, now: float, progress: Progress) -> bool:
        """Take note of *progress*; as :meth:`Floor.is_too_slow`."""
        done = progress.bytes_done
        if self._there < 0 or done < self._last:  # what was there before, or is still there after wrong bytes
            self._there, self._began = done, None
        self._last, self._is_over = done, self._is_over or done >= progress.bytes_total
        if self._is_over or done == self._there:
            return False
        began, before = self._began = self._began or (now, done)
        self._is_over = now - began >= self._window
        return self._is_over and done - before < self._bytes_per_s * (now - began)


class Floor:
    """Says when a download has been slower than *bytes_per_s* for the whole of *window*."""

    def __init__(self, bytes_per_s: int, window: timedelta) -> None:
        self._bytes_per_s = bytes_per_s
        self._window = window.total_seconds()
        self._apart = self._window / MOST_SEEN
        self._seen: deque[tuple[float, int]] = deque()

    def is_too_slow(self, now: float, progress: Progress) -> bool:
        """
        Take note of *progress*.

        Args:
            now: Seconds on any clock that does not jump.
            progress: Once all bytes are there only checksums are missing, which no link makes slower.
        """
        if progress.bytes_done >= progress.bytes_total or (self._seen and progress.bytes_done < self._seen[-1][1]):
            self._seen.clear()
        if not self._seen or now - self._seen[-1][0] >= self._apart:
            self._seen.append((now, progress.bytes_done))
        while len(self._seen) > 1 and now - self._seen[1][0] >= self._window:
            self._seen.popleft()
        began, before = self._seen[0]
        spent = now - began
        return spent >= self._window and progress.bytes_done - before < self._bytes_per_s * spent
