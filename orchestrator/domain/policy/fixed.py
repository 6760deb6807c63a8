"""Policies that follow one rule whatever happens: what others do, and what is held against them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.domain.snapshot import SessionSnapshot

WITHOUT_REQUESTS = timedelta(minutes=2)
"""A machine that was rented for what no API can make is given back so soon, where else none is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """
    Rent when *requests* of one person came within *window*, give back *keep* after the last one.

    Attributes:
        idle_timeout: The upper bound of *keep*.
    """

    requests: int
    window: timedelta
    keep: timedelta
    idle_timeout: timedelta

    @property
    def name(self) -> str:
        return f"fixed({self.requests},{self.window.total_seconds():g},{self.keep.total_seconds():g})"

    def wants_machine(self, snapshot: SessionSnapshot, now: datetime) -> bool:
        if snapshot.waiting:
            return True
        is_due = self.within(snapshot.evidence.recent) >= self.requests
        return is_due and snapshot.goes_on and now < self.warm_until(snapshot)

    def within(self, recent: Sequence[float]) -> int:
        """How many of a person's requests came within the window that ends with the last one."""
        return sum(recent[-1] - at < self.window.total_seconds() for at in recent)

    def warm_until(self, snapshot: SessionSnapshot) -> datetime:
        return snapshot.session.last_request_at + min(self.keep, self.idle_timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeOnly:
    """A managed API makes all that it can; a machine is rented for the rest alone, and kept for little more."""

    idle_timeout: timedelta
    name: str = "bridge-only"

    def wants_machine(self, snapshot: SessionSnapshot, now: datetime) -> bool:  # noqa: ARG002 - as every policy
        return bool(snapshot.waiting)

    def warm_until(self, snapshot: SessionSnapshot) -> datetime:
        return snapshot.session.last_request_at + min(WITHOUT_REQUESTS, self.idle_timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlwaysOn:
    """
    Rent at a person's first request in the hours of each day, and keep the machine until they are over.

    Attributes:
        begins: Hour of the day, UTC.
        hours: 24 never gives it back.
    """

    begins: int
    hours: int
    idle_timeout: timedelta

    @property
    def name(self) -> str:
        return "always-on(24)" if self.hours >= DAY_HOURS else f"always-on({self.begins}-{self._ends})"

    @property
    def _ends(self) -> int:
        return (self.begins + self.hours) % DAY_HOURS

    def wants_machine(self, snapshot: SessionSnapshot, now: datetime) -> bool:
        return bool(snapshot.waiting) or now < self._end_of_hours(snapshot.session.last_request_at)

    def warm_until(self, snapshot: SessionSnapshot) -> datetime:
        last = snapshot.session.last_request_at
        return max(self._end_of_hours(last), last + self.idle_timeout)

    def _end_of_hours(self, at: datetime) -> datetime:
        """When the hours end that *at* lies in; *at* itself where it lies in none."""
        if self.hours >= DAY_HOURS:
            return at + FOR_GOOD
        begun = at.replace(hour=self.begins, minute=0, second=0, microsecond=0)
        if begun > at:
            begun -= timedelta(days=1)
        return max(begun + timedelta(hours=self.hours), at)


DAY_HOURS = 24
FOR_GOOD = timedelta(days=3650)
