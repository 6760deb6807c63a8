"""Quantiles of any number of durations, in memory that does not grow with them. Pure."""

from collections import Counter

_PER_SECOND = 10
_EXACT = 10_000


class Quantiles:
    """Durations, rounded to 0.1 s; above 1,000 s to four digits."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        tenths = round(seconds * _PER_SECOND)
        unit = 1
        while tenths >= _EXACT * unit:
            unit *= 10
        self._counts[tenths // unit * unit] += 1

    @property
    def count(self) -> int:
        return self._counts.total()

    def at(self, share: float) -> float | None:
        """The smallest duration (seconds) that at least *share* of them do not exceed; None without any."""
        left = share * self.count
        for tenths in sorted(self._counts):
            left -= self._counts[tenths]
            if left <= 0:
                return tenths / _PER_SECOND
        return None
