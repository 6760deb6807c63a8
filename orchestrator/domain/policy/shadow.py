"""
What each of many simple rules would have cost on the requests that really came: the shadow ledger.

A rule rents when so many requests of a person came within a window, and keeps the machine for so long after the last
one. All of them are played at once on each person's requests, at the prices that are believed at the time. What they
cost says which rule to follow (:mod:`.auto`), and what another policy would have cost (``/policy``).

Seconds since 1970 and dollars here, not integers: nothing of this is booked.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REQUESTS = (1, 2, 3, 4, 6, 8, 12, 16, 24)
WINDOWS_S = (300.0, 600.0, 1200.0)
KEEPS_S = (30.0, 60.0, 90.0, 120.0, 180.0, 240.0, 300.0, 360.0, 480.0, 600.0)
NEVER = 1 << 30

WAIT_USD_S = 0.20 / 60
"""What a second of waiting for a machine is worth to a person who cannot be served elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    Rent when *requests* of one person came within *window_s*, and keep the machine *keep_s* after the last one.

    Attributes:
        requests: :data:`NEVER` rents only for what no managed API can make.
    """

    requests: int
    window_s: float
    keep_s: float

    @property
    def keep(self) -> timedelta:
        return timedelta(seconds=self.keep_s)

    @property
    def name(self) -> str:
        if self.requests == NEVER:
            return "bridge-only"
        return f"fixed({self.requests},{self.window_s:g},{self.keep_s:g})"


BREAK_EVEN = 0
"""The place of the rule that goes by money alone: rent once a machine would have been cheaper by the price of a start,
give back once being idle has cost that much more than the API. It knows nothing, and is never far from the best."""


def grid() -> tuple[Rule, ...]:
    """The rules: at :data:`BREAK_EVEN` the one that goes by money, whose counts mean nothing; the last never rents."""
    windows = {requests: WINDOWS_S if requests > 1 else WINDOWS_S[:1] for requests in REQUESTS}
    rules = [
        Rule(requests=requests, window_s=window, keep_s=keep)
        for requests in REQUESTS
        for window in windows[requests]
        for keep in KEEPS_S
    ]
    return (
        Rule(requests=NEVER, window_s=WINDOWS_S[0], keep_s=0.0),
        *rules,
        Rule(requests=NEVER, window_s=WINDOWS_S[0], keep_s=KEEPS_S[3]),
    )


RULES = grid()
BRIDGE_ONLY = len(RULES) - 1
_REQUESTS: Floats = np.array([rule.requests for rule in RULES], dtype=float)
_WINDOWS: Floats = np.array([rule.window_s for rule in RULES])
_KEEPS: Floats = np.array([rule.keep_s for rule in RULES])


def rule_like(requests: int, window_s: float, keep_s: float) -> int:
    """The place of that very rule. Raises: ValueError: There is none."""
    return RULES.index(Rule(requests=requests, window_s=window_s, keep_s=keep_s), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """
    What a machine should cost and take.

    Attributes:
        usd_s: A second of it.
        cold_s: From the first order until one is ready, lost tries included.
        start_usd: What that costs, lost tries included.
        paint_s: For a picture.
    """

    usd_s: float
    cold_s: float
    start_usd: float
    paint_s: float

    @property
    def surcharge(self) -> float:
        """What a start costs beyond the machine's own time."""
        return max(self.start_usd - self.usd_s * self.cold_s, 0.0)

    def idle_s(self, credit_usd: float) -> float:
        """For how long an idle machine uses *credit_usd* up."""
        return credit_usd / self.usd_s if self.usd_s else inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """
    One request.

    Attributes:
        at: Seconds since 1970.
        bridge_usd: What a managed API takes for it; None where only a machine can make it.
    """

    at: float
    images: int = 1
    bridge_usd: float | None = None


class Shadow:
    """
    All rules on one person's requests.

    Attributes:
        recent: When their last requests came, as far back as any window.
        credit_usd: By how much a machine would have been cheaper than the API, had it been there since the best moment;
            no more than a start or the last request costs, since nobody loses more by having none.
        waited_usd: What of each rule's costs was no money: waiting.
    """

    def __init__(self, most_kept_s: float) -> None:
        count = len(RULES)
        self.recent: deque[float] = deque()
        self.credit_usd = 0.0
        self.waited_usd: Floats = np.zeros(count)
        self._most_kept_s = most_kept_s
        self._last = -inf
        self._is_on = np.zeros(count, dtype=bool)
        self._ready: Floats = np.zeros(count)
        self._free: Floats = np.zeros(count)
        self._keep: Floats = np.minimum(_KEEPS, most_kept_s)

    def within(self, window_s: float) -> int:
        """How many requests came within the window that ends with the last one."""
        return sum(at > self._last - window_s for at in self.recent)

    def ask(self, ask: Ask, belief: Belief) -> Floats:
        """Play one more request; returns what it and the time since the one before cost each rule, in dollars."""
        cost = self.settle(ask.at, belief)
        self._count(ask, belief)
        warm = self._is_on & (self._ready <= ask.at)
        counts = {window: self.within(window) for window in WINDOWS_S}
        starts = np.array([counts[window] for window in WINDOWS_S])[_WINDOW_PLACE] >= _REQUESTS
        starts[BREAK_EVEN] = self.credit_usd >= belief.start_usd
        starts |= ask.bridge_usd is None
        starts &= ~self._is_on
        self._ready = np.where(starts, ask.at + belief.cold_s, self._ready)
        self._free = np.where(starts, ask.at, self._free)
        self._is_on |= starts
        paint_s = belief.paint_s * ask.images
        if ask.bridge_usd is None:
            begins = np.maximum(np.maximum(self._free, self._ready), ask.at)
            self._free = begins + paint_s
            waited = WAIT_USD_S * np.maximum(self._ready - ask.at, 0.0)
            self.waited_usd += waited
            cost += waited
        else:
            self._free = np.where(warm, np.maximum(self._free, ask.at) + paint_s, self._free)
            cost += np.where(warm, 0.0, ask.bridge_usd)
        self._keep = np.minimum(_KEEPS, self._most_kept_s)
        self._keep[BREAK_EVEN] = min(belief.idle_s(self.credit_usd), self._most_kept_s)
        self._last = ask.at
        return cost + np.where(starts, belief.surcharge, 0.0)

    def settle(self, now: float, belief: Belief) -> Floats:
        """Let time pass until *now*; returns what the machines that were on have cost since the last request."""
        cost = self.owed(now, belief)
        self._is_on &= self._end > now
        return cost

    def owed(self, now: float, belief: Belief) -> Floats:
        """What the machines have cost since the last request; nothing is changed by asking."""
        if self._last == -inf:
            return np.zeros(len(RULES))
        return np.where(self._is_on, belief.usd_s * (np.minimum(self._end, now) - self._last), 0.0)

    @property
    def _end(self) -> Floats:
        """When each rule gives its machine back, if nothing more is asked."""
        return np.maximum(self._last + self._keep, self._free)

    def _count(self, ask: Ask, belief: Belief) -> None:
        if self.recent:  # a machine that paints one after the other takes its time, however fast they come
            busy_s = max(ask.at - self._last, belief.paint_s * ask.images)
            self.credit_usd = max(self.credit_usd - belief.usd_s * busy_s, 0.0)
        saved = belief.start_usd if ask.bridge_usd is None else ask.bridge_usd
        self.credit_usd = min(self.credit_usd + saved, max(belief.start_usd, saved))
        self._last = ask.at
        self.recent.append(ask.at)
        while self.recent[0] <= ask.at - WINDOWS_S[-1]:
            self.recent.popleft()


_WINDOW_PLACE = np.array([WINDOWS_S.index(window) for window in _WINDOWS])


@dataclass(slots=True)
class Bound:
    """
    The least that one person's requests could have cost until now, had somebody known how they would go on.

    Such a one starts a machine at a request only. Forward dynamic programming over where it could be now.

    Attributes:
        off_usd: The least, being without a machine.
    """

    off_usd: float = 0.0
    _warm_usd: float = inf
    _starting: list[tuple[float, float]] = field(default_factory=list)  # ready at, dollars by now
    _last: float = -inf

    def ask(self, ask: Ask, belief: Belief) -> None:
        passed = 0.0 if self._last == -inf else belief.usd_s * (ask.at - self._last)
        starting = [(ready, usd + passed) for ready, usd in self._starting]
        warm = min([self._warm_usd + passed, *(usd for ready, usd in starting if ready <= ask.at)])
        starting = [(ready, usd) for ready, usd in starting if ready > ask.at]
        bridge = inf if ask.bridge_usd is None else ask.bridge_usd
        painted = warm + belief.usd_s * belief.paint_s * ask.images
        begun = self.off_usd + belief.surcharge
        if ask.bridge_usd is None:
            starting.append((ask.at + belief.cold_s, begun))
        else:
            starting = [(ready, usd + bridge) for ready, usd in starting]
            starting.append((ask.at + belief.cold_s, begun + bridge))
        self.off_usd = min(self.off_usd + bridge, painted)
        self._warm_usd, self._starting, self._last = warm, _undominated(starting), ask.at

    @property
    def usd(self) -> float:
        return min([self.off_usd, self._warm_usd, *(usd for _, usd in self._starting)])


def _undominated(starting: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without those that are ready no earlier than a cheaper one."""
    kept: list[tuple[float, float]] = []
    for ready, usd in starting:
        if not kept or usd < kept[-1][1]:
            kept.append((ready, usd))
    return kept
