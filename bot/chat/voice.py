"""How a surface says moments: in words that stay, or in marks that its clients turn into a running countdown."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M} UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """
    Attributes:
        clock: Says a moment as a time of day.
        countdown: Says how far a moment is away, such that it stays true without an edit; None where nothing can.
    """

    clock: Callable[[datetime], str] = utc
    countdown: Callable[[datetime], str] | None = None
