"""When each step of a cold start ran, counted from the request: which the picture waited for, how even they are."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.domain.stages import AHEAD

BEFORE = "before"
"""What lies before the first step: waiting for an offer, and machines that were lost."""

LEAST_BEFORE_S = 0.5
"""Our own time is less."""

JITTER_S = 0.25
"""
A step may be noted this much later than it ended, when the next one runs already; and steps that begin as one may be
noted this much apart.
"""

FEWEST = 2
"""One time has no spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """
    One step of one run.

    Attributes:
        started_s: Since the request.
        moved: Bytes, 0 where the step moves none.
        is_done: It came to its end; else the run ended while it ran.
        has_failed: It was found wanting, by its limit or by the machine's own word: no bystander of another's end.
    """

    step: str
    started_s: float
    seconds: float
    moved: int = 0
    is_done: bool = True
    has_failed: bool = False

    @property
    def ended_s(self) -> float:
        return self.started_s + self.seconds

    @property
    def mb_s(self) -> float | None:
        """Megabytes (10^6 bytes) a second, from the step's start to its end; None where nothing moved."""
        return self.moved / 1e6 / self.seconds if self.moved and self.seconds > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """
    One run.

    Attributes:
        spans: The steps that began, of the machine that made the picture or else of the last one.
        total_s: From the request to the picture, or to the failure.
        made: There is a picture.
    """

    spans: tuple[Span, ...]
    total_s: float
    made: bool

    @property
    def ended_in(self) -> str | None:
        """
        The step in which a run without a picture ended; None where there is one, or no step began.

        That is the one that failed. Where none did, the machine was lost: of the steps that ran side by side it is the
        one that began last, and of those that began as one, the later in their order. Steps that only save time ahead
        are named where nothing else ran.
        """
        if self.made or not self.spans:
            return None
        open_spans = [span for span in self.spans if not span.is_done] or list(self.spans)
        needed = [span for span in open_spans if span.step not in AHEAD] or open_spans
        failed = [span for span in needed if span.has_failed]
        if failed:
            return min(failed, key=lambda span: span.ended_s).step
        last_s = max(span.started_s for span in needed)
        return [span for span in needed if span.started_s >= last_s - JITTER_S][-1].step

    def with_before(self) -> tuple[Span, ...]:
        """The spans, and before them the time until the first one, where it is worth a line."""
        first = min((span.started_s for span in self.spans), default=0.0)
        if first < LEAST_BEFORE_S:
            return self.spans
        return (Span(step=BEFORE, started_s=0.0, seconds=first), *self.spans)

    def waited_for(self) -> frozenset[str]:
        """
        The critical path: had one of these steps been shorter, the picture would have come earlier.

        Read backwards from the times alone: a step waited for the one that ended last before it began. Of two steps
        side by side only the later one is here. Empty without a picture.
        """
        spans = self.with_before()
        path: list[Span] = []
        now = max(spans, key=lambda span: span.ended_s, default=None) if self.made else None
        while now is not None:
            path.append(now)
            now = _previous(now, spans)
        return frozenset(span.step for span in path)


def _previous(step: Span, spans: Iterable[Span]) -> Span | None:
    over = [span for span in spans if span.started_s < step.started_s and span.ended_s <= step.started_s + JITTER_S]
    return max(over, key=lambda span: span.ended_s, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFigures:
    """
    One step over all runs in which it came to its end.

    Attributes:
        runs: How many these are.
        started_s: Median, since the request.
        spread_s: Between the quarter of the fastest and the quarter of the slowest; None under two runs.
        variation: Standard deviation / mean; None under two runs.
        moved: Bytes, median of the runs that moved any; 0 where none did.
        mb_s: Median of the same runs, megabytes a second; None where none did.
        waited_for: In how many runs with a picture it is on the critical path.
    """

    step: str
    runs: int
    started_s: float
    median_s: float
    spread_s: float | None
    variation: float | None
    moved: int
    mb_s: float | None
    waited_for: int


def by_step(runs: Sequence[Timeline]) -> tuple[StepFigures, ...]:
    """In the order in which they usually begin."""
    spans: dict[str, list[Span]] = {}
    for run in runs:
        for span in run.with_before():
            if span.is_done:
                spans.setdefault(span.step, []).append(span)
    paths = [run.waited_for() for run in runs]
    figures = [_figures(step, each, sum(step in path for path in paths)) for step, each in spans.items()]
    return tuple(sorted(figures, key=lambda each: (each.started_s, each.started_s + each.median_s)))


def _figures(step: str, spans: Sequence[Span], waited_for: int) -> StepFigures:
    seconds = [span.seconds for span in spans]
    moved = [span.moved for span in spans if span.moved]
    speeds = [span.mb_s for span in spans if span.mb_s is not None]
    return StepFigures(
        step=step,
        runs=len(spans),
        started_s=statistics.median(span.started_s for span in spans),
        median_s=statistics.median(seconds),
        spread_s=_spread(seconds),
        variation=_variation(seconds),
        moved=round(statistics.median(moved)) if moved else 0,
        mb_s=statistics.median(speeds) if speeds else None,
        waited_for=waited_for,
    )


def _spread(seconds: Sequence[float]) -> float | None:
    if len(seconds) < FEWEST:
        return None
    low, _, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return high - low


def _variation(seconds: Sequence[float]) -> float | None:
    mean = statistics.fmean(seconds)
    return statistics.stdev(seconds) / mean if len(seconds) >= FEWEST and mean > 0 else None


def usual(runs: Sequence[Timeline]) -> Timeline | None:
    """The run in the middle of those with a picture, else the one that lasted longest; None where no step began."""
    begun = [run for run in runs if run.spans]
    made = sorted((run for run in begun if run.made), key=lambda run: run.total_s)
    if made:
        return made[(len(made) - 1) // 2]
    return max(begun, key=lambda run: run.total_s, default=None)
