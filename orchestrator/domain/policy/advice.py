"""
Which rule to follow for a person: the one that would have been cheapest so far, within what break-even allows.

The costs of all rules on the person's own requests, and with less weight on everybody's, say which rule is followed
(follow the leader). What a person has cost is held against the least that their requests could have cost
(:class:`.shadow.Bound`); where no further wrong guess could be paid for within :data:`MARGIN` times that, the rule that
goes by money alone decides. See docs/decisions/0018-auto.md for why, and for what is guaranteed.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from math import inf

import numpy as np

from orchestrator.domain.policy.shadow import (
    BREAK_EVEN,
    BRIDGE_ONLY,
    RULES,
    Ask,
    Belief,
    Bound,
    Floats,
    Rule,
    Shadow,
)

MARGIN = 3.0
"""What a wrong belief may cost at most, in terms of the best in hindsight; break-even alone stays within it."""

OTHERS = 0.3
"""The weight of everybody's requests beside a person's own."""

HALF_LIFE_S = 45 * 86_400.0
"""People change: what a rule cost so long ago counts half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """
    What to do with one person's machine after their last request.

    Attributes:
        rents: They should have a machine now.
        keep: For so long after that request it stays.
        is_bounded: The rule was not free: break-even decided.
        rule_usd: What the rule would have cost on the person's requests so far, the older ones counting less.
        bridge_usd: What an API would have, with machines for nothing but what none can make.
        requests: How many requests that goes by.
    """

    rents: bool
    keep: timedelta
    rule: Rule
    is_break_even: bool
    is_bounded: bool
    rule_usd: float
    bridge_usd: float
    requests: float
    credit_usd: float
    within: int
    belief: Belief

    def numbers(self) -> dict[str, str | int | float]:
        """All of it as plain values, for the event log and ``/why``."""
        return {
            "rents": int(self.rents),
            "keep_s": self.keep.total_seconds(),
            "rule": "break-even" if self.is_break_even else self.rule.name,
            "bounded": int(self.is_bounded),
            "rule_usd": round(self.rule_usd, 4),
            "bridge_usd": round(self.bridge_usd, 4),
            "requests": round(self.requests, 1),
            "credit_usd": round(self.credit_usd, 4),
            "within": self.within,
            "cold_s": round(self.belief.cold_s, 1),
            "start_usd": round(self.belief.start_usd, 4),
            "usd_hour": round(self.belief.usd_s * 3600, 4),
        }


@dataclass(slots=True)
class _Own:
    """What following the advice comes to in the same model."""

    usd: float = 0.0
    is_on: bool = False
    ready: float = 0.0
    free: float = 0.0
    keep_s: float = 0.0
    last: float = -inf

    def settle(self, now: float, belief: Belief) -> None:
        self.usd += self.owed(now, belief)
        self.is_on = self.is_on and self._end > now

    def owed(self, now: float, belief: Belief) -> float:
        return belief.usd_s * (min(self._end, now) - self.last) if self.is_on else 0.0

    @property
    def _end(self) -> float:
        return max(self.last + self.keep_s, self.free)

    def ask(self, ask: Ask, belief: Belief, *, rents: bool, keep_s: float) -> None:
        is_warm = self.is_on and self.ready <= ask.at
        if rents and not self.is_on:
            self.is_on, self.ready, self.free = True, ask.at + belief.cold_s, ask.at
            self.usd += belief.surcharge
        if ask.bridge_usd is None:
            self.free = max(self.free, self.ready, ask.at) + belief.paint_s * ask.images
        elif is_warm:
            self.free = max(self.free, ask.at) + belief.paint_s * ask.images
        else:
            self.usd += ask.bridge_usd
        self.last, self.keep_s = ask.at, keep_s


class _Person:
    def __init__(self, most_kept_s: float) -> None:
        self.shadow = Shadow(most_kept_s)
        self.bound = Bound()
        self.own = _Own()
        self.usd: Floats = np.zeros(len(RULES))
        self.requests = 0.0
        self.last = -inf
        self.advice: Advice | None = None


class Adviser:
    """
    Keeps what each rule has cost for each person, and for all; pure, but for that memory.

    Args:
        most_kept: The upper bound of every keep-alive.
    """

    def __init__(self, most_kept: timedelta) -> None:
        self._most_kept_s = most_kept.total_seconds()
        self._people: dict[str, _Person] = {}
        self._all_usd: Floats = np.zeros(len(RULES))
        self._last = -inf
        self.totals_usd: Floats = np.zeros(len(RULES))
        """Of each rule, on all requests, none of them counting less."""
        self.requests = 0

    def advice(self, user: str) -> Advice | None:
        """What was advised at their last request; None while they have asked for nothing."""
        person = self._people.get(user)
        return person.advice if person else None

    def recent(self, user: str) -> tuple[float, ...]:
        """When their last requests came, as far back as any window."""
        person = self._people.get(user)
        return tuple(person.shadow.recent) if person else ()

    def own_usd(self, now: float, belief: Belief) -> float:
        """What following the advice has cost in the same model, in money, machines that are still on included."""
        return sum(person.own.usd + person.own.owed(now, belief) for person in self._people.values())

    def money(self, now: float, belief: Belief) -> Floats:
        """The same of each rule: no waiting is counted."""
        people = [person.shadow for person in self._people.values()]
        owed = sum((each.owed(now, belief) - each.waited_usd for each in people), np.zeros(len(RULES)))
        return self.totals_usd + owed

    def ask(self, user: str, ask: Ask, belief: Belief) -> Advice:
        """One more request of *user*; where a clock was set back, at the time of the one before it."""
        person = self._people.setdefault(user, _Person(self._most_kept_s))
        ask = replace(ask, at=max(ask.at, person.last))
        self._add(person, ask, belief)
        score = person.usd + OTHERS * self._all_usd
        place = int(np.argmin(score))
        person.own.settle(ask.at, belief)
        person.bound.ask(ask, belief)
        is_bounded = False
        if place != BREAK_EVEN and not _can_be_paid_for(person, RULES[place].keep_s, ask, belief):
            place, is_bounded = BREAK_EVEN, True
        advice = self._advise(person, place, ask, belief, is_bounded=is_bounded)
        person.own.ask(ask, belief, rents=advice.rents, keep_s=advice.keep.total_seconds())
        person.advice = advice
        return advice

    def _add(self, person: _Person, ask: Ask, belief: Belief) -> None:
        cost = person.shadow.ask(ask, belief)
        faded = _faded(ask.at - person.last)
        person.usd = person.usd * faded + cost
        person.requests = person.requests * faded + 1
        person.last = ask.at
        self._all_usd = self._all_usd * _faded(ask.at - self._last) + cost
        self._last = max(ask.at, self._last)
        self.totals_usd += cost
        self.requests += 1

    def _advise(self, person: _Person, place: int, ask: Ask, belief: Belief, *, is_bounded: bool) -> Advice:
        rule, shadow = RULES[place], person.shadow
        is_break_even = place == BREAK_EVEN
        keep_s = belief.idle_s(shadow.credit_usd) if is_break_even else rule.keep_s
        if is_break_even:
            rents = shadow.credit_usd >= belief.start_usd
        else:
            rents = shadow.within(rule.window_s) >= rule.requests
        return Advice(
            rents=rents or ask.bridge_usd is None,
            keep=timedelta(seconds=min(keep_s, self._most_kept_s)),
            rule=rule,
            is_break_even=is_break_even,
            is_bounded=is_bounded,
            rule_usd=float(person.usd[place]),
            bridge_usd=float(person.usd[BRIDGE_ONLY]),
            requests=person.requests,
            credit_usd=shadow.credit_usd,
            within=shadow.within(rule.window_s),
            belief=belief,
        )


def _can_be_paid_for(person: _Person, keep_s: float, ask: Ask, belief: Belief) -> bool:
    """Whether the person stays within the margin even if nothing comes of it, and break-even has to take over."""
    bridge_usd, paint_s = ask.bridge_usd or 0.0, belief.paint_s * ask.images
    busy_s = max(person.own.free - ask.at, 0.0) + paint_s
    at_worst = person.own.usd + bridge_usd + belief.surcharge + belief.usd_s * max(keep_s, busy_s)
    reserve = max(belief.start_usd, bridge_usd, belief.usd_s * paint_s) + bridge_usd  # see the decision for its size
    return at_worst + reserve <= MARGIN * person.bound.usd


def _faded(seconds: float) -> float:
    return 0.0 if seconds == inf else 0.5 ** (max(seconds, 0.0) / HALF_LIFE_S)
