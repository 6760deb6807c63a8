"""Money as integer micro-dollars: sums of many small prices stay exact."""

from datetime import timedelta
from typing import NewType

MicroUsd = NewType("MicroUsd", int)
MicroUsdPerHour = NewType("MicroUsdPerHour", int)

MICRO = 1_000_000
_HOUR_US = 3_600 * MICRO


def micro_usd(dollars: float) -> MicroUsd:
    """Turn dollars from outside (a price list, a setting) into micro-dollars."""
    return MicroUsd(round(dollars * MICRO))


def micro_usd_per_hour(dollars: float) -> MicroUsdPerHour:
    return MicroUsdPerHour(round(dollars * MICRO))


def dollars(amount: MicroUsd | MicroUsdPerHour) -> float:
    """For display and JSON alone; never calculate with it."""
    return amount / MICRO


def price_of(rate: MicroUsdPerHour, span: timedelta) -> MicroUsd:
    """What *span* costs at *rate*, rounded up: a reservation must not be short."""
    microseconds = max(span, timedelta()) // timedelta(microseconds=1)
    return MicroUsd(-(-rate * microseconds // _HOUR_US))
