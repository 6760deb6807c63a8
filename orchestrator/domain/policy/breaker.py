"""When an API that fails is left alone for a while, so that people are not sent to it one after another."""

from dataclasses import dataclass, replace

FAILURES = 3
"""In a row, until it is left alone."""

FIRST_S = 60.0
LONGEST_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """
    Attributes:
        failures: In a row.
        open_until: It is left alone until then, in seconds of any clock that runs evenly.
    """

    failures: int = 0
    open_until: float = 0.0

    def allows(self, now: float) -> bool:
        return now >= self.open_until

    def failed(self, now: float, *, retry_after_s: float | None = None) -> "Breaker":
        """One more failure; it may have said itself when it wants to be asked again."""
        failures = self.failures + 1
        pause = 0.0 if failures < FAILURES else min(FIRST_S * 2 ** (failures - FAILURES), LONGEST_S)
        pause = max(pause, min(retry_after_s or 0.0, LONGEST_S))
        return replace(self, failures=failures, open_until=max(self.open_until, now + pause))
