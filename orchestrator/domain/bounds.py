"""
What a log costs at the least, by dynamic programming over each person's requests, backwards in time.

Both bounds know the future. ``informed`` may start a machine at a request alone, as a policy does that waits for
evidence; ``hindsight`` may start it earlier, so that it is warm in time: the room that guessing well has. Both end
machines whenever they like. A machine bills from its order until its end; a request that finds none ready is made by
the bridge, or waits for the cold start where there is no bridge.

They stay below what any policy pays in that model: where pictures queue, a machine that is kept costs its time until
the next request and no more, one that is ended costs at least the painting. Only who lets people wait for a machine
although a bridge could serve them may pay less: waiting costs no dollars. Dollars are floats here: they are compared,
never booked.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.domain.activity import Request
from orchestrator.domain.terms import Terms

Times = Sequence[float]
"""One person's requests: seconds from any moment, ascending."""


def people_of(requests: Iterable[Request]) -> tuple[Times, ...]:
    """Each person's times, in seconds from the first request of all; whoever comes first stands first."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    ordered = sorted(requests, key=lambda request: (request.at, request.user))
    for request in ordered:
        times[request.user].append((request.at - ordered[0].at).total_seconds())
    return tuple(times.values())


def informed(people: Iterable[Times], terms: Terms) -> float:
    """Dollars for the whole log when machines start at requests alone, by someone who knows how each person goes on."""
    rates = Rates.of(terms)
    return sum(_informed(times, rates) for times in people)


def hindsight(people: Iterable[Times], terms: Terms) -> float:
    """
    Dollars for the whole log when machines may start before anybody asks.

    Without a bridge it is what ``informed`` is: a machine that starts early costs no less, it only spares the wait,
    and waiting costs no dollars.
    """
    rates = Rates.of(terms)
    return sum((_informed if rates.bridge is None else _hindsight)(times, rates) for times in people)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """
    Terms as the sums need them.

    Attributes:
        second: Dollars for a second of a machine.
        bridge: Dollars for a request on the bridge; None: there is none.
        paint: Seconds that a machine paints for a request.
    """

    second: float
    bridge: float | None
    cold: float
    paint: float

    @classmethod
    def of(cls, terms: Terms) -> "Rates":
        return cls(
            second=terms.gpu_usd_s,
            bridge=None if terms.bridge_usd is None else terms.bridge_usd * terms.images_per_request,
            cold=terms.cold_start_s,
            paint=terms.paint_s,
        )


def _informed(times: Times, rates: Rates) -> float:
    """``off[i]`` and ``warm[i]``: dollars from request i on where it finds no machine, and where one is ready."""
    count = len(times)
    off, warm = [0.0] * (count + 1), [math.inf] * (count + 1)
    for i in range(count - 1, -1, -1):
        warm[i] = _served(times, i, off, warm, rates)
        ready = bisect_left(times, times[i] + rates.cold, i + 1)  # the first request that finds this machine ready
        kept = rates.second * (times[ready] - times[i]) + warm[ready] if ready < count else math.inf
        if rates.bridge is None:  # they wait, and the machine may be ended once it has painted for all of them
            busy = rates.cold + rates.paint * (ready - i)
            off[i] = min(kept, rates.second * busy + off[ready])
        else:  # one that is ended before it is ready was never worth it
            off[i] = min(rates.bridge + off[i + 1], rates.bridge * (ready - i) + kept)
    return off[0]


def _hindsight(times: Times, rates: Rates) -> float:
    """As above; a machine that is ready at a request was started a cold start before it, whoever asked meanwhile."""
    bridge = rates.bridge or 0.0
    count = len(times)
    off, warm = [0.0] * (count + 1), [math.inf] * (count + 1)
    for i in range(count - 1, -1, -1):
        warm[i] = _served(times, i, off, warm, rates)
        off[i] = min(bridge + off[i + 1], rates.second * rates.cold + warm[i])
    return off[0]


def _served(times: Times, i: int, off: Sequence[float], warm: Sequence[float], rates: Rates) -> float:
    """Request i on a machine that is ready: afterwards it is ended, or kept over the gap to the next one."""
    ended = rates.second * rates.paint + off[i + 1]
    if i + 1 == len(times):
        return ended
    return min(ended, rates.second * (times[i + 1] - times[i]) + warm[i + 1])
