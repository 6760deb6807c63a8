"""How long it will take: ranges from what earlier machines took. Pure; a guess is always said as a range."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.stages import AHEAD, Stage, StageState, Step, needed, needed_in_all

Seconds = tuple[float, float]
"""Low and high end."""

FEWEST = 3
"""Runs from which one may say what is usual: two are no distribution."""

WONDERS_AFTER = 5.0
"""Seconds that nobody wonders about, however quick it usually is."""

REAL_CLOUD: Mapping[Step, Seconds] = {
    Step.PROVISION: (1, 5),
    Step.BOOT: (15, 60),
    Step.SSH: (5, 20),
    Step.AGENT: (1, 5),
    Step.COMFYUI: (60, 150),
    Step.MODELS: (120, 420),
    Step.SMOKE: (10, 30),
}
"""Before there is any history: what the first user measured on a market, and half of it."""

SANDBOX: Mapping[Step, Seconds] = {
    Step.PROVISION: (0, 1),
    Step.BOOT: (1, 5),
    Step.SSH: (0, 2),
    Step.AGENT: (0, 1),
    Step.COMFYUI: (1, 4),
    Step.MODELS: (3, 8),
    Step.SMOKE: (1, 3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """Seconds left: *low* when the steps left go as the quicker half did, *high* as nine in ten did."""

    low: float
    high: float


def cold_start_left(
    stages: Iterable[Stage],
    history: Mapping[str, Sequence[float]],
    prior: Mapping[Step, Seconds],
    now: datetime,
) -> Guess:
    """
    Time until the machine is ready: along the longest path of steps that are not yet done.

    One of which nothing was told though a later one has begun is left out here.
    """
    by_step = {stage.step: stage for stage in stages}
    begun = [step for step, stage in by_step.items() if stage.state is not StageState.WAITING]
    behind = frozenset[Step]().union(*(needed_in_all(step) for step in begun)).difference(begun)
    left: dict[Step, Guess] = {}
    for step in Step:
        stage = by_step.get(step)
        is_done = stage is not None and stage.state is StageState.DONE
        if not is_done and step not in AHEAD | behind:
            left[step] = _step_left(stage, _usual(step, history, prior), now)
    return Guess(
        low=longest_path({step: guess.low for step, guess in left.items()}),
        high=longest_path({step: guess.high for step, guess in left.items()}),
    )


def longest_path(seconds: Mapping[Step, float]) -> float:
    """How long the steps of *seconds* take together, each beginning when what it needs is done."""
    ends: dict[Step, float] = {}

    def end(step: Step) -> float:
        if step not in ends:
            ends[step] = seconds[step] + max((end(need) for need in needed(step, seconds)), default=0.0)
        return ends[step]

    return max((end(step) for step in seconds), default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """Attributes: is_measured: Nine in ten of earlier machines were faster; else it is only slower than we guessed."""

    stage: Stage
    is_measured: bool


def slow_step(
    stages: Iterable[Stage],
    history: Mapping[str, Sequence[float]],
    prior: Mapping[Step, Seconds],
    now: datetime,
) -> Slow | None:
    """Find the running step that takes longer than it nearly always does; of several the one that began last."""
    found: Slow | None = None
    for stage in stages:
        if stage.state is not StageState.RUNNING:
            continue
        _, high = _usual(stage.step, history, prior)
        if high > 0 and (stage.seconds(now) or 0) > max(high, WONDERS_AFTER):
            found = Slow(stage=stage, is_measured=len(history.get(stage.step, ())) >= FEWEST)
    return found


def _usual(step: Step, history: Mapping[str, Sequence[float]], prior: Mapping[Step, Seconds]) -> Seconds:
    past = sorted(history.get(step, ()))
    if len(past) < FEWEST:
        return prior.get(step, (0, 0))
    return quantile(past, 0.25), quantile(past, 0.9)


def _step_left(stage: Stage | None, usual: Seconds, now: datetime) -> Guess:
    low, high = usual
    if stage is None or stage.started_at is None:
        return Guess(low=low, high=high)
    if stage.bytes_total and stage.rate_bps and stage.bytes_done:
        seconds = (stage.bytes_total - stage.bytes_done) / stage.rate_bps
        return Guess(low=seconds * 0.8, high=seconds * 1.5)
    gone = stage.seconds(now) or 0
    return Guess(low=max(low - gone, 0), high=max(high - gone, high * 0.2))


def quantile(ordered: Sequence[float], q: float) -> float:
    """The *q* quantile of values in ascending order; nearest rank."""
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)]
