"""What ``auto`` costs on a log in the money model, without playing it: its adviser asked at each request."""

from collections.abc import Sequence
from datetime import timedelta
from math import inf

from orchestrator.domain.bounds import Times
from orchestrator.domain.policy.advice import Adviser
from orchestrator.domain.policy.shadow import Ask, Belief
from orchestrator.domain.terms import Terms
from tests.economics.plain import Told

IDLE_TIMEOUT = timedelta(minutes=10)


def belief(terms: Terms) -> Belief:
    """Everything about machines is known, and none is lost."""
    return Belief(
        usd_s=terms.gpu_usd_s,
        cold_s=terms.cold_start_s,
        start_usd=terms.gpu_usd_s * terms.cold_start_s,
        paint_s=terms.generate_s,
    )


def auto_usd(people: Sequence[Times], terms: Terms, *, before: Sequence[Times] = ()) -> float:
    """
    Dollars by its own ledger, until the last machine is given back.

    Args:
        before: What the same people asked for earlier, which auto has seen.
    """
    adviser, known = Adviser(IDLE_TIMEOUT), belief(terms)
    advised(adviser, before, terms)
    spent = adviser.own_usd(min(times[0] for times in people if times), known)
    advised(adviser, people, terms)
    return adviser.own_usd(inf, known) - spent


def advised(adviser: Adviser, people: Sequence[Times], terms: Terms) -> list[list[Told]]:
    """What it says to each of *people* at each request, all of them going on at the same time."""
    told: list[list[Told]] = [[] for _ in people]
    known = belief(terms)
    bridge = None if terms.bridge_usd is None else terms.bridge_usd * terms.images_per_request
    for at, number in sorted((at, number) for number, times in enumerate(people) for at in times):
        ask = Ask(at=at, images=terms.images_per_request, bridge_usd=bridge)
        advice = adviser.ask(f"person {number}", ask, known)
        told[number].append(Told(at=at, rents=advice.rents, keep_s=advice.keep.total_seconds()))
    return told
