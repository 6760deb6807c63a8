"""Numbers in words: money, spans of time, ranges, bytes, places in a queue."""

import math
from datetime import timedelta

from orchestrator.api import Eta, MicroUsd, MicroUsdPerHour, dollars

TIMES = "\u00d7"
"""Between a width and a height."""

ORDINALS = ("next", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def usd(amount: float) -> str:
    """``$0.17``, ``$0.0013``: cents, and two figures where it is less than ten of them."""
    if amount <= 0:
        return "$0"
    if amount < 0.0001:
        return "under $0.0001"
    if amount >= 0.0995:
        return f"${amount:.2f}"
    return f"${float(f'{amount:.2g}'):.6f}".rstrip("0")


def price(amount: MicroUsd | MicroUsdPerHour) -> str:
    return usd(dollars(amount))


def cost_of(rate: MicroUsdPerHour, span: timedelta) -> MicroUsd:
    """What *span* costs at *rate*, rounded up; for display before it is spent."""
    return MicroUsd(math.ceil(rate * max(span.total_seconds(), 0) / 3600))


def span(seconds: float) -> str:
    """``3.1 s``, ``14 s``, ``1:48``, ``1 h 05``."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02}"
    return f"{whole // 3600} h {whole % 3600 // 60:02}"


def clock_span(seconds: float) -> str:
    """``0:48``: a moment counted from the beginning."""
    whole = max(int(seconds), 0)
    return f"{whole // 60}:{whole % 60:02}"


def minutes(span: timedelta) -> str:
    whole = max(round(span.total_seconds() / 60), 0)
    return "1 minute" if whole == 1 else f"{whole} minutes"


def guess(low: float, high: float) -> str:
    """A range of seconds, no finer than it can be known: ``12-20 s``, ``2-4 min``, ``about 6 s``."""
    if high < 90:
        first, last, unit = math.ceil(low), math.ceil(high), "s"
    else:
        first, last, unit = math.floor(low / 60), math.ceil(high / 60), "min"
    if first >= last or first < 1:
        return f"about {max(last, 1)} {unit}"
    return f"{first}-{last} {unit}"


def left(eta: Eta, elapsed: timedelta) -> tuple[float, float]:
    """Seconds that are left of a guess, after *elapsed* since it was made."""
    low, high = ((end - elapsed).total_seconds() for end in (eta.low, eta.high))
    return max(low, 0.0), max(high, 0.0)


def gigabytes(done: int, total: int) -> str:
    """``12.4 of 34.5 GB``, in the larger number's unit."""
    unit, size = ("GB", 1e9) if total >= 1e9 else ("MB", 1e6)
    return f"{done / size:.1f} of {total / size:.1f} {unit}"


def megabytes(count: int) -> str:
    """``328 MB``, ``1.2 GB``."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 0.1):.{0 if count >= 1e7 else 1}f} MB"


def rate(bytes_per_second: int) -> str:
    return f"{bytes_per_second / 1e6:.0f} MB/s" if bytes_per_second >= 1e6 else f"{bytes_per_second / 1e3:.0f} kB/s"


def ordinal(position: int) -> str:
    return ORDINALS[position - 1] if 1 <= position <= len(ORDINALS) else f"number {position}"


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def clipped(text: str, length: int) -> str:
    """*text* on one line, with an ellipsis where it was longer."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
