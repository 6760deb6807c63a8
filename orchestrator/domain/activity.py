"""
Who asks for pictures, and when: what ``glowplug activity`` says of a log. Pure, and one pass over the requests.

Memory does not grow with the log: counters, a histogram of gaps, and one small state a person, for so many people.
"""

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

GAP = timedelta(minutes=5)
"""Requests of one person no further apart belong together."""

BURST = 3
"""So many requests that belong together are a burst."""

PEAK_HOURS = 3
"""The peak is the busiest stretch of so many hours."""

MOST_PEOPLE = 200_000
"""So many are told apart; whoever comes after them is counted, in the sums and as one of the others, and no more."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_GAP_MS = GAP // _MS
_SECOND = 1000
_HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    One line of a log.

    Attributes:
        at: Aware, UTC.
        platform: Where it was asked for, such as ``discord``; empty where that is not known.
    """

    at: datetime
    user: str
    platform: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonCount:
    user: str
    count: int
    share: float
    """Of all requests, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bursts:
    """
    Three or more requests of one person, each within five minutes of the one before.

    Attributes:
        mean: Requests in one; 0 without any.
        sizes: How many bursts there are of each size.
    """

    count: int
    mean: float
    largest: int
    sizes: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """
    What a log says.

    Attributes:
        days: The first and last request's distance, in whole days, at least 1.
        weekdays: Requests of each, Monday first.
        hours: Requests of each hour of the day, UTC.
        peak: The busiest three hours in a row, from and to; None without a request.
        dead: The longest run of hours without any request, from and to; None where every hour has some.
        people: The busiest first.
        others: Requests of people beyond those that are told apart.
        median_gap: Between two requests of one person, of gaps up to five minutes; exact to a millisecond.
        by_day: Requests of each day that has some, in order.
        late: Requests that stand behind a later one.
    """

    total: int
    first: datetime | None
    last: datetime | None
    days: int
    weekdays: Mapping[str, int]
    hours: tuple[int, ...]
    peak: tuple[int, int] | None
    dead: tuple[int, int] | None
    people: tuple[PersonCount, ...]
    others: int
    platforms: Mapping[str, int]
    bursts: Bursts
    median_gap: timedelta | None
    by_day: Mapping[date, int]
    late: int

    @property
    def per_day(self) -> float:
        return self.total / self.days

    @property
    def busiest_weekday(self) -> str | None:
        return max(self.weekdays, key=self.weekdays.__getitem__) if self.total else None


class _Person:
    """One person's count, last request (ms) and the requests that belong together with it."""

    __slots__ = ("count", "last", "run")

    def __init__(self, at: int) -> None:
        self.count = 0
        self.last = at
        self.run = 0


class Tally:
    """
    Counts requests, one after the other.

    They are expected in the order of time. One that stands behind a later one is counted like any other, but it gives
    no gap: it belongs to its person's requests around it where it is within five minutes of their latest.
    """

    def __init__(self, *, most_people: int = MOST_PEOPLE) -> None:
        self._most_people = most_people
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._late = 0
        self._others = 0
        self._hours = [0] * _HOURS
        self._days: Counter[int] = Counter()
        self._platforms: Counter[str] = Counter()
        self._people: dict[str, _Person] = {}
        self._gaps = array("Q", bytes(8 * (_GAP_MS + 1)))  # of each length in ms
        self._gaps_by_second = [0] * (_GAP_MS // _SECOND + 1)  # where to look among them
        self._runs: Counter[int] = Counter()

    def add(self, request: Request) -> None:
        at = request.at
        if self._last is None or at >= self._last:
            self._last = at
        else:
            self._late += 1
        if self._first is None or at < self._first:
            self._first = at
        self._hours[at.hour] += 1
        self._days[at.toordinal()] += 1
        self._count_platform(request.platform)
        self._count_person(request.user, (at - _EPOCH) // _MS)

    def _count_platform(self, platform: str) -> None:
        known = platform in self._platforms or len(self._platforms) < self._most_people
        self._platforms[platform if known else ""] += 1

    def _count_person(self, user: str, at: int) -> None:
        person = self._people.get(user)
        if person is None:
            if len(self._people) >= self._most_people:
                self._others += 1
                return
            person = self._people[user] = _Person(at)
        gap = at - person.last
        if abs(gap) > _GAP_MS:
            self._end_run(person.run)
            person.run = 0
        elif person.count and gap >= 0:
            self._gaps[gap] += 1
            self._gaps_by_second[gap // _SECOND] += 1
        person.run += 1
        person.count += 1
        person.last = max(person.last, at)

    def _end_run(self, length: int) -> None:
        if length >= BURST:
            self._runs[length] += 1

    def report(self) -> Activity:
        """What was counted so far; more may be added afterwards."""
        total = sum(self._hours)
        return Activity(
            total=total,
            first=self._first,
            last=self._last,
            days=days_between(self._first, self._last),
            weekdays=self._weekdays(),
            hours=tuple(self._hours),
            peak=peak_of(self._hours),
            dead=dead_of(self._hours),
            people=self._ranked(total),
            others=self._others,
            platforms=dict(sorted(self._platforms.items(), key=lambda item: (-item[1], item[0]))),
            bursts=self._bursts(),
            median_gap=self._median_gap(),
            by_day={date.fromordinal(day): self._days[day] for day in sorted(self._days)},
            late=self._late,
        )

    def _weekdays(self) -> Mapping[str, int]:
        counts = dict.fromkeys(WEEKDAYS, 0)
        for day, count in self._days.items():
            counts[WEEKDAYS[(day - 1) % len(WEEKDAYS)]] += count  # day 1 of the calendar was a Monday
        return counts

    def _ranked(self, total: int) -> tuple[PersonCount, ...]:
        ranked = sorted(self._people.items(), key=lambda item: (-item[1].count, item[0]))
        return tuple(PersonCount(user=user, count=p.count, share=p.count / total) for user, p in ranked)

    def _bursts(self) -> Bursts:
        open_runs = Counter(person.run for person in self._people.values() if person.run >= BURST)
        sizes = dict(sorted((self._runs + open_runs).items()))
        count = sum(sizes.values())
        requests = sum(size * number for size, number in sizes.items())
        return Bursts(count=count, mean=requests / count if count else 0.0, largest=max(sizes, default=0), sizes=sizes)

    def _median_gap(self) -> timedelta | None:
        count = sum(self._gaps_by_second)
        if not count:
            return None
        middle = self._gap_of_rank((count - 1) // 2) + self._gap_of_rank(count // 2)
        return timedelta(milliseconds=middle / 2)

    def _gap_of_rank(self, rank: int) -> int:
        """The gap (ms) that so many are not longer than; *rank* is below their number."""
        second = 0
        while rank >= self._gaps_by_second[second]:
            rank -= self._gaps_by_second[second]
            second += 1
        gap = second * _SECOND
        while rank >= self._gaps[gap]:
            rank -= self._gaps[gap]
            gap += 1
        return gap


def days_between(first: datetime | None, last: datetime | None) -> int:
    """Whole days, at least 1: what a month's figures are scaled by."""
    return 1 if first is None or last is None else max(1, round((last - first) / timedelta(days=1)))


def peak_of(hours: list[int]) -> tuple[int, int] | None:
    """From and to of the busiest hours in a row, midnight being no border; the earliest of equals."""
    if not any(hours):
        return None
    sums = [sum(hours[(start + k) % _HOURS] for k in range(PEAK_HOURS)) for start in range(_HOURS)]
    start = sums.index(max(sums))
    return start, (start + PEAK_HOURS) % _HOURS


def dead_of(hours: list[int]) -> tuple[int, int] | None:
    """From and to of the longest run of hours without a request, midnight being no border."""
    if not any(hours) or all(hours):
        return None
    busy = next(hour for hour in range(_HOURS) if hours[hour])
    start, length = max(_empty_runs([*hours[busy:], *hours[:busy]]), key=lambda run: (run[1], -run[0]))
    return (start + busy) % _HOURS, (start + busy + length) % _HOURS


def _empty_runs(hours: list[int]) -> Iterator[tuple[int, int]]:
    """Start and length of each."""
    place = 0
    for is_empty, run in groupby(hours, key=lambda count: count == 0):
        length = len(list(run))
        if is_empty:
            yield place, length
        place += length
