"""
What a month costs: the first user's estimates by their own arithmetic, and what a replay of a log says of each. Pure.

He compared one machine that is on at fixed hours with one that is rented when somebody asks. A replay takes requests
one after the other, in the order of time, and keeps no more than a number a person.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orchestrator.domain.activity import MOST_PEOPLE, Request, days_between
from orchestrator.domain.quantiles import Quantiles
from orchestrator.domain.traffic import HIS_PICTURE, HIS_RUN, HIS_SUCCESS_RATE, IDLE, MONTH

MONTH_DAYS = MONTH // timedelta(days=1)

SESSIONS_A_DAY = 4
ACTIVE = timedelta(minutes=10)
HIS_START = timedelta(minutes=10)
"""What his estimate takes for a cold start: about $6 a month are 120 of them, ten minutes each."""

HIS_MARGIN = 1.4
"""From $18, the sum of his estimate, to its upper end, $25; he gave no reason for that end."""

SSH_PATIENCE = timedelta(minutes=5)
"""How long his one machine without SSH was waited for."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """
    What a replay takes for granted.

    Attributes:
        usd_hour: Of a machine.
        bridge_usd: A picture of a managed API; None without one.
        cold_start: From the order until a machine takes the first request.
        generate: One picture on it.
        idle: Without a picture to make for so long, a rented machine is given back.
        failed_tries: Machines that fail before one works.
        failed_try: How long one of those is paid for.
    """

    usd_hour: float = 0.30
    bridge_usd: float | None = None
    cold_start: timedelta = HIS_RUN
    generate: timedelta = HIS_PICTURE
    idle: timedelta = IDLE
    failed_tries: float = 1 / HIS_SUCCESS_RATE - 1
    failed_try: timedelta = (SSH_PATIENCE + 3 * HIS_RUN / 2) / 4
    """His four: one that never opened SSH, three that vanished during the downloads; half a run each, as assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Hours of the day, UTC, at which one machine for everybody is on; *until* may be after midnight."""

    name: str
    start: int
    length: int

    def has(self, second_of_day: float) -> bool:
        return (second_of_day - self.start * 3600) % _DAY_S < self.length * 3600

    def usd_month(self, terms: Assumptions) -> float:
        return self.length * MONTH_DAYS * terms.usd_hour


SCHEDULES = (
    Hours(name="24/7", start=0, length=24),
    Hours(name="16 h, 10:00-02:00", start=10, length=16),
    Hours(name="12 h, 14:00-02:00", start=14, length=12),
    Hours(name="6 h, 17:00-23:00", start=17, length=6),
)
REACTIVE = "reactive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """His own arithmetic, dollars a month: for *reactive* what machines cost that work, and their cold starts."""

    low: float
    high: float
    running: float
    cold_starts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """From a request to its picture, seconds; None where there is none."""

    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """
    One way to have a machine.

    Attributes:
        estimate: The first user's.
        usd_month: What the replay cost, the bridge left out.
        served: The share of requests that a machine makes, 0 to 1.
        bridge_usd_month: What the others cost at a managed API; None without one: they are not served.
        waits: Of the requests that a machine made.
        first: Of each person's first request after ten minutes without one, as far as a machine made them.
        cold_starts_month: None where the machine is on anyway.
        failing_usd_month: At his rate of failures; None where that was not asked.
        failing_first: As *first*, with the failed tries before it.
    """

    name: str
    estimate: Estimate
    usd_month: float
    served: float
    bridge_usd_month: float | None
    waits: Waits
    first: Waits
    cold_starts_month: float | None = None
    failing_usd_month: float | None = None
    failing_first: Waits | None = None


def reactive_estimate(terms: Assumptions) -> Estimate:
    """Four sessions a day, ten minutes of work and ten of idling each; a cold start before each of them."""
    hours = SESSIONS_A_DAY * MONTH_DAYS * (ACTIVE + IDLE) / timedelta(hours=1)
    starting = SESSIONS_A_DAY * MONTH_DAYS * HIS_START / timedelta(hours=1)
    running, cold_starts = hours * terms.usd_hour, starting * terms.usd_hour
    low = running + cold_starts
    return Estimate(low=low, high=low * HIS_MARGIN, running=running, cold_starts=cold_starts)


class _Fixed:
    """One machine with fixed hours and one queue; what is queued when they end is still made, and paid for."""

    def __init__(self, hours: Hours, terms: Assumptions) -> None:
        self._hours = hours
        self._terms = terms
        self._generate = terms.generate.total_seconds()
        self._free = 0.0
        self._overtime = 0.0
        self._outside = 0
        self._waits = Quantiles()
        self._first = Quantiles()

    def add(self, at: float, *, is_first: bool) -> None:
        if not self._hours.has(at % _DAY_S):
            self._outside += 1
            return
        start = max(at, self._free)
        self._free = start + self._generate
        if not self._hours.has(start % _DAY_S):
            self._overtime += self._generate
        self._waits.add(self._free - at)
        if is_first:
            self._first.add(self._free - at)

    def scenario(self, days: int) -> Scenario:
        terms = self._terms
        total = self._outside + self._waits.count
        estimate = self._hours.usd_month(terms)
        bridge = None if terms.bridge_usd is None else self._outside * terms.bridge_usd / days * MONTH_DAYS
        return Scenario(
            name=self._hours.name,
            estimate=Estimate(low=estimate, high=estimate, running=estimate, cold_starts=0.0),
            usd_month=estimate + self._overtime / 3600 * terms.usd_hour / days * MONTH_DAYS,
            served=self._waits.count / total if total else 1.0,
            bridge_usd_month=bridge,
            waits=_of(self._waits),
            first=_of(self._first),
        )


class _Machine:
    """What one person has rented: seconds since 1970."""

    __slots__ = ("end", "free", "ordered")

    def __init__(self, ordered: float, ready: float) -> None:
        self.ordered = ordered
        self.free = ready
        self.end = ready


class _Reactive:
    """A machine a person: ordered at a request, one queue, given back ten minutes after its last picture."""

    def __init__(self, terms: Assumptions) -> None:
        self._terms = terms
        self._cold_start = terms.cold_start.total_seconds()
        self._generate = terms.generate.total_seconds()
        self._idle = terms.idle.total_seconds()
        self._failing = terms.failed_tries * terms.failed_try.total_seconds()  # until a machine works, on average
        self._machines: dict[str, _Machine] = {}
        self._paid = 0.0
        self._starts = 0
        self._waits = Quantiles()
        self._first = Quantiles()
        self._failing_first = Quantiles()

    def add(self, at: float, user: str, *, is_first: bool) -> None:
        machine = self._machines.get(user)
        is_new = machine is None or at >= machine.end
        if machine is None or is_new:
            self._paid += 0.0 if machine is None else machine.end - machine.ordered
            machine = self._machines[user] = _Machine(at, at + self._cold_start)
            self._starts += 1
        machine.free = max(at, machine.free) + self._generate
        machine.end = machine.free + self._idle
        wait = machine.free - at
        self._waits.add(wait)
        if is_first:
            self._first.add(wait)
            self._failing_first.add(wait + (self._failing if is_new else 0.0))

    def scenario(self, days: int) -> Scenario:
        paid = self._paid + sum(machine.end - machine.ordered for machine in self._machines.values())
        each_month = self._terms.usd_hour / 3600 / days * MONTH_DAYS
        return Scenario(
            name=REACTIVE,
            estimate=reactive_estimate(self._terms),
            usd_month=paid * each_month,
            served=1.0,
            bridge_usd_month=None,
            waits=_of(self._waits),
            first=_of(self._first),
            cold_starts_month=self._starts / days * MONTH_DAYS,
            failing_usd_month=(paid + self._starts * self._failing) * each_month,
            failing_first=_of(self._failing_first),
        )


class Replay:
    """
    Takes the requests of a log one by one through every scenario at once.

    People beyond :data:`MOST_PEOPLE` share the machine of nobody in particular.
    """

    def __init__(self, terms: Assumptions, *, most_people: int = MOST_PEOPLE) -> None:
        self._most_people = most_people
        self._fixed = tuple(_Fixed(hours, terms) for hours in SCHEDULES)
        self._reactive = _Reactive(terms)
        self._seen: dict[str, float] = {}
        self._first: datetime | None = None
        self._last: datetime | None = None

    def add(self, request: Request) -> None:
        self._first = request.at if self._first is None else min(self._first, request.at)
        self._last = request.at if self._last is None else max(self._last, request.at)
        user = request.user if request.user in self._seen or len(self._seen) < self._most_people else ""
        at = (request.at - _EPOCH).total_seconds()
        before = self._seen.get(user)
        is_first = before is None or at - before > IDLE.total_seconds()
        self._seen[user] = at if before is None else max(at, before)
        for fixed in self._fixed:
            fixed.add(at, is_first=is_first)
        self._reactive.add(at, user, is_first=is_first)

    def scenarios(self) -> tuple[Scenario, ...]:
        days = days_between(self._first, self._last)
        return (*(fixed.scenario(days) for fixed in self._fixed), self._reactive.scenario(days))


def _of(quantiles: Quantiles) -> Waits:
    return Waits(p50=quantiles.at(0.5), p95=quantiles.at(0.95))
