"""
The best ``fixed(k, window, T)`` of a grid, chosen with the log in hand: what a policy that knows nothing is held to.

A person's machine is rent when k requests of theirs came within the window, this one included, and given back T after
the last one, whether it is ready by then or not. A request that finds none ready is made by the bridge; where there is
no bridge it waits, so a machine is rent at once (k = 1) and not given back before it has painted.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.domain.bounds import Rates, Times
from orchestrator.domain.terms import Terms

COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24)
"""And never."""
WINDOWS_S = (300, 600, 1200)
KEEPS_S = (30, 60, 90, 120, 180, 240, 360, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedRule:
    """
    Attributes:
        count: Requests within *window_s* at which a machine is rent; None: never.
        keep_s: How long it is kept after the last request.
    """

    count: int | None
    window_s: int = WINDOWS_S[0]
    keep_s: int = KEEPS_S[0]

    @property
    def name(self) -> str:
        return "bridge-only" if self.count is None else f"fixed({self.count},{self.window_s},{self.keep_s})"


def best_fixed(people: Iterable[Times], terms: Terms) -> tuple[FixedRule, float]:
    """The cheapest rule of the grid and its dollars for the whole log; of equals the one that rents least readily."""
    rates = Rates.of(terms)
    sums: dict[FixedRule, float] = dict.fromkeys(_grid(rates), 0.0)
    for times in people:
        recent = {window: _recent(times, window) for window in WINDOWS_S}
        for rule in sums:
            sums[rule] += _cost(times, recent[rule.window_s], rule, rates)
    best = min(sums, key=sums.__getitem__)
    return best, sums[best]


def fixed_usd(people: Iterable[Times], rule: FixedRule, terms: Terms) -> float:
    """Dollars of one rule for the whole log."""
    rates = Rates.of(terms)
    return sum(_cost(times, _recent(times, rule.window_s), rule, rates) for times in people)


def _grid(rates: Rates) -> Iterator[FixedRule]:
    if rates.bridge is not None:
        yield FixedRule(count=None)
        for count in reversed(COUNTS[1:]):
            yield from (FixedRule(count=count, window_s=w, keep_s=keep) for w in WINDOWS_S for keep in KEEPS_S)
    yield from (FixedRule(count=1, keep_s=keep) for keep in KEEPS_S)  # the window makes no difference


def _recent(times: Times, window: float) -> list[int]:
    """At each request: how many came within *window* seconds before it, itself included."""
    found, first = [], 0
    for i, at in enumerate(times):
        while times[first] <= at - window:
            first += 1
        found.append(i - first + 1)
    return found


def _cost(times: Times, recent: Sequence[int], rule: FixedRule, rates: Rates) -> float:
    """One person's dollars."""
    if rule.count is None:
        return len(times) * (rates.bridge or 0.0)
    billed, bridged = 0.0, 0
    ordered, end, ready, free = 0.0, -1.0, 0.0, 0.0  # of the machine that is there until *end*
    is_on = False
    for at, count in zip(times, recent, strict=True):
        if is_on and at >= end:
            billed += end - ordered
            is_on = False
        if not is_on and count >= rule.count:
            is_on, ordered, ready, free = True, at, at + rates.cold, at
            serves = rates.bridge is None
        else:
            serves = is_on and (at >= ready or rates.bridge is None)
        if serves:
            free = max(free, at, ready) + rates.paint
        else:
            bridged += 1
        end = max(at + rule.keep_s, free)
    return rates.second * (billed + (end - ordered if is_on else 0.0)) + bridged * (rates.bridge or 0.0)
