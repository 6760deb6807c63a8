"""When a second machine is tried beside one that takes long: past three in four of that cloud's own cold starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain.estimates import FEWEST, Guess, quantile

LATE = 0.75
"""Share of earlier cold starts that were faster."""

USUAL = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedging:
    """
    Attributes:
        per_hour: Second machines of all sessions together; 0 switches hedging off.
        not_before: Age of a cold start below which nobody hedges, however fast the others were.
    """

    per_hour: int
    not_before: timedelta


def hedge_at(ordered_at: datetime, cold_starts: Sequence[float], guessed: Guess, rule: Hedging) -> datetime:
    """
    When a cold start that began at *ordered_at* counts as late.

    Args:
        cold_starts: Seconds that this cloud's machines took from the order until they were ready.
        guessed: A whole cold start, for a cloud without a history.
    """
    known = sorted(cold_starts)
    late = quantile(known, LATE) if len(known) >= FEWEST else guessed.high
    return ordered_at + max(timedelta(seconds=late), rule.not_before)


def would_win(left: Guess, cold_starts: Sequence[float], guessed: Guess) -> bool:
    """Whether a fresh machine would usually be ready before the late one, which has *left* to go."""
    known = sorted(cold_starts)
    usual = quantile(known, USUAL) if len(known) >= FEWEST else (guessed.low + guessed.high) / 2
    return usual < left.high


def free_at(hedged: Sequence[datetime], now: datetime, rule: Hedging) -> datetime | None:
    """When the next second machine may be tried; None when never. *hedged* are the times of the earlier ones."""
    if rule.per_hour <= 0:
        return None
    recent = sorted(at for at in hedged if now - at < timedelta(hours=1))
    return now if len(recent) < rule.per_hour else recent[-rule.per_hour] + timedelta(hours=1)
